package engine

import (
	"context"
	_ "embed"
	"errors"
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

const (
	leastJava      = 17
	entryClass     = "com.github.seed96110120.kinesis.Entry"
	defaultSilence = time.Minute
)

// entryJar is made of the source in folder java.
//
//go:embed entry.jar
var entryJar []byte

// classList is for Java's class-data archives: the classes of a start, with Java 17 and
// 25, POLLING and FANOUT. One that a Java does not have it passes over; bootstrap's
// README tells how the list is made.
//
//go:embed classes.gz
var classList []byte

// A Config says what an Engine runs. Command, StopGrace and Serve are required.
type Config struct {
	// Command is Java, as FindJava returns it, with its jars and properties.
	// LogConfiguration and Entry are not used.
	Command bootstrap.Command

	// Env is Java's environment, as bootstrap.RunOptions has it.
	Env []string

	// Kill kills Java when it is closed or gets a value. nil means never.
	Kill <-chan struct{}

	// Silence is how long either side may be silent before the other one gives it
	// up; 0 means a minute. Java that is silent is killed. When this process is,
	// Java gives its leases up and ends.
	Silence time.Duration

	// StopGrace is how long conversations may take to end at a stop. Java may
	// take 5 s more.
	StopGrace time.Duration

	// LogLevel is the least level of the LogRecords that Java sends.
	LogLevel slog.Level

	// Log gets what the package does itself, and what Java writes to its standard
	// output and standard error. nil means no log.
	Log *slog.Logger

	// Serve serves a conversation, in a goroutine of its own. It returns nil when
	// that has ended as planned. An error says that it has failed: Lease.Fail is
	// called then.
	Serve func(*Lease) error

	// Event, if not nil, is called for each event, in order, by one goroutine that
	// does nothing else: a call that blocks holds up the later events alone. When
	// thousands wait, log records are dropped and counted, and so is each event that
	// a newer one takes the place of, such as an older Leases.
	Event func(Event)

	// Started, if not nil, is called once Java runs. No event is told before it has
	// returned.
	Started func(pid int)
}

// An Engine is a Java process.
type Engine struct {
	config   Config
	log      *slog.Logger
	commands *commands
	done     chan struct{}
	good     chan struct{} // closed when KCL is ready
	goodOnce sync.Once

	startTime  time.Duration // how long Java may take to connect
	stopMargin time.Duration // how long it may take beyond StopGrace
}

// New returns an Engine that is not started yet.
func New(config Config) *Engine {
	if config.Silence <= 0 {
		config.Silence = defaultSilence
	}
	e := &Engine{
		config: config, log: config.Log, commands: &commands{news: make(chan struct{}, 1)}, done: make(chan struct{}), good: make(chan struct{}),
		startTime: max(time.Minute, config.Silence), stopMargin: 5 * time.Second,
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	return e
}

// Read has KCL read a shard that is held back, from its checkpoint. It never
// blocks. Before Java has connected the command waits; after it has gone it is
// dropped.
func (e *Engine) Read(leaseKey string) {
	e.commands.add(map[string]any{"command": "read", "leaseKey": leaseKey})
}

// Evict gives a lease up to other workers. Like Read it never blocks.
func (e *Engine) Evict(leaseKey string) {
	e.commands.add(map[string]any{"command": "evict", "leaseKey": leaseKey})
}

// Done returns a channel that is closed when Java, once started, has ended. Whoever
// serves a conversation without reading it does not see that otherwise.
func (e *Engine) Done() <-chan struct{} { return e.done }

// Run starts Java, and returns when it has ended and all calls of Serve and Event
// have returned, for which it waits without a limit. It may be called once.
//
// When ctx ends, Run stops Java in order, within StopGrace and 5 s, or at once
// if that had nothing yet that it could have to end. It returns nil when all
// conversations had ended and all leases were given up. Otherwise it returns an
// *bootstrap.ExitError whose Reason is the one that Java gave, if it gave any;
// also for a Java that was silent and so was killed. If KCL lacks what the entry
// needs it returns an *UnlinkedError, before any lease was taken. If Java was not
// started, or its processes are left, it returns another error; in the first case
// the cause of ctx if that had ended before.
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

	j := newJava(e)
	started, told := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(told)
		select {
		case <-started:
		case <-e.done: // it was not started
		}
		j.tell()
	}()
	defer func() {
		j.queue.end()
		<-told
	}()
	defer close(j.over)
	l.start(j.serve)
	go func() {
		err := e.command(l).Run(context.WithoutCancel(ctx), bootstrap.RunOptions{
			Output: j.complaints, Stdin: stdin, Env: e.config.Env, Kill: j.kill, Log: e.log,
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

// MakeArchive makes the class-data archive that a worker starts with, or one of
// another program with an Engine: see [bootstrap.Command.MakeArchive]. Of the command
// only Java, Jars, CacheDir and JavaOptions count.
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

// command returns Java's command.
func (e *Engine) command(l *listener) bootstrap.Command {
	c := e.config.Command
	// Without memory some threads of Java's would end, and the rest go on.
	c.JavaOptions = slices.Insert(slices.Clone(c.JavaOptions), 0, "-XX:+ExitOnOutOfMemoryError")
	c.Entry = &bootstrap.Entry{
		Class: entryClass, Jar: l.path("entry.jar"), Dir: l.dir, Classes: classList, Good: e.good,
		Args: func(properties string) []string {
			return []string{l.path("socket"), properties, strconv.FormatInt(e.config.Silence.Milliseconds(), 10), levelName(e.config.LogLevel)}
		},
	}
	return c
}

// levelName returns the name that parseEvent knows of the least level that
// includes this one.
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

// An UnlinkedError says that a version of KCL cannot be run by this package.
type UnlinkedError struct {
	KCL    string // its version
	Member string // a class, method or field that it lacks
}

// Error returns one line.
func (e *UnlinkedError) Error() string {
	return oneLine(fmt.Sprintf("KCL %s has no %s, which a worker needs; kcl-bootstrap --stock runs that version", e.KCL, e.Member))
}

// FindJava returns the path of the java command, as [bootstrap.FindJava] does, if
// it is of version 17 or later: older ones have no Unix sockets.
func FindJava(path string) (string, error) {
	java, err := bootstrap.FindJavaOf(path, leastJava)
	if errors.Is(err, bootstrap.ErrOldJava) {
		err = fmt.Errorf("%w (kcl-bootstrap --stock runs with Java 8 too)", err)
	}
	return java, err
}
