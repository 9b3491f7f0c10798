package sample

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
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/subprocess"
)

// DaemonConfig configures a Daemon. Worker, Command and Args are optional.
type DaemonConfig struct {
	// Bin is the folder that Build built into.
	Bin string
	// Dir is the working directory of the command and of the consumer.
	Dir string
	// Environ is the environment, as os.Environ returns it.
	Environ []string
	// Properties is the properties file.
	Properties string
	// Log is a file to which the output of the command and the daemon is appended.
	Log string
	// Worker runs "consumer-sample run", one process for all shards, instead of
	// kcl-bootstrap with a process per shard. The daemon's log is in application.log then.
	Worker bool
	// Command is another executable to run instead of kcl-bootstrap. It gets only Args, and
	// logs as package worker does.
	Command string
	// Args are further arguments of the command.
	Args []string
}

// Daemon is a command that runs KCL, such as kcl-bootstrap. Its methods may be called
// concurrently.
type Daemon struct {
	name    string // of the command
	process *subprocess.Process
	out     *output
	log     *os.File
}

// stopLimit is longer than a graceful stop takes.
const stopLimit = 90 * time.Second

// StartDaemon starts the command.
func StartDaemon(c DaemonConfig) (*Daemon, error) {
	log, err := os.OpenFile(c.Log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	name, args := "kcl-bootstrap", []string{"-e", "-p", c.Properties}
	if c.Worker {
		name, args = "consumer-sample", []string{"run", "-p", c.Properties}
	}
	name = Command(c.Bin, name)
	if c.Command != "" {
		name, args = c.Command, nil
	}
	cmd := exec.Command(name, append(args, c.Args...)...)
	cmd.Dir, cmd.Env = c.Dir, c.Environ
	out := &output{file: log, started: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = out, out
	process, err := subprocess.Start(cmd)
	if err != nil {
		log.Close()
		return nil, err
	}
	d := &Daemon{name: filepath.Base(name), process: process, out: out, log: log}
	go func() {
		<-process.Done()
		log.Close()
	}()
	return d, nil
}

// Started returns a channel that is closed when the command logs Java's start.
func (d *Daemon) Started() <-chan struct{} { return d.out.started }

// JavaPID returns the process ID of the last Java that was started, which leads its process
// group. It is 0 before Started is closed.
func (d *Daemon) JavaPID() int {
	d.out.mu.Lock()
	defer d.out.mu.Unlock()
	return d.out.pid
}

// Ready reports whether the command has logged that Java takes leases. consumer-sample does
// not log that.
func (d *Daemon) Ready() bool {
	d.out.mu.Lock()
	defer d.out.mu.Unlock()
	return d.out.ready
}

// PID returns the process ID of the command.
func (d *Daemon) PID() int { return d.process.PID() }

// Done returns a channel that is closed when the command has ended.
func (d *Daemon) Done() <-chan struct{} { return d.process.Done() }

// ExitCode returns the command's exit status. It must be called only after Done is closed.
func (d *Daemon) ExitCode() int { return d.process.ExitCode() }

// Tail returns the last lines of the command's output.
func (d *Daemon) Tail() string {
	d.out.mu.Lock()
	defer d.out.mu.Unlock()
	return strings.Join(d.out.last, "\n")
}

// Stop stops the command gracefully. It returns an error if the exit status is not 0.
func (d *Daemon) Stop() error {
	d.process.Stop(stopLimit)
	if err := d.process.Err(); err != nil {
		return fmt.Errorf("%s did not stop in order: %w", d.name, err)
	}
	return nil
}

// output writes the command's output to the log and parses its lines.
type output struct {
	file    *os.File
	started chan struct{} // closed by startedLine

	mu    sync.Mutex
	part  []byte
	last  []string
	pid   int
	ready bool
}

const tailLines = 12

// startedLine logs the start and the process ID of Java, readyLine that Java takes leases.
var (
	startedLine = regexp.MustCompile(`^(?:kcl-bootstrap: started KCL \S+,|consumer-sample: daemon started, version \S+,|.* msg="daemon started" .*) pid[ =](\d+)$`)
	readyLine   = regexp.MustCompile(`^kcl-bootstrap: ready: |msg="daemon ready"`)
)

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.part = append(o.part, p...)
	for {
		line, rest, whole := bytes.Cut(o.part, []byte("\n"))
		if !whole {
			break
		}
		o.part = rest
		o.line(string(line))
	}
	return o.file.Write(p)
}

func (o *output) line(line string) {
	o.last = append(o.last, line)
	if len(o.last) > tailLines {
		o.last = o.last[1:]
	}
	if m := startedLine.FindStringSubmatch(line); m != nil {
		pid, err := strconv.Atoi(m[1])
		if err != nil {
			return
		}
		if o.pid == 0 {
			close(o.started)
		}
		o.pid, o.ready = pid, false
	}
	o.ready = o.ready || readyLine.MatchString(line)
}

// errDaemonEnded is the error of a daemon that ends too early.
var errDaemonEnded = errors.New("the daemon has ended")

// Await calls done repeatedly until it returns true. It returns an error if ctx ends, or d
// ends unless it is nil.
func Await(ctx context.Context, d *Daemon, done func() (bool, error)) error {
	// It polls, because done reads files.
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var ended <-chan struct{}
	if d != nil {
		ended = d.Done()
	}
	for {
		if ok, err := done(); err != nil || ok {
			return err
		}
		select {
		case <-tick.C:
		case <-ended:
			// The daemon may have written more just before its end.
			if ok, err := done(); err != nil || ok {
				return err
			}
			return fmt.Errorf("%w with status %d; its last lines:\n%s", errDaemonEnded, d.ExitCode(), d.Tail())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
