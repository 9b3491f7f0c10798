package processortest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/protocol"
)

// Daemon is the daemon of one processor, played by a test. Its methods must be
// called from the goroutine that runs the test. Those without a result end the
// test when the processor does not do what they wait for; the message shows the
// conversation.
type Daemon struct {
	t        testing.TB
	shard    *Shard
	stdin    io.WriteCloser
	to       *protocol.Writer
	from     *protocol.Reader
	open     *Action // begun, perhaps not answered
	stopping chan struct{}
	stop     func()
	closing  bool

	ended chan struct{} // closed when Run has returned; nil without Run
	err   error         // what it returned

	mu   sync.Mutex
	said []string // the conversation's last lines
}

// Start starts p on the shard, served by [processor.Run] with the options, and
// returns its daemon. Nothing is sent yet. The end of the test closes p's input
// and waits for Run; an error that Run returns then, and that is not about the
// input, fails the test: nobody else would see it.
//
// The lease passes to p. A processor that was started before gets
// processor.ErrShutdown for its checkpoints from here on.
func (s *Shard) Start(t testing.TB, p processor.RecordProcessor, opts ...processor.Option) *Daemon {
	t.Helper()
	in, stdin := io.Pipe()
	stdout, out := io.Pipe()
	d := s.daemon(t, stdin, stdout)
	d.ended = make(chan struct{})
	opts = append([]processor.Option{processor.WithStopNotice(d.stopping), processor.WithLease(s.Stream, s.Key)}, opts...)
	go func() {
		defer close(d.ended)
		d.err = processor.Run(context.Background(), p, in, out, opts...)
		in.Close()
		out.Close()
	}()
	t.Cleanup(func() {
		noticed := d.noticed()
		stdin.Close()
		stdout.Close()
		<-d.ended
		if d.open != nil {
			<-d.open.done
		}
		if d.err != nil && !errors.Is(d.err, processor.ErrDaemonGone) && !noticed && !t.Failed() {
			t.Errorf("processortest: Run ended: %v", d.err)
		}
	})
	return d
}

// Connect returns the daemon of a processor that runs elsewhere, such as a
// process that was started with pipes as its standard input and output. The end
// of the test closes stdin; the rest is the caller's, the environment variables of
// processor.Main that say what Stream and Key are among it.
func (s *Shard) Connect(t testing.TB, stdin io.WriteCloser, stdout io.Reader) *Daemon {
	t.Helper()
	d := s.daemon(t, stdin, stdout)
	t.Cleanup(func() { stdin.Close() })
	return d
}

func (s *Shard) daemon(t testing.TB, stdin io.WriteCloser, stdout io.Reader) *Daemon {
	t.Helper()
	if s.Checkpoint().SequenceNumber == protocol.ShardEnd {
		t.Fatal("processortest: the shard has ended: the daemon starts no processor on it")
	}
	d := &Daemon{t: t, shard: s, stdin: stdin, to: protocol.NewWriter(stdin), from: protocol.NewReader(stdout), stopping: make(chan struct{})}
	d.stop = sync.OnceFunc(func() { close(d.stopping) })
	s.own(d)
	return d
}

// Do sends an action, takes the checkpoints that the processor asks for and
// waits until the action is answered.
func (d *Daemon) Do(m protocol.Message) {
	d.t.Helper()
	if err := d.Begin(m).Wait(); err != nil {
		d.fatal(err.Error())
	}
}

// Begin sends an action and returns; checkpoints are taken meanwhile. The real
// daemon has one action in work at a time: one that was begun before must have
// been answered.
func (d *Daemon) Begin(m protocol.Message) *Action {
	d.t.Helper()
	if d.open != nil {
		select {
		case <-d.open.done:
		default:
			d.fatal(fmt.Sprintf("%s begun while %s is in work", m.Action(), d.open.name))
		}
	}
	a := &Action{name: m.Action(), done: make(chan struct{})}
	d.open = a
	if err := d.send(m); err != nil {
		a.err = d.unanswered(a.name, err)
		close(a.done)
		return a
	}
	go func() {
		defer close(a.done)
		if err := d.serve(a.name); err != nil {
			a.err = d.unanswered(a.name, err)
		}
	}()
	return a
}

// Action is an action in work.
type Action struct {
	name string
	done chan struct{}
	err  error
}

// Wait waits until the action is answered and returns nil, or until it never
// will be: then the error wraps what Run returned. It may be called from any
// goroutine, and again.
func (a *Action) Wait() error {
	<-a.done
	return a.err
}

