package processor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/protocol"
)

// Run serves one shard's lease to p: it reads the daemon's messages from in,
// calls p's methods and writes the answers to out, until in ends. It touches
// nothing but its arguments: no standard stream, no signal, no environment.
//
// Run returns nil when in ended between two actions; that is how every daemon
// ends a child, by plan or not. It returns an error, and the program should end
// with status 1, when
//
//   - a method returned an error other than [ErrShutdown], or panicked
//     ([*PanicError]), or [Lease.Fail] was called;
//   - ShardEnded made no checkpoint at the end ([ErrNoEndCheckpoint]);
//   - in ended while an action was in work ([ErrDaemonGone]);
//   - the daemon could not be understood (see [protocol.Reader]) or written to;
//   - ctx ended: then it is context.Cause(ctx).
//
// When Run has to end while a method is in work, it cancels the lease's context
// and waits for the method 3 seconds at most. A Read of in that is in progress
// when Run returns is left behind until it returns.
func Run(ctx context.Context, p RecordProcessor, in io.Reader, out io.Writer, opts ...Option) error {
	c, err := newConfig(opts)
	if err != nil {
		return err
	}
	return run(ctx, p, in, out, c)
}

func run(ctx context.Context, p RecordProcessor, in io.Reader, out io.Writer, c config) error {
	r := &runner{
		config:   c,
		p:        p,
		writer:   protocol.NewWriter(out),
		incoming: make(chan incoming),
		handled:  make(chan error, 1),
		requests: make(chan *checkpointRequest),
		failures: make(chan error, 1),
		ended:    make(chan struct{}),
	}
	var cancel context.CancelCauseFunc
	r.ctx, cancel = context.WithCancelCause(ctx)
	go r.read(protocol.NewReader(in))

	err := r.loop(ctx)
	if r.retry != nil {
		r.retry.Stop()
	}
	close(r.ended)
	cause := err
	if cause == nil {
		cause = ErrDaemonGone // between two actions: nothing else ends it well
	}
	cancel(cause)
	if r.inWork && !r.await() {
		err = fmt.Errorf("%w; %s did not return within %v of that", err, r.action, handlerGrace)
	}
	switch {
	case err == nil:
		return nil
	case r.lease != nil:
		return fmt.Errorf("processor: %s: %w", r.lease.key, err)
	default:
		return fmt.Errorf("processor: %w", err)
	}
}

// runner is the state of the protocol. Only the goroutine that called Run
// touches it; the reading goroutine, p's methods and the Checkpointer send to
// it by the channels.
type runner struct {
	config
	p      RecordProcessor
	ctx    context.Context // ends with Run
	writer *protocol.Writer

	incoming chan incoming
	handled  chan error
	requests chan *checkpointRequest
	failures chan error
	ended    chan struct{}

	held         protocol.Message // received, waits for its turn
	lease        *Lease           // nil before Initialize
	checkpointer *Checkpointer
	delivered    Position // the last record given to p

	action string // the daemon's action that has not been answered, or ""
	inWork bool   // its method has not returned

	leaseGone bool // no more records, no more checkpoints
	over      bool // leaseLost, shardEnded or shutdown was received
	atEnd     bool // in ShardEnded: "latest" means the end of the shard
	endMade   bool // the end of the shard was checkpointed

	queue   []*checkpointRequest // to send in this action, or in the next
	later   []*checkpointRequest // came after the method returned: next action
	waiting *checkpointRequest   // sent, not answered
	backoff *checkpointRequest   // throttled, sent again when retry fires
	retry   *time.Timer
}

type incoming struct {
	message protocol.Message
	err     error
}

// read passes on what the daemon writes, also while a method is in work: so
// the end of the input is seen at once.
func (r *runner) read(reader *protocol.Reader) {
	for {
		m, err := reader.Read()
		if err != nil && r.inputEnded != nil {
			r.inputEnded()
		}
		select {
		case r.incoming <- incoming{m, err}:
		case <-r.ended:
			return
		}
		if err != nil {
			return
		}
	}
}

