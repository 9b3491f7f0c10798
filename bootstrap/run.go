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

// RunOptions are the optional settings of [Command.Run]. Their functions are called by
// one goroutine at a time, which waits for them.
type RunOptions struct {
	// Output receives the daemon's log and its standard error, which includes the standard
	// error of its record processors: unchanged if it is an *os.File, else in whole lines.
	// Defaults to os.Stderr.
	Output io.Writer

	// LogLevel is the minimum level of the daemon's log. Defaults to slog.LevelInfo. It is
	// ignored if Command.LogConfiguration is set.
	LogLevel slog.Level

	// Stdin is the daemon's standard input. Defaults to the null device.
	Stdin *os.File

	// Dir is the working directory of the daemon and its record processors. Defaults to
	// that of this process.
	Dir string

	// Env is the daemon's environment, as in exec.Cmd. Defaults to that of this process.
	// On Linux Run sets the encoding of its locale to UTF-8.
	Env []string

	// Kill kills the daemon and its record processors when it is closed or receives a
	// value. Defaults to nil, never.
	Kill <-chan struct{}

	// StopTimeout is how long the daemon may take to stop before it and its record
	// processors are killed. Defaults to 10 s more than the property shutdownGraceMillis,
	// the daemon's own limit.
	StopTimeout time.Duration

	// OrphanGrace is how long record processors may outlive the daemon before they are
	// killed. Defaults to 6 s: they notice the end of the daemon by the end of their input,
	// and then may take 5 s to end.
	OrphanGrace time.Duration

	// Started, if not nil, is called when Java has been started.
	Started func(pid int)

	// Logger logs what Run does to the processes. Defaults to nil, no logging.
	Logger *slog.Logger
}

const (
	defaultOrphanGrace = 6 * time.Second
	defaultStopMargin  = 10 * time.Second
)

// withDefaults returns the options with the defaults that depend on nothing else.
func (o *RunOptions) withDefaults() RunOptions {
	var options RunOptions
	if o != nil {
		options = *o
	}
	if options.OrphanGrace <= 0 {
		options.OrphanGrace = defaultOrphanGrace
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	return options
}

// ErrUnexpectedExit says that a command ended with status 0 although it was not asked to
// stop. The daemon does so when it has given up.
var ErrUnexpectedExit = errors.New("ended without being asked to")

// ErrSurvivors says that a command has ended, but processes that it started still run
// although they were killed. They may still work on a shard, so the command must not be
// started again.
var ErrSurvivors = errors.New("processes still run after SIGKILL; check them before another start")

// An ExitError describes the end of a daemon that did not stop as asked.
type ExitError struct {
	// Code is Java's exit status: 128 plus the number of the signal if a signal ended it.
	Code int
	// Killed reports whether RunOptions.Kill ended it.
	Killed bool
	// Stopping reports whether it had been asked to stop, and did not complete that.
	Stopping bool
	// Reason is the reason in one line, or empty if that is unknown.
	Reason string
	// Proxy is the proxy through which Java reaches AWS, without its password, and the
	// variable that names it. Empty if Java uses none.
	Proxy string
}

// networkReason matches what Java prints about a connection that failed, but not about
// an answer of AWS.
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
		return fmt.Sprintf("it %v (status 0): %s", ErrUnexpectedExit, reason)
	default:
		return fmt.Sprintf("it ended with status %d: %s", e.Code, reason)
	}
}

// Is reports whether target is ErrUnexpectedExit and the status was 0.
func (e *ExitError) Is(target error) bool {
	return target == ErrUnexpectedExit && e != nil && e.Code == 0 && !e.Killed && !e.Stopping
}

