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

// DaemonConfig says how to run the daemon.
type DaemonConfig struct {
	// Bin is the folder that Build built into.
	Bin string
	// Dir is the working directory, of the consumer too.
	Dir string
	// Environ is the environment, as os.Environ returns it.
	Environ []string
	// Properties is the properties file.
	Properties string
	// Log is a file that gets what the command and the daemon print; it is
	// appended to.
	Log string
	// Worker has consumer-sample run serve all shards in one process, in the
	// place of kcl-bootstrap and a process for each. The daemon's log is in
	// application.log then.
	Worker bool
	// Command is a worker's own executable, in the place of kcl-bootstrap. It gets
	// Args alone, and logs as package worker does.
	Command string
	// Args are further arguments of the command.
	Args []string
}

// Daemon is a MultiLangDaemon that a command runs: kcl-bootstrap, or
// consumer-sample. Its methods may be called concurrently.
type Daemon struct {
	name    string // of the command
	process *subprocess.Process
	out     *output
	log     *os.File
}

// stopLimit is more than the daemon's own grace and all that follows it.
const stopLimit = 90 * time.Second

// StartDaemon starts kcl-bootstrap -e, or consumer-sample run.
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

// Started is closed when the command says that it has started Java.
func (d *Daemon) Started() <-chan struct{} { return d.out.started }

// JavaPID returns the process ID of Java, which leads its process group: of the
// one that was started last, and 0 before Started.
func (d *Daemon) JavaPID() int {
	d.out.mu.Lock()
	defer d.out.mu.Unlock()
	return d.out.pid
}

// Ready tells whether that Java takes leases, as far as the command has said: not for
// consumer-sample.
func (d *Daemon) Ready() bool {
	d.out.mu.Lock()
	defer d.out.mu.Unlock()
	return d.out.ready
}

// PID returns the process ID of the command.
func (d *Daemon) PID() int { return d.process.PID() }

// Done is closed when the command has ended.
func (d *Daemon) Done() <-chan struct{} { return d.process.Done() }

// ExitCode returns the command's exit status once Done is closed.
func (d *Daemon) ExitCode() int { return d.process.ExitCode() }

// Tail returns the last lines that the command and the daemon printed.
func (d *Daemon) Tail() string {
	d.out.mu.Lock()
	defer d.out.mu.Unlock()
	return strings.Join(d.out.last, "\n")
}

// Stop asks for a graceful stop, and returns an error when the command did
// not end with status 0.
func (d *Daemon) Stop() error {
	d.process.Stop(stopLimit)
	if err := d.process.Err(); err != nil {
		return fmt.Errorf("%s did not stop as asked: %w", d.name, err)
	}
	return nil
}

// output writes to the log what the command prints, and looks at its lines.
type output struct {
	file    *os.File
	started chan struct{} // closed at the line that says so

	mu    sync.Mutex
	part  []byte
	last  []string
	pid   int
	ready bool
}

const tailLines = 12

// startedLine is the line in which the command says that Java runs, and with
// which process ID; readyLine that in which it says that Java takes leases.
var (
	startedLine = regexp.MustCompile(`^(?:kcl-bootstrap: started MultiLangDaemon \S+,|consumer-sample: daemon started, version \S+,|.* msg="daemon started" .*) pid[ =](\d+)$`)
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

// errDaemonEnded is the error of a daemon that ended while it was needed.
var errDaemonEnded = errors.New("the daemon has ended")

// Await calls done again and again until it returns true. It returns an error
// when ctx ends or, unless d is nil, when the daemon ends before that.
func Await(ctx context.Context, d *Daemon, done func() (bool, error)) error {
	// A file has no event to wait for that all systems know.
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
			// What it wrote just before it ended counts.
			if ok, err := done(); err != nil || ok {
				return err
			}
			return fmt.Errorf("%w with status %d; its last lines:\n%s", errDaemonEnded, d.ExitCode(), d.Tail())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