func (r *runner) loop(parent context.Context) error {
	for {
		next := r.incoming
		if r.held != nil {
			next = nil
		}
		var retry <-chan time.Time
		if r.retry != nil {
			retry = r.retry.C
		}
		var err error
		select {
		case in := <-next:
			if in.err == io.EOF {
				if r.action == "" {
					return nil
				}
				return fmt.Errorf("%s was in work: %w", r.action, ErrDaemonGone)
			}
			if in.err != nil {
				return in.err
			}
			r.held = in.message
		case result := <-r.handled:
			r.takeRequests() // those made before the method returned
			r.inWork = false
			err = r.returned(result)
		case request := <-r.requests:
			r.request(request)
		case failure := <-r.failures:
			err = r.failed(failure)
		case <-retry:
			r.queue = append([]*checkpointRequest{r.backoff}, r.queue...)
			r.backoff, r.retry = nil, nil
		case <-parent.Done():
			return context.Cause(parent)
		}
		if err == nil {
			// A Fail that came before a method's return counts before it.
			select {
			case failure := <-r.failures:
				err = r.failed(failure)
			default:
			}
		}
		if err == nil {
			err = r.advance()
		}
		for err == nil && r.held != nil && r.inTurn(r.held) {
			m := r.held
			r.held = nil
			if err = r.receive(m); err == nil {
				err = r.advance()
			}
		}
		if err != nil {
			return err
		}
	}
}

// await waits for the method in work once Run is ending.
func (r *runner) await() bool {
	timer := time.NewTimer(handlerGrace)
	defer timer.Stop()
	select {
	case <-r.handled:
		return true
	case <-timer.C:
		return false
	}
}

// inTurn reports whether it is m's turn. A MultiLangDaemon never sends ahead; a
// transcript that is played does, and is to be served in order.
func (r *runner) inTurn(m protocol.Message) bool {
	if _, answer := m.(protocol.Checkpoint); answer {
		return r.action == "" || r.waiting != nil
	}
	return r.action == ""
}

// receive takes a message of the daemon whose turn it is.
func (r *runner) receive(m protocol.Message) error {
	if answer, ok := m.(protocol.Checkpoint); ok {
		return r.answered(answer)
	}
	action := m.Action()
	_, first := m.(protocol.Initialize)
	switch {
	case r.over:
		return fmt.Errorf("the daemon sent %s after the lease's end", action)
	case first && r.lease != nil:
		return errors.New("the daemon sent initialize twice")
	case !first && r.lease == nil:
		return fmt.Errorf("the daemon sent %s before initialize", action)
	}
	switch m := m.(type) {
	case protocol.Initialize:
		if strings.ContainsFunc(m.ShardID, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return errors.New("the daemon sent a shard ID that none is") // it would be in errors and logs
		}
		r.begin(m.ShardID)
		in := InitializeInput{Lease: r.lease, Position: m.Position}
		r.call(action, func() error {
			err := r.p.Initialize(r.lease.ctx, in)
			// Not before: Initialize may be what opens the log's file.
			if err == nil && r.child && m.Position.SequenceNumber == protocol.Latest {
				r.log.Warn("a shard without a checkpoint starts at the newest record: until its first checkpoint each start, also after a failure, " +
					"skips what has come before it; with initialPositionInStream = TRIM_HORIZON none does")
			}
			return err
		})
	case protocol.ProcessRecords:
		if r.leaseGone {
			r.log.Warn("the lease has gone, the daemon goes on sending records: not processed", "records", len(m.Records))
			return r.skip(action)
		}
		if n := len(m.Records); n > 0 {
			r.delivered = m.Records[n-1].Position()
		}
		in := ProcessRecordsInput{Lease: r.lease, Records: m.Records, MillisBehindLatest: m.MillisBehindLatest, Checkpointer: r.checkpointer}
		r.call(action, func() error { return r.p.ProcessRecords(r.lease.ctx, in) })
	case protocol.ShutdownRequested:
		if r.leaseGone {
			return r.skip(action)
		}
		in := ShutdownRequestedInput{Lease: r.lease, Checkpointer: r.checkpointer}
		r.call(action, func() error { return r.p.ShutdownRequested(r.lease.ctx, in) })
	case protocol.LeaseLost:
		return r.leaseLost(action)
	case protocol.ShardEnded:
		return r.shardEnded(action)
	case protocol.Shutdown:
		switch m.Reason {
		case protocol.ReasonTerminate, protocol.ReasonShardEnd:
			return r.shardEnded(action)
		case protocol.ReasonZombie, protocol.ReasonLeaseLost:
			return r.leaseLost(action)
		default:
			return errors.New("the daemon sent shutdown with a reason that is not known")
		}
	default:
		return fmt.Errorf("the daemon sent %s, which is a child's message", action)
	}
	return nil
}

