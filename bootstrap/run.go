package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap/internal/group"
	"github.com/seed96110120/kinesis-client-go/bootstrap/internal/lines"
)

// RunOptions says how Command.Run runs the daemon. The zero value is good. Its
// functions are called by one goroutine, which does nothing else meanwhile.
type RunOptions struct {
	// Output gets the daemon's log and its standard error, where its record
	// processors' goes too: as it comes if it is an *os.File, else in whole lines.
	// nil means os.Stderr.
	Output io.Writer

	// LogLevel is the least level of the daemon's log; the zero value is
	// slog.LevelInfo. Command.LogConfiguration takes its place.
	LogLevel slog.Level

	// Stdin is the daemon's standard input; nil means the null device.
	Stdin *os.File

	// Dir is the daemon's working directory, and that of its record
	// processors; empty means this process's.
	Dir string

	// Env is the daemon's environment, as in exec.Cmd; nil means this
	// process's. On Linux Run changes the locale's characters to UTF-8 in it.
	Env []string

	// Kill ends the daemon and its record processors at once when it is closed
	// or gets a value. nil means never.
	Kill <-chan struct{}

	// StopTimeout is how long the daemon may take to stop before it and its
	// record processors are killed. 0 means 10 s more than the property
	// shutdownGraceMillis, which is how long the daemon gives itself.
	StopTimeout time.Duration

	// OrphanGrace is how long record processors may outlive the daemon before
	// they are killed; 0 means 6 s. The end of their input tells them that it
	// has gone, and they may take 5 s to leave.
	OrphanGrace time.Duration

	// Started, if not nil, is called once Java runs.
	Started func(pid int)

	// Log gets what Run does to the processes. nil means no log.
	Log *slog.Logger
}

const (
	defaultOrphanGrace = 6 * time.Second
	defaultStopMargin  = 10 * time.Second
)

// ErrNotAsked is the error of a command that ended with status 0 though
// nobody had asked it to stop: the daemon does so when it has given up.
var ErrNotAsked = errors.New("ended though nobody had asked it to")

// ErrSurvivors is the error of a command that has ended, when processes that it
// started do not, though they were killed: they may still work on a shard, so
// it must not be started again.
var ErrSurvivors = errors.New("processes are still there after SIGKILL; look at them before another start")

// An ExitError says how a daemon ended that did not stop as asked.
type ExitError struct {
	// Code is Java's exit status; 128 and the signal's number if a signal
	// ended it.
	Code int
	// Killed says that it was RunOptions.Kill that ended it.
	Killed bool
	// Stopping says that it had been asked to stop, and did not complete it.
	Stopping bool
	// Reason is why, in one line; empty if that is not known.
	Reason string
	// Proxy is the proxy that Java goes through to AWS, without its password, and
	// where that is named; empty if it needs none.
	Proxy string
}

// networkReason is what Java says of a connection that failed, not of what AWS
// answered.
var networkReason = compiled(`java\.(io|net|nio)\.|javax\.net\.|io\.netty\.|TimeoutException|Unable to execute HTTP request`)

// Error returns one line.
func (e *ExitError) Error() string {
	if e == nil {
		return "<nil>"
	}
	reason := "its last lines say why"
	if e.Reason != "" {
		reason = e.Reason
	}
	if e.Proxy != "" && networkReason().MatchString(reason) {
		reason += "; Java goes through the proxy " + e.Proxy
	}
	switch {
	case e.Killed:
		return fmt.Sprintf("it was killed before it had stopped (status %d)", e.Code)
	case e.Stopping:
		return fmt.Sprintf("it was asked to stop and did not complete it (status %d): %s", e.Code, reason)
	case e.Code == 0:
		return fmt.Sprintf("it %v (status 0): %s", ErrNotAsked, reason)
	default:
		return fmt.Sprintf("it ended with status %d: %s", e.Code, reason)
	}
}

// Is reports whether target is ErrNotAsked and the status was 0.
func (e *ExitError) Is(target error) bool {
	return target == ErrNotAsked && e != nil && e.Code == 0 && !e.Killed && !e.Stopping
}

// Run runs the daemon, in a process group of its own, until it and its record processors have gone.
//
// When ctx ends, the group gets one SIGTERM: the daemon then stops its record
// processors, within shutdownGraceMillis, and leaves. Run returns nil if that was
// with status 143 or 0: of whether its shutdown was complete only its log tells.
// Otherwise the daemon has failed: Run returns an *ExitError if it ended by itself,
// was killed by options.Kill or after options.StopTimeout, or ended with another
// status; ErrSurvivors, wrapped, if processes are left; and another error if it
// could not be started.
//
// On Linux Java gets a SIGTERM too when this process is killed. Windows has no
// SIGTERM: there Java shares the console and hears Ctrl-C itself, and all
// processes end with this one.
func (c Command) Run(ctx context.Context, options RunOptions) error {
	properties, err := c.effective()
	if err != nil {
		return err
	}
	if options.StopTimeout <= 0 {
		options.StopTimeout = properties.shutdownGrace() + defaultStopMargin
	}
	if options.Env == nil {
		options.Env = os.Environ()
	}
	asked := properties.asked(options.Env)
	way := newJavaProxy(options.Env, c.JavaOptions, asked)
	options.Env = utf8Locale(way.environment(options.Env))
	c.JavaOptions = slices.Concat(c.JavaOptions, way.options())
	var dir string
	if c.Entry != nil {
		dir = c.Entry.Dir
	} else {
		if dir, err = os.MkdirTemp("", "kcl-bootstrap-"); err != nil {
			return fmt.Errorf("cannot make a folder for this run's files: %w", err)
		}
		defer os.RemoveAll(dir)
	}
	if err := enoughFiles(len(c.Jars)); err != nil {
		return err
	}
	var archive *archive
	if c.Entry != nil && c.Entry.Classes != nil && c.CacheDir != "" {
		if archive, err = c.openArchive(options.Env); err != nil {
			options.logger().Debug("no class-data archive", "error", err)
		} else {
			entry := *c.Entry
			entry.Jar = archive.classPath[0]
			c.Entry = &entry
			c.JavaOptions = slices.Concat(archive.javaOptions(), c.JavaOptions)
		}
	}
	args, err := c.write(dir, options.LogLevel, options.Env)
	if err != nil {
		return err
	}
	p := process{args: args, options: options, worker: c.Worker, deaf: c.Entry != nil, proxy: way.name(asked)}
	if archive == nil {
		return p.run(ctx)
	}
	return archive.around(ctx, c.Entry.Good, options.logger(), p.run)
}

