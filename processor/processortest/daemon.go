package processortest

import (
	"cmp"
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
// called from the goroutine that runs the test. The methods without a result end
// the test if the processor ends or does something else than they wait for; the
// failure shows the last messages. They wait without a limit: a processor that is
// stuck runs into go test's -timeout or, in a bubble of [testing/synctest], into its
// report of a deadlock.
type Daemon struct {
	t        testing.TB
	shard    *Shard
	stdin    io.WriteCloser
	to       *protocol.Writer
	from     *protocol.Reader
	open     *Action // the last one, perhaps unanswered
	stopping chan struct{}
	stop     func()
	closing  bool

	ended chan struct{} // closed when Run has returned; nil without Run
	err   error         // returned by Run

	mu           sync.Mutex
	conversation []string // the last lines
}

// Start runs p on the shard by [processor.Run] with a copy of opts, and returns its
// daemon, which has sent nothing yet. A nil opts means the defaults. In the copy,
// Start sets Host.Stream, Host.LeaseKey and Host.Stopping.
//
// The end of the test closes p's input and waits for Run. The test fails if Run
// returns an error, except [processor.ErrDaemonGone], one that an [Action] was not
// answered for, and any after [Daemon.Close], which returns it.
//
// The lease passes to p. Checkpoints of a processor that was started earlier fail
// with [processor.ErrLeaseLost] from then on.
func (s *Shard) Start(t testing.TB, p processor.RecordProcessor, opts *processor.Options) *Daemon {
	t.Helper()
	in, stdin := io.Pipe()
	stdout, out := io.Pipe()
	d := s.daemon(t, stdin, stdout)
	d.ended = make(chan struct{})
	o := *cmp.Or(opts, &processor.Options{})
	o.Host.Stream, o.Host.LeaseKey, o.Host.Stopping = s.Stream, s.Key, d.stopping
	go func() {
		defer close(d.ended)
		d.err = processor.Run(context.Background(), p, in, out, &o)
		in.Close()
		out.Close()
	}()
	t.Cleanup(func() {
		seen := d.errorSeen()
		stdin.Close()
		stdout.Close()
		<-d.ended
		if d.open != nil {
			<-d.open.done
		}
		if d.err != nil && !errors.Is(d.err, processor.ErrDaemonGone) && !seen && !t.Failed() {
			t.Errorf("processortest: Run ended: %v", d.err)
		}
	})
	return d
}

// Connect returns the daemon of a processor that runs elsewhere, such as a process
// with pipes as its standard input and output. The end of the test closes stdin.
// The caller does the rest; this includes KCL_STREAM_NAME and KCL_LEASE_KEY, the
// environment variables from which [processor.Main] learns Stream and Key.
func (s *Shard) Connect(t testing.TB, stdin io.WriteCloser, stdout io.Reader) *Daemon {
	t.Helper()
	d := s.daemon(t, stdin, stdout)
	t.Cleanup(func() { stdin.Close() })
	return d
}

func (s *Shard) daemon(t testing.TB, stdin io.WriteCloser, stdout io.Reader) *Daemon {
	t.Helper()
	if s.Checkpoint().SequenceNumber == protocol.ShardEnd {
		t.Fatal("processortest: the shard has ended; the daemon starts no processor on it")
	}
	d := &Daemon{t: t, shard: s, stdin: stdin, to: protocol.NewWriter(stdin), from: protocol.NewReader(stdout, nil), stopping: make(chan struct{})}
	d.stop = sync.OnceFunc(func() { close(d.stopping) })
	s.giveLease(d)
	return d
}

// Do sends an action, takes the checkpoints that the processor requests, and waits
// until the action is answered.
func (d *Daemon) Do(m protocol.Message) {
	d.t.Helper()
	if err := d.Begin(m).Wait(); err != nil {
		d.fatal(err.Error())
	}
}

// Begin sends an action and returns; other messages are for Send. Checkpoints are
// taken until it is answered.
// Like the real daemon, a Daemon has one action in progress at a time: the one
// before must have been answered.
func (d *Daemon) Begin(m protocol.Message) *Action {
	d.t.Helper()
	if d.open != nil {
		select {
		case <-d.open.done:
		default:
			d.fatal(fmt.Sprintf("%s sent while %s is in progress", m.Action(), d.open.name))
		}
	}
	a := &Action{name: m.Action(), done: make(chan struct{})}
	d.open = a
	if err := d.send(m); err != nil {
		a.err = d.unansweredError(a.name, err)
		close(a.done)
		return a
	}
	go func() {
		defer close(a.done)
		if err := d.serve(a.name); err != nil {
			a.err = d.unansweredError(a.name, err)
		}
	}()
	return a
}

// Action is an action in progress: see [Daemon.Begin].
type Action struct {
	name string
	done chan struct{}
	err  error
}

// Wait waits until the action is answered and returns nil, or until it cannot be
// answered any more and returns an error, which wraps that of Run. It may be
// called from any goroutine, and several times.
func (a *Action) Wait() error {
	<-a.done
	return a.err
}

// serve answers the processor until it sends the status of an action.
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
			answer := protocol.Checkpoint{Position: m.Position, Error: d.shard.requestCheckpoint(d, m.Position)}
			if err := d.write(answer); err != nil {
				return err
			}
		default:
			return fmt.Errorf("the processor sent %s, which is a message of the daemon", m.Action())
		}
	}
}