func (r *runner) begin(shardID string) {
	key := cmp.Or(r.key, shardID)
	if stream, _ := SplitLeaseKey(key); stream != "" {
		r.log = r.log.With("stream", stream)
	}
	r.log = r.log.With("shardId", shardID)
	r.lease = &Lease{shardID: shardID, stream: r.stream, key: key, stopping: r.stopping, failures: r.failures, ended: r.ended}
	r.lease.ctx, r.lease.cancel = context.WithCancelCause(r.ctx)
	r.checkpointer = &Checkpointer{shardID: shardID, requests: r.requests, ended: r.ended}
}

func (r *runner) leaseLost(action string) error {
	r.over = true
	r.gone(ErrLeaseLost)
	in := LeaseLostInput{Lease: r.lease}
	r.call(action, func() error { return r.p.LeaseLost(r.ctx, in) })
	return nil
}

func (r *runner) shardEnded(action string) error {
	if r.leaseGone {
		// Records were answered for that nobody processed. KCL should not get
		// here; if it does, the end must not be checkpointed over them.
		return fmt.Errorf("the daemon sent %s after the lease had gone: %w", action, ErrShutdown)
	}
	r.over, r.atEnd = true, true
	in := ShardEndedInput{Lease: r.lease, Checkpointer: r.checkpointer}
	r.call(action, func() error { return r.p.ShardEnded(r.lease.ctx, in) })
	return nil
}

// call starts one of p's methods.
func (r *runner) call(action string, method func() error) {
	r.log.Debug("action", "action", action)
	r.action, r.inWork = action, true
	go func() {
		err := errors.New("the method ended its goroutine (runtime.Goexit)")
		defer func() {
			if v := recover(); v != nil {
				err = &PanicError{Value: v, Stack: debug.Stack()}
			}
			r.handled <- err
		}()
		if err = method(); noFailure(err) {
			err = nil
		}
		_ = errors.Is(err, ErrShutdown) // a nil pointer's Unwrap may panic: here, and not in Run
	}()
}

// skip answers an action that p is not to see.
func (r *runner) skip(action string) error {
	r.action = action
	return r.status()
}

// returned takes what a method returned.
func (r *runner) returned(err error) error {
	if err != nil && !errors.Is(err, ErrShutdown) {
		return fmt.Errorf("%s failed: %w", r.action, err)
	}
	if err != nil {
		r.log.Info("the lease has gone", "action", r.action)
		r.gone(err)
	}
	return nil
}

// failed takes what Lease.Fail was called with.
func (r *runner) failed(err error) error {
	switch {
	case r.leaseGone:
		r.log.Warn("work failed after the lease had gone: ignored", "error", err)
	case errors.Is(err, ErrShutdown):
		r.log.Info("the lease has gone")
		r.gone(err)
	default:
		return fmt.Errorf("work that outlived its batch failed: %w", err)
	}
	return nil
}