func (o RunOptions) logger() *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log
}

// A process is a command that is run as Command.Run says.
type process struct {
	args    []string
	options RunOptions
	worker  *Worker // may be nil
	deaf    bool    // it is not stopped by signals
	proxy   string  // for ExitError
}

func (p process) run(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	options := p.options
	log := options.logger()
	orphanGrace := options.OrphanGrace
	if orphanGrace <= 0 {
		orphanGrace = defaultOrphanGrace
	}

	ofMachine := slices.DeleteFunc(slices.Clone(p.args), func(arg string) bool { return !strings.HasPrefix(arg, "-X") })
	log.Debug("starting Java", "command", p.args[0], "options", ofMachine) // others may have a password
	cmd := exec.Command(p.args[0], p.args[1:]...)
	cmd.Dir, cmd.Env = options.Dir, options.Env
	if options.Stdin != nil {
		cmd.Stdin = options.Stdin
	}
	output, err := p.connect(cmd)
	if err != nil {
		return fmt.Errorf("cannot start %s: %w", p.args[0], err)
	}
	defer output.finish()
	processes, err := group.New(cmd, p.deaf)
	if err != nil {
		return fmt.Errorf("cannot start %s: %w", p.args[0], err)
	}
	defer processes.Close()
	if p.worker != nil {
		group.Inherit(cmd, p.worker.daemon)
	}
	if err := processes.Start(); err != nil {
		return fmt.Errorf("cannot start %s: %w", p.args[0], err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait() // what it returns is in cmd.ProcessState
		close(ended)
	}()
	if p.worker != nil {
		p.worker.note(cmd.Process.Pid)
	}
	if options.Started != nil {
		options.Started(cmd.Process.Pid)
	}
	output.start() // what Java prints comes after what Started does

	var (
		stop, kill = ctx.Done(), options.Kill
		timeout    <-chan time.Time
		exit       ExitError
	)
	for running := true; running; {
		select {
		case <-stop:
			stop, exit.Stopping = nil, true
			log.Debug("asking to stop", "pid", cmd.Process.Pid)
			processes.Terminate()
			if options.StopTimeout > 0 {
				timeout = time.After(options.StopTimeout)
			}
		case <-timeout:
			timeout = nil
			exit.Reason = fmt.Sprintf("it was killed after %v", options.StopTimeout)
			processes.Kill()
		case <-kill:
			kill, exit.Killed = nil, true
			processes.Kill()
		case <-ended:
			running = false
		}
	}
	if !processes.End(orphanGrace, kill, log) {
		return fmt.Errorf("%w (process group %d)", ErrSurvivors, cmd.Process.Pid)
	}
	output.finish() // so that the log is complete

	exit.Code, exit.Proxy = group.ExitCode(cmd.ProcessState), p.proxy
	if exit.Stopping && !exit.Killed && exit.Reason == "" {
		switch exit.Code {
		case 0, 128 + 2, 128 + 15: // SIGINT, as Java on Windows says it, or SIGTERM
			return nil
		}
	}
	return &exit
}

// An output brings what a command writes to where it belongs.
type output struct {
	w            io.Writer
	ours, theirs *os.File      // nil for a file that the command has itself
	read         chan struct{} // closed when all has been read; nil before start
	done         sync.Once
}

// connect gives the command its standard output and standard error.
func (p process) connect(cmd *exec.Cmd) (o *output, err error) {
	o = &output{w: p.options.Output}
	if o.w == nil {
		o.w = os.Stderr
	}
	if file, ok := o.w.(*os.File); ok {
		cmd.Stdout, cmd.Stderr = file, file
		return o, nil
	}
	if o.ours, o.theirs, err = os.Pipe(); err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = o.theirs, o.theirs
	return o, nil
}

// start begins to read.
func (o *output) start() {
	if o.ours == nil {
		return
	}
	o.read = make(chan struct{})
	go func() {
		lines.Copy(o.w, o.ours)
		close(o.read)
	}()
}

// finish waits until all has been read, and is called when all that write
// should have gone.
func (o *output) finish() {
	o.done.Do(func() {
		if o.ours == nil {
			return
		}
		o.theirs.Close()
		if o.read != nil {
			select {
			case <-o.read:
			case <-time.After(5 * time.Second):
				// Something that left the group holds the pipe open.
			}
		}
		o.ours.Close()
		if o.read != nil {
			<-o.read
		}
	})
}