// unansweredError returns the error of an action that is not answered.
func (d *Daemon) unansweredError(action string, err error) error {
	return fmt.Errorf("%s was not answered: %w", action, d.reason(err))
}

// reason returns why nothing can be read or written: Run's error if the processor
// has closed its pipes, because it has ended then.
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

// Send sends a message and does not wait; Expect receives the processor's next
// message. If m answers a checkpoint without an error, the shard has that
// checkpoint.
func (d *Daemon) Send(m protocol.Message) {
	d.t.Helper()
	if err := d.send(m); err != nil {
		d.fatal(d.unansweredError(m.Action(), err).Error())
	}
}

// Expect receives the next message and compares it with want.
func (d *Daemon) Expect(want protocol.Message) {
	d.t.Helper()
	if err := d.expect(want); err != nil {
		d.fatal(err.Error())
	}
}

func (d *Daemon) expect(want protocol.Message) error {
	got, err := d.read()
	if err != nil {
		return fmt.Errorf("the processor sent nothing more: %w\nwant < %s", d.reason(err), describe(want))
	}
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("the processor sent something else\nwant < %s\ngot  < %s", describe(want), describe(got))
	}
	return nil
}

// StopNotice gives early notice of a stop, like SIGTERM to a process: it closes the
// channel of [processor.Lease.Stopping]. It has no effect on a processor of
// Connect.
func (d *Daemon) StopNotice() { d.stop() }

// Close closes the processor's input, like a daemon that has ended the lease,
// stopped or crashed. It waits for Run and returns its error, which is
// [processor.ErrDaemonGone] if an action was in progress. For a processor of
// Connect it does not wait.
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

// errorSeen reports whether the test can have seen Run's error.
func (d *Daemon) errorSeen() bool {
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
	d.shard.noteSent(d, m)
	return d.write(m)
}

func (d *Daemon) write(m protocol.Message) error {
	d.note("> " + describe(m))
	return d.to.Write(m)
}

// read returns the processor's next message. It skips everything else that the
// processor prints, as the real daemon does.
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

const keptLines = 20 // of the conversation, for a failure

func (d *Daemon) note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.conversation) == keptLines {
		d.conversation = append(d.conversation[:0], d.conversation[1:]...)
	}
	d.conversation = append(d.conversation, line)
}

// fatal ends the test and shows the conversation.
func (d *Daemon) fatal(what string) {
	d.t.Helper()
	d.mu.Lock()
	lines := strings.Join(d.conversation, "\n")
	d.mu.Unlock()
	d.t.Fatalf("processortest: %s\nthe conversation (> to the processor, < from it):\n%s", what, lines)
}

// describe returns a message as one short line, without data.
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
