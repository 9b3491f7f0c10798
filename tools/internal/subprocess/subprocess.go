// Package subprocess runs a process that cannot outlive the program that started
// it: not when the program ends in an orderly way, not when it is killed.
//
// The process gets a process group of its own, so a Ctrl-C at the terminal
// reaches only the parent, which then decides when and in which order its
// children end. What a child leaves behind in its group is ended with it.
package subprocess

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// A Process is a running child. Its methods may be called concurrently.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // of cmd.Wait; set before done is closed

	stop sync.Once

	mu       sync.Mutex // a group whose tie is released must not be signalled
	tie      tie
	released bool
}

// pipeDelay is how long Wait may go on reading what the child's own children
// still write after the child has ended.
const pipeDelay = 2 * time.Second

// Start starts cmd, which must not have been started, and ties its life to
// this program's: on Unix a shell that waits for the end of a pipe kills the
// group, on Windows a job object does. Start sets the fields of
// cmd.SysProcAttr that this takes, and cmd.WaitDelay.
func Start(cmd *exec.Cmd) (*Process, error) {
	cmd.WaitDelay = pipeDelay
	t, err := startTied(cmd)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(cmd.Path), err)
	}
	p := &Process{cmd: cmd, tie: t, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		p.mu.Lock()
		p.tie.release()
		p.released = true
		p.mu.Unlock()
		close(p.done)
	}()
	return p, nil
}

// Run starts cmd as Start does and waits for its end, which it reports as
// [exec.Cmd.Wait] does. When ctx ends first, Run stops it, see Stop, and
// returns the cause.
func Run(ctx context.Context, cmd *exec.Cmd, grace time.Duration) error {
	p, err := Start(cmd)
	if err != nil {
		return err
	}
	select {
	case <-p.Done():
		return p.Err()
	case <-ctx.Done():
		p.Stop(grace)
		return context.Cause(ctx)
	}
}

// PID returns the process ID.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done returns a channel that is closed when the process has ended and has
// been waited for.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err returns how the process ended, as [exec.Cmd.Wait] reports it: nil for
// status 0. It must be called only once Done is closed.
func (p *Process) Err() error { return p.err }

// Stop asks the group to end (SIGTERM; Windows has no such request and goes on
// to the next step at once), kills it when it has not ended within grace, and
// returns when the process has ended. The later calls wait for the first.
func (p *Process) Stop(grace time.Duration) {
	p.stop.Do(func() {
		if p.signal(tie.terminate) {
			select {
			case <-p.done:
			case <-time.After(grace):
			}
		}
		p.signal(tie.kill)
	})
	<-p.done
}

func (p *Process) signal(send func(tie, *exec.Cmd) bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.released && send(p.tie, p.cmd)
}

// ExitCode returns the exit status of an ended process, -1 when a signal ended
// it. It must be called only once Done is closed.
func (p *Process) ExitCode() int {
	var exit *exec.ExitError
	if errors.As(p.err, &exit) {
		return exit.ExitCode()
	}
	if p.err != nil {
		return -1
	}
	return 0
}

// Path returns the path of the program.
func (p *Process) Path() string { return p.cmd.Path }
