package children

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap/engine"
	"github.com/seed96110120/kinesis-client-go/bootstrap/internal/group"
	"github.com/seed96110120/kinesis-client-go/bootstrap/internal/lines"
)

// A conversation has the methods of *engine.Lease that a session uses.
type conversation interface {
	io.ReadWriter
	Fail()
}

// settleTime is how long to wait for one of two things that happen together, such as
// the end of a process and that of its pipes.
const settleTime = time.Second

// killTime is how long killed processes may take to end.
const killTime = 10 * time.Second

// A session is a conversation and its child. It ends when no process of the child is
// left.
type session struct {
	host         *host
	lease        *engine.Lease
	conversation conversation
	brokenOff    chan struct{} // closed when KCL found the conversation broken
	ended        chan struct{}

	// host.mu guards these.
	shard  *shard
	failed bool // the child failed
	broken bool // KCL found the conversation broken
	worked time.Duration
}

func newSession(h *host, lease *engine.Lease, c conversation) *session {
	return &session{host: h, lease: lease, conversation: c, brokenOff: make(chan struct{}), ended: make(chan struct{})}
}

// run runs the child. Its error says how the child failed. Any end of the
// conversation is not an error.
func (s *session) run() error {
	began := time.Now()
	child, err := s.start()
	if err == nil {
		err = s.follow(child)
	}
	s.host.mu.Lock()
	s.failed, s.worked = err != nil, time.Since(began)
	s.host.mu.Unlock()
	if err != nil {
		s.conversation.Fail()
	}
	if child != nil {
		s.end(child, err != nil)
	}
	return err
}

// A child is a process, and the copying between it and Java.
type child struct {
	cmd    *exec.Cmd
	group  *group.Group
	stdin  *os.File
	stdout *os.File
	stderr *os.File

	messages     *messages
	stdinCopied  chan error    // has nil when Java has ended the conversation, an error when the child reads no more
	stdoutCopied chan struct{} // closed when the child's standard output has ended
	stderrCopied sync.WaitGroup
	exited       chan struct{}
}

// start starts the child.
func (s *session) start() (_ *child, err error) {
	c := &child{
		messages:    newMessages(s.host.config.Timeout),
		stdinCopied: make(chan error, 1), stdoutCopied: make(chan struct{}), exited: make(chan struct{}),
	}
	c.cmd = exec.Command(s.host.config.Program[0], s.host.config.Program[1:]...)
	c.cmd.Env = append(os.Environ(), "KCL_STREAM_NAME="+s.lease.Stream, "KCL_LEASE_KEY="+s.lease.LeaseKey)
	if s.lease.StreamARN != "" {
		c.cmd.Env = append(c.cmd.Env, "KCL_STREAM_ARN="+s.lease.StreamARN)
	}
	if errors.Is(c.cmd.Err, exec.ErrDot) {
		c.cmd.Err = nil // Java would start it too
	}
	var ours, theirs []*os.File
	for i := 0; i < 3 && err == nil; i++ {
		var r, w *os.File
		if r, w, err = os.Pipe(); err != nil {
			break
		}
		if i == 0 {
			r, w = w, r // standard input
		}
		ours, theirs = append(ours, r), append(theirs, w)
	}
	if err == nil {
		c.stdin, c.stdout, c.stderr = ours[0], ours[1], ours[2]
		c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = theirs[0], theirs[1], theirs[2]
		if c.group, err = group.New(c.cmd, true); err == nil {
			err = c.group.Start()
		}
	}
	for _, file := range theirs {
		file.Close()
	}
	if err != nil {
		for _, file := range ours {
			file.Close()
		}
		if c.group != nil {
			c.group.Close()
		}
		return nil, fmt.Errorf("it cannot be started: %w", err)
	}
	s.host.log.Debug("started a record processor", "stream", s.lease.Stream, "shard", s.lease.ShardID, "pid", c.cmd.Process.Pid)
	go func() {
		c.cmd.Wait() // ProcessState has the result
		close(c.exited)
	}()
	go func() { c.stdinCopied <- c.messages.copyToChild(c.stdin, s.conversation) }()
	go func() {
		c.messages.copyToJava(s.conversation, s.host.config.Stderr, c.stdout)
		close(c.stdoutCopied)
	}()
	c.stderrCopied.Go(func() { lines.Copy(s.host.config.Stderr, c.stderr) })
	return c, nil
}

