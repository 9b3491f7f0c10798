//go:build linux

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/subprocess"
)

// A Host is one worker, or one kcl-bootstrap with its children, and the supervisor
// that starts it again whenever it has ended. Its methods may be called concurrently.
type Host struct {
	// Name is the host's folder in the run's, and its access key.
	Name string
	// Bootstrap says that it is a kcl-bootstrap.
	Bootstrap bool

	mark    string // NAME=VALUE in the environment of each process of the host
	command func(workerID string) *exec.Cmd
	log     *os.File
	// gate has a token while the supervisor may start the host.
	gate chan struct{}
	done chan struct{}

	mu      sync.Mutex
	process *subprocess.Process
	starts  int
	id      int // which worker ID it has
	java    int
	ready   bool
	part    []byte
	err     error
}

// restartDelay is the supervisor's, as systemd has it by default.
const restartDelay = 100 * time.Millisecond

// supervise starts the host, and again when it has ended, until ctx ends.
func (h *Host) supervise(ctx context.Context) {
	defer close(h.done)
	for {
		select {
		case <-h.gate:
		case <-ctx.Done():
			return
		}
		process, err := h.start()
		h.gate <- struct{}{}
		if err != nil {
			h.mu.Lock()
			h.err = err
			h.mu.Unlock()
			return
		}
		select {
		case <-process.Done():
		case <-ctx.Done():
			process.Stop(stopLimit)
		}
		// Two processes with one worker ID would both read its shards: what the former
		// one has left must have gone, as in a container, before there is another.
		for begin := time.Now(); len(h.Processes()) > 0; time.Sleep(20 * time.Millisecond) {
			if ctx.Err() != nil && time.Since(begin) > stopLimit {
				h.Kill()
			}
		}
		select {
		case <-time.After(restartDelay):
		case <-ctx.Done():
			return
		}
	}
}

// stopLimit is how long a stop may take.
const stopLimit = 30 * time.Second

func (h *Host) start() (*subprocess.Process, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ready, h.java, h.part = false, 0, nil
	h.starts++
	cmd := h.command(h.workerID())
	cmd.Env = append(cmd.Env, h.mark)
	cmd.Stdout, cmd.Stderr = h, h
	var err error
	h.process, err = subprocess.Start(cmd)
	return h.process, err
}

// started and isReady are in lines of both commands.
var (
	started = regexp.MustCompile(`(?:kcl-bootstrap: started .*, pid |msg="daemon started".* pid=)(\d+)`)
	isReady = regexp.MustCompile(`kcl-bootstrap: ready: |msg="daemon ready"`)
)

// Write takes what the host's command prints.
func (h *Host) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.part = append(h.part, p...)
	for {
		line, rest, whole := bytes.Cut(h.part, []byte("\n"))
		if !whole {
			return h.log.Write(p)
		}
		if m := started.FindSubmatch(line); m != nil {
			h.java, _ = strconv.Atoi(string(m[1]))
			h.ready = false
		}
		h.ready = h.ready || isReady.Match(line)
		h.part = rest
	}
}

// workerID returns the ID that a worker is given. A kcl-bootstrap claims its own, of a
// state folder with this name.
func (h *Host) workerID() string { return fmt.Sprintf("%s-%d", h.Name, h.id) }

// WorkerID returns the worker ID that the host has now.
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

// Ready tells whether KCL takes leases here.
func (h *Host) Ready() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ready && Lives(h.process.PID()) && Lives(h.java)
}

// Lives tells whether there is a process.
func Lives(pid int) bool { return syscall.Kill(pid, 0) == nil }

// Err returns why the supervisor has given up, nil if it has not.
func (h *Host) Err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

// PID returns the process ID of the host's command.
func (h *Host) PID() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.process == nil {
		return 0
	}
	return h.process.PID()
}

// Java returns the process ID of Java, 0 before it was started.
func (h *Host) Java() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.java
}

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
func (h *Host) Processes() map[int]string { return subprocess.Processes(h.mark) }

// Hold keeps the supervisor from starting the host until Release.
func (h *Host) Hold() { <-h.gate }

// Release ends Hold.
func (h *Host) Release() { h.gate <- struct{}{} }

// Kill kills every process of the host, stopped ones too, at once.
func (h *Host) Kill() {
	for pid := range h.Processes() {
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

// Signal sends a signal to a process. One that has gone is no error: it was about to.
func Signal(pid int, s syscall.Signal) error {
	if pid <= 0 {
		return errors.New("there is no process to signal")
	}
	if err := syscall.Kill(pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("cannot send %v to process %d: %w", s, pid, err)
	}
	return nil
}

// Tail returns the last lines that the host printed.
func (h *Host) Tail(lines int) string {
	text, _ := os.ReadFile(h.log.Name())
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// Dir returns the host's folder in that of the run.
func (h *Host) Dir() string { return filepath.Dir(h.log.Name()) }