// serve answers the child until it sends the status of an action.
func (d *Daemon) serve(action string) error {
	for {
		m, err := d.read()
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case protocol.Status:
			if m.ResponseFor != action {
				return fmt.Errorf("the processor answered %s", m.ResponseFor)
			}
			return nil
		case protocol.Checkpoint:
			answer := protocol.Checkpoint{Position: m.Position, Error: d.shard.ask(d, m.Position)}
			if err := d.write(answer); err != nil {
				return err
			}
		default:
			return fmt.Errorf("the processor sent %s, which is a daemon's message", m.Action())
		}
	}
}

// unanswered is the error of an action that is not answered.
func (d *Daemon) unanswered(action string, err error) error {
	return fmt.Errorf("%s was not answered: %w", action, d.reason(err))
}

// reason says why nothing can be read or written: a processor that closed its
// pipes has ended, and Run's error is the better one.
func (d *Daemon) reason(err error) error {
	if d.ended == nil || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
		return err
	}
	<-d.ended
	if d.err != nil {
		return d.err
	}
	return err
}

// Send sends a message and does not wait: what the processor says next is for
// Expect. An answer to a checkpoint without an error counts as a checkpoint of
// the shard.
func (d *Daemon) Send(m protocol.Message) {
	d.t.Helper()
	if err := d.send(m); err != nil {
		d.fatal(d.unanswered(m.Action(), err).Error())
	}
}

// Expect reads the next message and compares it with want.
func (d *Daemon) Expect(want protocol.Message) {
	d.t.Helper()
	if err := d.expect(want); err != nil {
		d.fatal(err.Error())
	}
}

func (d *Daemon) expect(want protocol.Message) error {
	got, err := d.read()
	if err != nil {
		return fmt.Errorf("the processor said no more: %w\nwant < %s", d.reason(err), describe(want))
	}
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("the processor said something else\nwant < %s\ngot  < %s", describe(want), describe(got))
	}
	return nil
}

// StopNotice is the early notice of a stop, SIGTERM to a process: it closes
// what Lease.Stopping returns. It has no effect on a processor of Connect.
func (d *Daemon) StopNotice() { d.stop() }

// Close closes the processor's input, as a daemon does that has ended the
// lease, stopped or crashed. It waits for Run and returns its error, which is
// processor.ErrDaemonGone when an action was in work. For a processor of
// Connect it waits for nothing.
func (d *Daemon) Close() error {
	d.closing = true
	err := d.stdin.Close()
	if d.ended == nil {
		return err
	}
	<-d.ended
	if d.open != nil {
		<-d.open.done
	}
	return d.err
}

// noticed reports whether the test has had the chance to see Run's error.
func (d *Daemon) noticed() bool {
	if d.closing || d.open == nil {
		return d.closing
	}
	select {
	case <-d.open.done:
		return d.open.err != nil
	default:
		return false
	}
}

func (d *Daemon) send(m protocol.Message) error {
	d.shard.sent(d, m)
	return d.write(m)
}

func (d *Daemon) write(m protocol.Message) error {
	d.note("> " + describe(m))
	return d.to.Write(m)
}

// read returns the processor's next message. What is none is skipped, as the
// real daemon does with what a child prints.
func (d *Daemon) read() (protocol.Message, error) {
	for {
		m, err := d.from.Read()
		var malformed *protocol.MalformedError
		if errors.As(err, &malformed) {
			d.note("< (" + malformed.Error() + ")")
			continue
		}
		if err == nil {
			d.note("< " + describe(m))
		}
		return m, err
	}
}

const noted = 20 // lines of the conversation that a failure shows

func (d *Daemon) note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.said) == noted {
		d.said = append(d.said[:0], d.said[1:]...)
	}
	d.said = append(d.said, line)
}

// fatal ends the test with what went wrong and with the conversation.
func (d *Daemon) fatal(what string) {
	d.t.Helper()
	d.mu.Lock()
	said := strings.Join(d.said, "\n")
	d.mu.Unlock()
	d.t.Fatalf("processortest: %s\nthe conversation (> to the processor, < from it):\n%s", what, said)
}

// describe names a message in one short line, without data.
func describe(m protocol.Message) string {
	switch m := m.(type) {
	case protocol.Initialize:
		return fmt.Sprintf("initialize %s at %v", m.ShardID, m.Position)
	case protocol.ProcessRecords:
		n := len(m.Records)
		if n == 0 {
			return "processRecords, empty"
		}
		return fmt.Sprintf("processRecords %d, %v to %v", n, m.Records[0].Position(), m.Records[n-1].Position())
	case protocol.Checkpoint:
		if m.Error != "" {
			return fmt.Sprintf("checkpoint %v: %s", m.Position, m.Error)
		}
		return fmt.Sprintf("checkpoint %v", m.Position)
	case protocol.Status:
		return "status " + m.ResponseFor
	case protocol.Shutdown:
		return "shutdown " + m.Reason
	}
	return m.Action()
}
