// Package subprocess runs a process that cannot outlive the program that started it, even
// if the program is killed.
//
// The process has its own process group, so that Ctrl-C reaches only the parent, which
// decides when and in which order its children end. When a child has ended, the other
// processes of its group are killed.
package subprocess

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// A Process is a running child. Its methods may be called concurrently.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // of cmd.Wait; set before done is closed

	stop sync.Once

	mu       sync.Mutex // so that no group is signalled after its tie is released
	tie      tie
	released bool
}

// pipeDelay is how long output of the child's own children is read after the child has
// ended.
const pipeDelay = 2 * time.Second

// Start starts cmd and makes sure that it ends with this program: on Unix a shell that
// waits for the end of a pipe kills the group, on Windows a job object does. Start sets
// cmd.WaitDelay and fields of cmd.SysProcAttr.
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

// Run starts cmd as Start does, waits for its end and returns the error of [exec.Cmd.Wait].
// If ctx ends first, Run calls Stop and returns the context's cause.
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

// Output runs cmd as Run does and returns its standard output. Its error also has what cmd
// printed to standard error, or else to standard output.
func Output(ctx context.Context, cmd *exec.Cmd, grace time.Duration) (string, error) {
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := Run(ctx, cmd, grace)
	if err != nil && cmd.Process != nil && ctx.Err() == nil {
		err = fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, strings.TrimSpace(cmp.Or(stderr.String(), stdout.String())))
	}
	return stdout.String(), err
}

// PID returns the process ID.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done returns a channel that is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err returns the error of [exec.Cmd.Wait], nil for status 0. It must be called only after
// Done is closed.
func (p *Process) Err() error { return p.err }

// Stop sends SIGTERM to the group, kills the group if the process has not ended within
// grace, and returns when the process has ended. On Windows it kills at once. Later calls
// wait for the first one.
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

// ExitCode returns the exit status, -1 if a signal ended the process. It must be called
// only after Done is closed.
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
