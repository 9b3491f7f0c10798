package engine

import (
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
)

// MinJava is the oldest version of Java with which an Engine runs. Older versions lack Unix
// sockets.
const MinJava = 17

const (
	entryClass     = "com.github.seed96110120.kinesis.Entry"
	defaultSilence = time.Minute
)

// entryJar is built from the sources in folder java.
//
//go:embed entry.jar
var entryJar []byte

// classList has the classes for Java's class-data archives: those that a start loads
// with Java 17 and 25, POLLING and FANOUT. Java skips classes that it does not have.
// The README of bootstrap describes how the list is made.
//
//go:embed classes.gz
var classList []byte

// A Config configures an Engine. Command, StopGrace and Serve are required.
type Config struct {
	// Command has Java, as returned by bootstrap.FindJava, the jars and the properties.
	// LogConfiguration and Entry are ignored.
	Command bootstrap.Command

	// Env is Java's environment, as in bootstrap.RunOptions.
	Env []string

	// Kill kills Java when it is closed or receives a value. nil means never.
	Kill <-chan struct{}

	// Silence is how long Java or this process may be silent before the other side
	// gives up. A silent Java is killed. If this process is silent, Java gives up
	// its leases and ends. Defaults to one minute.
	Silence time.Duration

	// StopGrace is how long conversations may take to end at a stop; 0 is no time.
	// After that Java has another 5 s to end. The property shutdownGraceMillis is not
	// used.
	StopGrace time.Duration

	// LogLevel is the lowest level of the LogRecords that Java sends. Defaults to
	// slog.LevelInfo.
	LogLevel slog.Level

	// Logger logs what this package does, and what Java writes to its standard
	// output and standard error. nil means that nothing is logged.
	Logger *slog.Logger

	// Serve serves one conversation. Each call has its own goroutine. Serve returns
	// nil when the conversation has ended as planned. After an error the engine
	// calls Lease.Fail.
	Serve func(*Lease) error

	// Event, if not nil, is called for each event, in order, by one goroutine. A
	// call that blocks delays only the later events. When thousands of events wait,
	// log records are dropped and counted, and an event that a newer one replaces,
	// such as an older Leases, is dropped.
	Event func(Event)

	// Started, if not nil, is called after Java has started. Event is not called
	// before Started has returned.
	Started func(pid int)
}

// An Engine is a Java process that runs KCL. Its methods may be called concurrently.
type Engine struct {
	config   Config
	log      *slog.Logger
	commands *commands
	done     chan struct{}
	good     chan struct{} // closed when KCL is ready; see bootstrap.Entry.Ready
	goodOnce sync.Once

	startTime  time.Duration // how long Java may take to connect
	stopMargin time.Duration // how long it may take beyond StopGrace
}

