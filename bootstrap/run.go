package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// RunOptions says how Run runs a command. The zero value is good.
type RunOptions struct {
	// Output gets the command's standard output and standard error; results
	// are not what a daemon writes. An *os.File is handed to the command as
	// it is. nil means os.Stderr.
	Output io.Writer

	// Dir is the command's working directory; empty means this process's.
	Dir string

	// Env is the command's environment, as in exec.Cmd; nil means this
	// process's.
	Env []string

	// Kill ends the command and its children at once when it is closed or
	// gets a value. nil means never.
	Kill <-chan struct{}

	// OrphanGrace is how long the command's children may outlive it before
	// they are killed; 0 means 6 s. Record processors need it: the end of
	// their input tells them that the daemon has gone, and they may take 5 s
	// to leave.
	OrphanGrace time.Duration

	// Started, if not nil, is called once the command runs.
	Started func(pid int)

	// Log gets what Run does to the command's processes. nil means no log.
	Log *slog.Logger
}

const defaultOrphanGrace = 6 * time.Second

// ErrNotAsked is the error of a command that ended with status 0 though
// nobody had asked it to stop: the daemon does so when it has given up.
var ErrNotAsked = errors.New("ended though nobody had asked it to")

// ErrSurvivors is the error of a command that has ended, when processes that it
// started do not, though they were killed: they may still work on a shard, so
// it must not be started again.
var ErrSurvivors = errors.New("processes are still there after SIGKILL; look at them before another start")

// An ExitError says with which status a command ended.
type ExitError struct {
	// Code is the command's exit status; 128 and the signal's number if a
	// signal ended it.
	Code int
	// Killed says that it was RunOptions.Kill that ended it.
	Killed bool
}

// Error returns one line.
func (e *ExitError) Error() string {
	switch {
	case e.Killed:
		return fmt.Sprintf("it was killed before it had stopped (status %d)", e.Code)
	case e.Code == 0:
		return "it " + ErrNotAsked.Error() + " (status 0); its last lines say why"
	default:
		return fmt.Sprintf("it ended with status %d; its last lines say why", e.Code)
	}
}

// Is reports whether target is ErrNotAsked and the status was 0.
func (e *ExitError) Is(target error) bool {
	return target == ErrNotAsked && e.Code == 0 && !e.Killed
}

// Run runs a command in a process group of its own, with the null device as
// standard input, until it and its children have gone.
//
// When ctx ends, the group gets one SIGTERM: the daemon then stops its record
// processors, within shutdownGraceMillis, and leaves. Run returns nil if the
// command ended for that reason, and an *ExitError if it ended by itself, with
// another status, or by options.Kill. Children that are still there
// options.OrphanGrace after the command has ended are killed.
//
// On Linux the command gets a SIGTERM too when this process is killed. Windows
// has no SIGTERM: there the command shares the console and hears Ctrl-C
// itself; Run gives it 10 s from the end of ctx before it ends it and its
// children, and they end with this process.
func Run(ctx context.Context, args []string, options RunOptions) error {
	if len(args) == 0 {
		return errors.New("no command to run")
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	log := options.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	grace := options.OrphanGrace
	if grace <= 0 {
		grace = defaultOrphanGrace
	}

	out, finishOutput, err := outputFile(options.Output)
	if err != nil {
		return fmt.Errorf("cannot start %s: %w", args[0], err)
	}
	defer finishOutput()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env = options.Dir, options.Env
	cmd.Stdout, cmd.Stderr = out, out
	processes, err := newGroup(cmd)
	if err != nil {
		return fmt.Errorf("cannot start %s: %w", args[0], err)
	}
	defer processes.close()

	started, ended := make(chan error), make(chan struct{})
	go func() {
		// Linux tells the child when its parent's thread ends, not when its
		// parent does: so this thread must live as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			err = processes.started(cmd.Process)
		}
		started <- err
		if cmd.Process != nil {
			cmd.Wait() // what it returns is in cmd.ProcessState
		}
		close(ended)
	}()
	if err := <-started; err != nil {
		if cmd.Process != nil {
			processes.kill()
			<-ended
		}
		return fmt.Errorf("cannot start %s: %w", args[0], err)
	}
	if options.Started != nil {
		options.Started(cmd.Process.Pid)
	}

	var (
		stop, kill    = ctx.Done(), options.Kill
		timeout       <-chan time.Time
		asked, killed bool
	)
	for running := true; running; {
		select {
		case <-stop:
			stop, asked = nil, true
			log.Debug("asking to stop", "pid", cmd.Process.Pid)
			if limit := processes.terminate(); limit > 0 {
				timeout = time.After(limit)
			}
		case <-timeout:
			timeout, killed = nil, true
			processes.kill()
		case <-kill:
			kill, killed = nil, true
			processes.kill()
		case <-ended:
			running = false
		}
	}
	if !processes.endOrphans(grace, kill, log) {
		return fmt.Errorf("%w (process group %d)", ErrSurvivors, cmd.Process.Pid)
	}

	exit := &ExitError{Code: exitCode(cmd.ProcessState), Killed: killed}
	switch exit.Code {
	case 0, 128 + 2, 128 + 15: // SIGINT, as Java on Windows says it, or SIGTERM
		if asked || killed {
			return nil
		}
	}
	return exit
}

// endOrphans waits until none of the group's processes is left, and kills them
// when grace is over or kill says so. It returns false if even that did not
// end them.
func (g *group) endOrphans(grace time.Duration, kill <-chan struct{}, log *slog.Logger) bool {
	deadline := time.After(grace)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	killed := false
	for !g.empty() {
		select {
		case <-tick.C:
			continue
		case <-kill:
			kill = nil
		case <-deadline:
			if killed {
				return false // they sleep in the kernel
			}
		}
		killed = true
		deadline = time.After(10 * time.Second)
		log.Warn("killing record processors that outlived Java", "group", g.pid)
		g.kill()
	}
	return true
}

// outputFile returns a file that brings to w what is written to it. finish
// ends that, and is called when all the writers should have gone.
func outputFile(w io.Writer) (file *os.File, finish func(), err error) {
	if w == nil {
		w = os.Stderr
	}
	if file, ok := w.(*os.File); ok {
		return file, func() {}, nil
	}
	r, file, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		if _, err := io.Copy(w, r); err != nil {
			io.Copy(io.Discard, r) // the command must not block on its log
		}
	}()
	return file, func() {
		file.Close()
		select {
		case <-copied:
		case <-time.After(time.Second):
			// Something that left the group holds the pipe open.
		}
		r.Close()
		<-copied
	}, nil
}