// Run runs the daemon in its own process group until it and its record processors have
// gone. nil options mean the defaults.
//
// When ctx ends, the group gets one SIGTERM. The daemon then stops its record processors
// within shutdownGraceMillis, and ends. Run returns nil if it ends with status 143
// (SIGTERM), 130 (SIGINT, on Windows) or 0;
// only its log says whether its shutdown was complete. Otherwise the daemon has failed.
// Run returns an [*ExitError] if the daemon ended by itself, was killed by RunOptions.Kill
// or after RunOptions.StopTimeout, or ended with another status. The error wraps
// [ErrSurvivors] if processes are left. If the daemon cannot be started, Run returns the
// reason.
//
// On Linux Java also gets a SIGTERM when this process is killed. Windows has no SIGTERM:
// there Java shares the console and sees Ctrl-C itself, and all processes end with this
// one.
func (c Command) Run(ctx context.Context, opts *RunOptions) error {
	if err := c.validate(); err != nil {
		return err
	}
	properties := c.daemonProperties()
	options := opts.withDefaults()
	if options.StopTimeout <= 0 {
		options.StopTimeout = properties.shutdownGrace() + defaultStopMargin
	}
	if options.Env == nil {
		options.Env = os.Environ()
	}
	urls := properties.usedURLs(options.Env)
	route := newJavaProxy(options.Env, c.JavaOptions, urls)
	options.Env = utf8Locale(route.environment(options.Env))
	c.JavaOptions = slices.Concat(c.JavaOptions, route.options())
	var (
		dir string
		err error
	)
	if c.Entry != nil {
		dir = c.Entry.Dir
	} else {
		if dir, err = os.MkdirTemp("", "kcl-bootstrap-"); err != nil {
			return fmt.Errorf("cannot create a folder for this run's files: %w", err)
		}
		defer os.RemoveAll(dir)
	}
	if err := enoughFiles(len(c.Jars)); err != nil {
		return err
	}
	var archive *archive
	if c.Entry != nil && c.Entry.Classes != nil && c.CacheDir != "" {
		if archive, err = c.openArchive(options.Env); err != nil {
			options.Logger.Debug("no class-data archive", "error", err)
		} else {
			entry := *c.Entry
			entry.Jar = archive.classPath[0]
			c.Entry = &entry
			c.JavaOptions = slices.Concat(archive.javaOptions(), c.JavaOptions)
		}
	}
	args, err := c.write(properties, dir, options.LogLevel, options.Env)
	if err != nil {
		return err
	}
	p := process{args: args, options: options, claim: c.Claim, ignoresSignals: c.Entry != nil, proxy: route.name(urls)}
	if archive == nil {
		return p.run(ctx)
	}
	return archive.around(ctx, c.Entry.Ready, options.Logger, p.run)
}

// A process is a command that runs as Command.Run documents.
type process struct {
	args           []string
	options        RunOptions
	claim          *WorkerIDClaim // may be nil
	ignoresSignals bool           // it is not stopped by signals
	proxy          string         // for ExitError
}

func (p process) run(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	options := p.options

	ofMachine := slices.DeleteFunc(slices.Clone(p.args), func(arg string) bool { return !strings.HasPrefix(arg, "-X") })
	options.Logger.Debug("starting Java", "command", p.args[0], "options", ofMachine) // others may have a password
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
	processes, err := group.New(cmd, p.ignoresSignals)
	if err != nil {
		return fmt.Errorf("cannot start %s: %w", p.args[0], err)
	}
	defer processes.Close()
	if p.claim != nil {
		group.Inherit(cmd, p.claim.daemon)
	}
	if err := processes.Start(); err != nil {
		return fmt.Errorf("cannot start %s: %w", p.args[0], err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait() // what it returns is in cmd.ProcessState
		close(ended)
	}()
	if p.claim != nil {
		p.claim.note(cmd.Process.Pid)
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
			options.Logger.Debug("asking to stop", "pid", cmd.Process.Pid)
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
	if !processes.End(options.OrphanGrace, kill, options.Logger) {
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

// An output copies what a command writes to a writer.
type output struct {
	w            io.Writer
	ours, theirs *os.File      // the ends of a pipe; nil if the command writes to w itself
	read         chan struct{} // closed when everything has been read; nil before start
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

// start starts to read.
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

// finish waits until everything has been read. It is called when all writers should have
// ended.
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
