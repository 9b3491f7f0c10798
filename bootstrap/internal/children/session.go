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

// A conversation is what a session has of an *engine.Lease.
type conversation interface {
	io.ReadWriter
	Fail()
}

// settleTime is how long one thing may take that goes with another: the end of a
// process with that of its pipes.
const settleTime = time.Second

// killTime is how long processes may take to end that are killed.
const killTime = 10 * time.Second

// A session is a conversation and its child, until no process of that is left.
type session struct {
	host  *host
	lease *engine.Lease
	c     conversation
	cut   chan struct{} // closed when KCL found the conversation broken
	ended chan struct{}

	// host.mu guards these.
	shard  *shard
	failed bool // the child
	broken bool // KCL found the conversation broken
	worked time.Duration
}

func (s *session) hasEnded() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// run runs the child. Its error says how it has failed; the end of the
// conversation is none, however it came.
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
		s.c.Fail()
	}
	if child != nil {
		s.end(child, err != nil)
	}
	return err
}

// A child is a process, and what goes between it and Java.
type child struct {
	cmd    *exec.Cmd
	group  *group.Group
	stdin  *os.File
	stdout *os.File
	stderr *os.File

	messages *messages
	in       chan error    // has nil when Java has closed, an error when the child takes nothing
	out      chan struct{} // closed when its standard output has ended
	said     sync.WaitGroup
	exited   chan struct{}
}

// start starts the child.
func (s *session) start() (_ *child, err error) {
	c := &child{
		messages: newMessages(s.host.config.Timeout),
		in:       make(chan error, 1), out: make(chan struct{}), exited: make(chan struct{}),
	}
	c.cmd = exec.Command(s.host.config.Program[0], s.host.config.Program[1:]...)
	c.cmd.Env = append(os.Environ(), "KCL_STREAM_NAME="+s.lease.Stream, "KCL_LEASE_KEY="+s.lease.LeaseKey)
	if s.lease.StreamARN != "" {
		c.cmd.Env = append(c.cmd.Env, "KCL_STREAM_ARN="+s.lease.StreamARN)
	}
	if errors.Is(c.cmd.Err, exec.ErrDot) {
		c.cmd.Err = nil // Java starts it too
	}
	var ours, theirs []*os.File
	for i := 0; i < 3 && err == nil; i++ {
		var r, w *os.File
		if r, w, err = os.Pipe(); err != nil {
			break
		}
		if i == 0 {
			r, w = w, r // its standard input
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
		c.cmd.Wait() // what it returns is in ProcessState
		close(c.exited)
	}()
	go func() { c.in <- c.messages.toChild(c.stdin, s.c) }()
	go func() {
		c.messages.toJava(s.c, s.host.config.Stderr, c.stdout)
		close(c.out)
	}()
	c.said.Go(func() { lines.Copy(s.host.config.Stderr, c.stderr) })
	return c, nil
}

// follow returns when the conversation has ended, with nil, or the child has
// failed.
func (s *session) follow(c *child) error {
	out, exited := c.out, c.exited
	for {
		select {
		case err := <-c.in:
			if err == nil {
				return nil
			}
			return c.how("it closed its standard input")
		case <-out:
			if out = nil; !c.messages.ended() {
				return c.how("it closed its standard output")
			}
		case <-exited:
			// What it has written still counts; another process may hold its pipe.
			await(c.out, settleTime)
			if exited = nil; !c.messages.ended() {
				return c.how("")
			}
		case <-c.messages.late:
			return fmt.Errorf("it has not answered within %v (timeoutInSeconds)", s.host.config.Timeout)
		// Of a conversation that a child does not read the end is not seen.
		case <-s.cut:
			return nil
		case <-s.host.gone:
			return nil
		case <-s.host.kill:
			return nil
		}
	}
}

// how returns how a child that does not go on has ended, or else what it did.
func (c *child) how(what string) error {
	if await(c.exited, settleTime) {
		return errors.New("it ended with " + c.cmd.ProcessState.String())
	}
	return errors.New(what)
}

// end sees that no process of the child is left.
func (s *session) end(c *child, failed bool) {
	log := s.host.log.With("stream", s.lease.Stream, "shard", s.lease.ShardID)
	if !failed {
		go c.stdin.Close() // on Windows it waits for a write that the child holds up
		select {
		case <-c.exited:
		case <-s.host.kill:
		case <-time.After(s.host.leave):
			soon(func() { log.Warn("killing a record processor that did not leave at the end of its input") })
		}
	}
	c.messages.stop()
	if !await(c.exited, 0) {
		c.group.Kill()
	}
	c.stdin.Close()
	for told := false; !s.host.killed(c); told = true {
		if !told {
			soon(func() {
				log.Error("processes of a record processor are still there after SIGKILL: the shard is not read until they have gone")
			})
		}
		if s.host.over() {
			s.host.mu.Lock()
			s.host.survivors = true
			s.host.mu.Unlock()
			break
		}
	}
	c.group.Close()
	soon(func() { c.said.Wait(); <-c.out })
	// What has left the group may hold the pipes.
	c.stdout.Close()
	c.stderr.Close()
	soon(func() { c.said.Wait(); <-c.out })
}

// soon returns when a function has, or after settleTime: whoever reads what this
// process writes may have paused.
func soon(f func()) {
	done := make(chan struct{})
	go func() {
		f()
		close(done)
	}()
	await(done, settleTime)
}

// killed tells whether all of a child that was killed has gone.
func (c *child) killed() bool {
	return await(c.exited, killTime) && c.group.End(0, nil, slog.New(slog.DiscardHandler))
}

// await tells whether a channel is closed in time.
func await(c <-chan struct{}, limit time.Duration) bool {
	select {
	case <-c:
		return true
	default:
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