// New returns an Engine. Run starts it.
func New(config Config) *Engine {
	if config.Silence <= 0 {
		config.Silence = defaultSilence
	}
	e := &Engine{
		config: config, log: config.Logger, commands: &commands{added: make(chan struct{}, 1)}, done: make(chan struct{}), good: make(chan struct{}),
		startTime: max(time.Minute, config.Silence), stopMargin: 5 * time.Second,
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	return e
}

// Resume makes KCL read a shard again that is held back (see [Lease.Fail]), from its
// checkpoint. Resume never blocks. The command waits until Java has connected, and is
// dropped after Java has ended.
func (e *Engine) Resume(leaseKey string) {
	e.commands.add(map[string]any{"command": "read", "leaseKey": leaseKey})
}

// Evict gives up a lease, so that another worker can take it. It has no effect if Java
// does not hold the lease. Evict never blocks.
func (e *Engine) Evict(leaseKey string) {
	e.commands.add(map[string]any{"command": "evict", "leaseKey": leaseKey})
}

// Done returns a channel that is closed when Java has ended after it was started. A
// call of Config.Serve that does not read its conversation needs it to notice the end.
func (e *Engine) Done() <-chan struct{} { return e.done }

// Run starts Java. It returns when Java has ended and all calls of Serve and Event
// have returned; it waits for those without a limit. Run may be called once.
//
// When ctx ends, Run stops Java gracefully, within StopGrace and 5 s more, or at
// once if Java is not ready and has no lease yet. Run returns
//
//   - nil if it stopped Java, all conversations had ended and all leases were given
//     up, or if Java had nothing to stop yet;
//   - a [*bootstrap.ExitError] if Java ended in another way, or was killed because it
//     was silent; its Reason is the one that Java gave, if any;
//   - an [*IncompatibleError] if this version of KCL lacks what the embedded main
//     class needs; no lease was taken then;
//   - the cause of ctx if ctx had ended before Java was started;
//   - another error if Java cannot be started, or if processes of it are left.
func (e *Engine) Run(ctx context.Context) error {
	defer e.commands.end()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	l, err := listen(e.log)
	if err != nil {
		return err
	}
	defer l.close()
	if err := os.WriteFile(l.path("entry.jar"), entryJar, 0o600); err != nil {
		return fmt.Errorf("cannot write the entry's jar: %w", err)
	}
	stdin, ours, err := l.stdin()
	if err != nil {
		return err
	}
	defer stdin.Close()
	defer ours.Close()

	j := newJavaProcess(e)
	started, delivered := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(delivered)
		select {
		case <-started:
		case <-e.done: // Java was not started
		}
		j.deliver()
	}()
	defer func() {
		j.queue.end()
		<-delivered
	}()
	defer close(j.over)
	l.start(j.serve)
	go func() {
		err := e.command(l).Run(context.WithoutCancel(ctx), &bootstrap.RunOptions{
			Output: j.output, Stdin: stdin, Env: e.config.Env, Kill: j.kill, Logger: e.log,
			Started: func(pid int) {
				if e.config.Started != nil {
					e.config.Started(pid)
				}
				close(started)
			},
		})
		close(e.done)
		j.ended <- err
	}()
	return j.run(ctx, l)
}

// MakeArchive makes the class-data archive with which Java starts faster for an
// Engine: see [bootstrap.Command.MakeArchive]. It uses only Java, Jars, CacheDir and
// JavaOptions of the command.
func MakeArchive(ctx context.Context, command bootstrap.Command) error {
	dir, err := os.MkdirTemp("", "kcl-engine-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	jar := filepath.Join(dir, "entry.jar")
	if err := os.WriteFile(jar, entryJar, 0o600); err != nil {
		return err
	}
	command.Entry = &bootstrap.Entry{Jar: jar, Classes: classList}
	return command.MakeArchive(ctx)
}

// command returns the command that runs Java with the embedded main class.
func (e *Engine) command(l *listener) bootstrap.Command {
	c := e.config.Command
	// Otherwise, without memory, some threads of Java would end and the others go on.
	c.JavaOptions = slices.Insert(slices.Clone(c.JavaOptions), 0, "-XX:+ExitOnOutOfMemoryError")
	c.Entry = &bootstrap.Entry{
		Class: entryClass, Jar: l.path("entry.jar"), Dir: l.dir, Classes: classList, Ready: e.good,
		Args: func(properties string) []string {
			return []string{l.path("socket"), properties, strconv.FormatInt(e.config.Silence.Milliseconds(), 10), levelName(e.config.LogLevel)}
		},
	}
	return c
}

// levelName returns Java's name of a level, rounded down.
func levelName(level slog.Level) string {
	switch {
	case level < slog.LevelInfo:
		return "DEBUG"
	case level < slog.LevelWarn:
		return "INFO"
	case level < slog.LevelError:
		return "WARN"
	}
	return "ERROR"
}

// An IncompatibleError reports that this package cannot run a version of KCL.
type IncompatibleError struct {
	KCL    string // the version
	Member string // a class, method or field that the version lacks
}

// Error returns one line with the version and the member.
func (e *IncompatibleError) Error() string {
	return oneLine(fmt.Sprintf("KCL %s has no %s, which this package needs; kcl-bootstrap --stock runs that version", e.KCL, e.Member))
}
