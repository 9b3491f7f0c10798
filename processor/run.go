package processor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/seed96110120/kinesis-client-go/protocol"
)

// watchAfter is how long a method may work before the next message is read, to see the
// end of the input.
const watchAfter = time.Millisecond

// Run serves one shard to p: it reads the daemon's messages from in, calls the methods of
// p and writes the answers to out, until in ends. It uses nothing but its arguments: no
// standard stream, no signal, no environment variable.
//
// Run returns nil when in ended between two actions, which is how every daemon ends a
// child, planned or not. It returns an error, and the program should end with status 1,
// when
//
//   - a method returned an error other than [ErrLeaseLost], or panicked
//     ([*PanicError]), or [Lease.Fail] was called;
//   - ShardEnded returned without a checkpoint at the shard's end
//     ([ErrNoEndCheckpoint]);
//   - in ended during an action ([ErrDaemonGone]);
//   - a message could not be read (see [protocol.Reader]) or written, or the daemon sent
//     one out of turn;
//   - ctx ended; the error wraps context.Cause(ctx).
//
// When Run must end while a method is at work, it cancels the lease's context and waits
// for the method, 3 seconds at most. After that it returns an error, although the method
// still runs. A Read of in that is in progress when Run returns goes on until it returns
// by itself.
func Run(ctx context.Context, p RecordProcessor, in io.Reader, out io.Writer, opts *Options) error {
	c, err := newConfig(opts)
	if err != nil {
		return err
	}
	return run(ctx, p, in, out, c)
}

func run(ctx context.Context, p RecordProcessor, in io.Reader, out io.Writer, config config) error {
	r := &runner{
		config:   config,
		p:        p,
		turn:     make(chan *conversation, 1),
		failures: make(chan error, 1),
		ended:    make(chan struct{}),
		returned: make(chan struct{}, 1),
	}
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	r.watch = time.AfterFunc(time.Hour, func() {
		c := r.own()
		c.long = c.working
		r.serve(c)
	})
	r.watch.Stop()
	c := &conversation{
		run: r, reader: protocol.NewReader(in, nil), writer: protocol.NewWriter(out), log: config.Logger,
		checkpoints: checkpointQueue{retries: config.CheckpointRetries},
	}
	go r.serve(c)
	stop := context.AfterFunc(ctx, func() {
		c := r.own()
		c.close(context.Cause(ctx))
		r.pass(c)
	})
	defer stop()

	<-r.ended
	c = r.own()
	err, working, action := c.err, c.working, c.action
	r.pass(c)
	if working && !r.await() {
		err = fmt.Errorf("%w; %s did not return within %v of that", err, action, handlerGrace)
	}
	switch {
	case err == nil:
		return nil
	case c.lease != nil:
		return fmt.Errorf("processor: %s: %w", c.lease.key, err)
	default:
		return fmt.Errorf("processor: %w", err)
	}
}

// runner has what the goroutines of one Run share.
//
// One goroutine at a time owns the conversation: who has received it from turn. It does
// one step and passes it on. The steps are a message that was read, a method that
// returned, a call of the Checkpointer or of Lease.Fail, a timer that fired, the end of
// the context. After its step a goroutine serves: it proceeds as far as the conversation
// goes, which may mean to call a method or to read the next message, and ends when
// others do both.
//
// So the goroutine that has read a batch calls the method for it, and no other is woken,
// unless there is something to be read meanwhile: the answer to a checkpoint, or, when
// the method takes longer than watchAfter, the end of the input.
//
// In a child, a call of the Checkpointer with the lease's context reads its answer
// itself, which saves two switches of goroutines per batch. It cannot leave a Read when
// that context ends. In a child this is rare and harmless: the end of the input ends the
// Read, and Lease.Fail ends the process, after handlerGrace at the latest. A host may end
// Run in other ways; there another goroutine reads.
type runner struct {
	config
	p      RecordProcessor
	ctx    context.Context // ends with Run
	cancel context.CancelCauseFunc
	watch  *time.Timer // runs while a method works

	turn     chan *conversation // capacity 1
	failures chan error         // capacity 1: what Lease.Fail was called with
	ended    chan struct{}      // closed with the conversation
	returned chan struct{}      // capacity 1: the method in work has returned after that
}

