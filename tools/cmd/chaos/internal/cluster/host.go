//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/cmd/chaos/internal/journal"
	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/subprocess"
)

// A Host is a worker, or a kcl-bootstrap with its children, and a supervisor that starts
// it again when it has ended. Its methods may be called concurrently.
type Host struct {
	Name      string // also its access key and its folder
	Dir       string
	Bootstrap bool // whether it is a kcl-bootstrap

	start func(workerID string) (*sample.Daemon, error)
	// gate has a token while the supervisor may start the host.
	gate chan struct{}
	done chan struct{}

	mu     sync.Mutex
	daemon *sample.Daemon
	id     int // the number in its worker ID
	err    error
}

const (
	restartDelay = 100 * time.Millisecond // as systemd's default
	leaveLimit   = 30 * time.Second       // for the processes of a stopped host to end
)

// supervise starts the host again when it has ended, until ctx ends.
func (h *Host) supervise(ctx context.Context) {
	defer close(h.done)
	for h.Err() == nil {
		select {
		case <-h.current().Done():
		case <-ctx.Done():
			h.current().Stop() // the check reports what it did not do
		}
		// Two processes with one worker ID would both read its shards. As in a container,
		// all processes must have ended before the next start.
		for begin := time.Now(); len(h.Processes()) > 0; time.Sleep(20 * time.Millisecond) {
			if ctx.Err() != nil && time.Since(begin) > leaveLimit {
				h.Kill()
			}
		}
		if !journal.Sleep(ctx, restartDelay) {
			return
		}
		select {
		case <-h.gate:
		case <-ctx.Done():
			return
		}
		h.restart()
		h.Release()
	}
}

func (h *Host) restart() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if daemon, err := h.start(h.workerID()); err != nil {
		h.err = err
	} else {
		h.daemon = daemon
	}
}

func (h *Host) current() *sample.Daemon {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.daemon
}

// workerID returns the ID of a worker. A kcl-bootstrap claims another ID, in a state folder
// of this name.
func (h *Host) workerID() string { return fmt.Sprintf("%s-%d", h.Name, h.id) }

// WorkerID returns the worker ID of the host.
func (h *Host) WorkerID() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.workerID()
}

// Renew gives the host a new worker ID from its next start on.
func (h *Host) Renew() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.id++
}

// Ready reports whether KCL takes leases on this host.
func (h *Host) Ready() bool {
	d := h.current()
	return d.Ready() && Lives(d.PID()) && Lives(d.JavaPID())
}

// Lives reports whether a process exists.
func Lives(pid int) bool { return syscall.Kill(pid, 0) == nil }

// Err returns why the supervisor has given up, nil if it has not.
func (h *Host) Err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

// PID returns the process ID of the host's command.
func (h *Host) PID() int { return h.current().PID() }

// Java returns the process ID of Java, 0 before its start.
func (h *Host) Java() int { return h.current().JavaPID() }

// Children returns the process IDs of the record processors of a kcl-bootstrap.
func (h *Host) Children() (pids []int) {
	pid, java := h.PID(), h.Java()
	for child := range h.Processes() {
		if child != pid && child != java {
			pids = append(pids, child)
		}
	}
	return pids
}

// Processes returns the command lines of all processes of the host.
func (h *Host) Processes() map[int]string { return subprocess.Processes(mark(h.Dir)) }

// mark returns a variable in the environment of each process of a host.
func mark(dir string) string { return "CHAOS_HOST=" + dir }

// Hold keeps the supervisor from starting the host until Release.
func (h *Host) Hold() { <-h.gate }

// Release ends Hold.
func (h *Host) Release() { h.gate <- struct{}{} }

// Kill kills all processes of the host.
func (h *Host) Kill() {
	for pid := range h.Processes() {
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

// Signal sends a signal to a process. It returns nil if the process has just ended.
func Signal(pid int, s syscall.Signal) error {
	if pid <= 0 {
		return errors.New("there is no process to signal")
	}
	if err := syscall.Kill(pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("cannot send %v to process %d: %w", s, pid, err)
	}
	return nil
}