// gone ends the lease: no more records, no more checkpoints. One that the
// daemon is at is left to its answer.
func (r *runner) gone(cause error) {
	r.leaseGone = true
	r.lease.cancel(cause)
	if r.backoff != nil {
		r.retry.Stop()
		r.reject(r.backoff)
		r.backoff, r.retry = nil, nil
	}
	for _, request := range append(r.queue, r.later...) {
		r.reject(request)
	}
	r.queue, r.later = nil, nil
}

func (r *runner) reject(request *checkpointRequest) {
	request.answer <- &CheckpointError{ShardID: r.lease.shardID, Position: request.position, Attempts: request.attempts, Err: ErrShutdown}
}

// request takes a checkpoint that somebody asks for.
func (r *runner) request(request *checkpointRequest) {
	if r.leaseGone {
		r.reject(request)
		return
	}
	// "Latest" is what was delivered when it was asked for. Were it left to the
	// daemon, a request that waits for the next action would take in records
	// that nobody has finished.
	if request.latest && !r.atEnd {
		if r.delivered.IsZero() {
			request.answer <- nil
			return
		}
		request.latest, request.position = false, r.delivered
	}
	if r.action != "" && !r.inWork {
		r.later = append(r.later, request)
	} else {
		r.queue = append(r.queue, request)
	}
}

func (r *runner) takeRequests() {
	for {
		select {
		case request := <-r.requests:
			r.request(request)
		default:
			return
		}
	}
}

// advance sends what can be sent: the next checkpoint, or the status.
func (r *runner) advance() error {
	if r.action == "" || r.waiting != nil || r.backoff != nil {
		return nil
	}
	for len(r.queue) > 0 {
		request := r.queue[0]
		r.queue = r.queue[1:]
		if request.ctx.Err() != nil {
			continue // whoever asked has left
		}
		request.attempts++
		r.waiting = request
		return r.writer.Write(protocol.Checkpoint{Position: request.position})
	}
	if r.inWork {
		return nil
	}
	if r.atEnd && !r.endMade && !r.leaseGone {
		return fmt.Errorf("%s: %w", r.action, ErrNoEndCheckpoint)
	}
	return r.status()
}

// status ends the action.
func (r *runner) status() error {
	action := r.action
	r.action = ""
	r.queue, r.later = r.later, nil
	return r.writer.Write(protocol.Status{ResponseFor: action})
}

// answered takes the daemon's answer to a checkpoint.
func (r *runner) answered(answer protocol.Checkpoint) error {
	request := r.waiting
	if request == nil {
		return errors.New("the daemon answered a checkpoint that was not asked for")
	}
	r.waiting = nil
	if answer.Error == "ThrottlingException" && request.attempts <= r.retries && !r.leaseGone {
		r.log.Debug("checkpoint throttled", "position", request.position, "attempts", request.attempts)
		longest := min(firstRetry<<min(request.attempts-1, 10), longestRetry)
		r.backoff, r.retry = request, time.NewTimer(rand.N(longest)+1)
		return nil
	}
	if answer.Error == "" {
		r.log.Debug("checkpoint", "position", request.position)
		r.endMade = r.endMade || request.latest
		r.tell(request, nil)
		return nil
	}
	err := &CheckpointError{
		ShardID:   r.lease.shardID,
		Position:  request.position,
		Exception: answer.Error,
		Attempts:  request.attempts,
		Err:       sentinel(answer.Error),
	}
	r.log.Debug("checkpoint failed", "error", err)
	r.tell(request, err)
	return nil
}

// tell says what became of a checkpoint that the daemon was asked for.
func (r *runner) tell(request *checkpointRequest, err error) {
	if r.checkpointNotice != nil {
		r.checkpointNotice(request.position, err)
	}
	request.answer <- err
}