// own waits for the conversation.
func (r *runner) own() *conversation { return r.owned(<-r.turn) }

// owned looks at what came before the step that c was received for: a Fail that came
// before a method's return counts before it.
func (r *runner) owned(c *conversation) *conversation {
	select {
	case err := <-r.failures:
		c.failed(err)
	default:
	}
	return c
}

// pass gives the conversation to whoever waits for it.
func (r *runner) pass(c *conversation) { r.turn <- c }

// serve goes on with the conversation, which the caller owns, and passes it on.
func (r *runner) serve(c *conversation) {
	for {
		if method := c.proceed(); method != nil {
			r.pass(c)
			c = r.call(method)
			continue
		}
		if !c.wantsMessage() {
			r.pass(c)
			return
		}
		c = r.read(c)
	}
}

// read reads the next message, without the conversation meanwhile.
func (r *runner) read(c *conversation) *conversation {
	c.reading = true
	reader := c.reader
	r.pass(c)
	m, err := reader.Read()
	if err != nil && r.inputEnded != nil {
		r.inputEnded()
	}
	c = r.own()
	c.read(m, err)
	return c
}

// call calls a method and returns the conversation, with what became of it. It does not
// return when the method has ended its goroutine.
func (r *runner) call(method func() error) (c *conversation) {
	exited := true
	err := errors.New("the method ended its goroutine (runtime.Goexit)")
	r.watch.Reset(watchAfter)
	defer func() {
		if v := recover(); v != nil {
			exited, err = false, &PanicError{Value: v, Stack: debug.Stack()}
		}
		r.watch.Stop()
		c = r.own()
		c.returned(err)
		if exited {
			r.pass(c)
		}
	}()
	if err = method(); noFailure(err) {
		err = nil
	}
	_ = errors.Is(err, ErrLeaseLost) // a nil pointer's Unwrap may panic: here, and not with the conversation
	exited = false
	return nil
}

// retry sends a throttled checkpoint again.
func (r *runner) retry() {
	c := r.own()
	c.checkpoints.retry()
	r.serve(c)
}

// ask asks for a checkpoint and waits for the answer.
func (r *runner) ask(request *checkpointRequest, shardID string) error {
	gone := func() error {
		return &CheckpointError{ShardID: shardID, Position: request.position, Err: ErrLeaseLost}
	}
	request.answer = make(chan error, 1)
	select {
	case c := <-r.turn:
		r.owned(c).request(request)
		if r.child && c.working && request.ctx.Done() == c.lease.ctx.Done() {
			c.proceed() // sends it; while a method works, no other is to be called
			if c.checkpoints.sent == request && c.wantsMessage() {
				c = r.read(c)
			}
			if c.working {
				c.proceed()
			}
			if c.working && !c.wantsMessage() {
				r.pass(c)
				break
			}
		}
		go r.serve(c)
	case <-r.ended:
		return gone()
	case <-request.ctx.Done():
		return context.Cause(request.ctx)
	}
	select {
	case err := <-request.answer:
		return err
	case <-r.ended:
		select { // an answer that came just before the end counts
		case err := <-request.answer:
			return err
		default:
			return gone()
		}
	case <-request.ctx.Done():
		return context.Cause(request.ctx)
	}
}

// fail takes what ends the conversation or the lease. The first counts.
func (r *runner) fail(err error) {
	select {
	case r.failures <- err:
		go func() { r.serve(r.own()) }()
	case <-r.ended:
	default: // an earlier one waits to be looked at
	}
}

// await waits for the method in work once Run is ending.
func (r *runner) await() bool {
	timer := time.NewTimer(handlerGrace)
	defer timer.Stop()
	select {
	case <-r.returned:
		return true
	case <-timer.C:
		return false
	}
}