// follow waits until the conversation has ended, and returns nil, or until the child
// has failed, and returns how.
func (s *session) follow(c *child) error {
	stdout, exited := c.stdoutCopied, c.exited
	for {
		select {
		case err := <-c.stdinCopied:
			if err == nil {
				return nil
			}
			return c.failure("it closed its standard input")
		case <-stdout:
			if stdout = nil; !c.messages.complete() {
				return c.failure("it closed its standard output")
			}
		case <-exited:
			// What it has written still counts. Another process may hold its pipe.
			isClosedWithin(c.stdoutCopied, settleTime)
			if exited = nil; !c.messages.complete() {
				return c.failure("")
			}
		case <-c.messages.late:
			return fmt.Errorf("it has not answered within %v (timeoutInSeconds)", s.host.config.Timeout)
		// While the child does not read, copyToChild does not see the end of the
		// conversation.
		case <-s.brokenOff:
			return nil
		case <-s.host.javaEnded:
			return nil
		case <-s.host.kill:
			return nil
		}
	}
}

// failure returns how a child has ended, or symptom if it has not.
func (c *child) failure(symptom string) error {
	if isClosedWithin(c.exited, settleTime) {
		return errors.New("it ended with " + c.cmd.ProcessState.String())
	}
	return errors.New(symptom)
}

// end ends the child, and returns when none of its processes is left.
func (s *session) end(c *child, failed bool) {
	log := s.host.log.With("stream", s.lease.Stream, "shard", s.lease.ShardID)
	if !failed {
		go c.stdin.Close() // on Windows it waits for a write that the child blocks
		select {
		case <-c.exited:
		case <-s.host.kill:
		case <-time.After(s.host.exitTime):
			callBriefly(func() { log.Warn("killing a record processor that did not exit at the end of its input") })
		}
	}
	c.messages.stopTimer()
	if !isClosed(c.exited) {
		c.group.Kill()
	}
	c.stdin.Close()
	for logged := false; !s.host.awaitKilled(c); logged = true {
		if !logged {
			callBriefly(func() {
				log.Error("processes of a record processor survived SIGKILL: the shard is not read until they have ended")
			})
		}
		if s.host.stopping() {
			s.host.mu.Lock()
			s.host.survivors = true
			s.host.mu.Unlock()
			break
		}
	}
	c.group.Close()
	callBriefly(func() { c.stderrCopied.Wait(); <-c.stdoutCopied })
	// A process that left the group may hold the pipes.
	c.stdout.Close()
	c.stderr.Close()
	callBriefly(func() { c.stderrCopied.Wait(); <-c.stdoutCopied })
}

// callBriefly calls f, and returns when f has returned or after settleTime. f may block
// on a write to this process's output.
func callBriefly(f func()) {
	done := make(chan struct{})
	go func() {
		f()
		close(done)
	}()
	isClosedWithin(done, settleTime)
}

// awaitKilled waits for the processes of a killed child, for up to killTime each for
// the child and for the others. It reports whether all have ended.
func (c *child) awaitKilled() bool {
	return isClosedWithin(c.exited, killTime) && c.group.End(0, nil, slog.New(slog.DiscardHandler))
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// isClosedWithin waits until c is closed, for up to limit, and reports whether it is.
func isClosedWithin(c <-chan struct{}, limit time.Duration) bool {
	if isClosed(c) {
		return true
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-c:
		return true
	case <-timer.C:
		return false
	}
}
