package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/bootstrap/engine"
	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/handle"
)

// ShardInfo describes the shard that a processor is made for.
type ShardInfo struct {
	// Stream is the stream's name. Streams of two accounts may have the same name.
	Stream string
	// StreamARN is the stream's ARN; empty if the worker reads one stream, by its name.
	StreamARN string
	// ShardID is the shard's ID, such as shardId-000000000000. Each stream may have a
	// shard with this ID.
	ShardID string
	// LeaseKey is unique among all shards of the application, and is the key of the
	// shard's lease in KCL's table: ShardID, or with several streams
	// ACCOUNT:NAME:EPOCH:SHARD, where EPOCH is when the stream was created, in seconds
	// since 1970. See processor.SplitLeaseKey and processor.LeaseFile.
	LeaseKey string
}

// A Worker runs KCL and serves all shards whose leases it takes. Make it with [New].
// Its methods may be called concurrently.
type Worker struct {
	config       Config
	newProcessor func(ShardInfo) (processor.RecordProcessor, error)
	logger       *slog.Logger
	recorder     *recorder
	running      atomic.Bool
	jarLock      *bootstrap.Lock // tests set another
	warnLatest   sync.Once       // that a shard starts at LATEST

	mu        sync.Mutex
	shards    map[string]*shard // by lease key; those with a session
	observers []handle.Observer
}

// New returns a Worker. newProcessor makes the processor of a shard: when its lease has
// been taken, and again after each failure. It may be called concurrently. An error that
// it returns is a failure of the shard, like any other.
//
// If a processor implements [processor.AsyncProcessor], the next one for its shard is
// made after its Done channel is closed. One that implements [handle.Observable] reports
// more than others. Processors of package handle, and types that embed one, implement
// both.
func New(config Config, newProcessor func(ShardInfo) (processor.RecordProcessor, error)) *Worker {
	logger := config.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Worker{
		config: config, newProcessor: newProcessor, logger: logger, recorder: newRecorder(time.Now),
		jarLock: bootstrap.DaemonLock(), shards: make(map[string]*shard),
	}
}

// Run is New(config, newProcessor).Run(ctx).
func Run(ctx context.Context, config Config, newProcessor func(ShardInfo) (processor.RecordProcessor, error)) error {
	return New(config, newProcessor).Run(ctx)
}

// Observe has o called for all shards, in addition to the observers of their
// processors. Call it before Run: o is not told about processors that were made before.
// A processor that is not [handle.Observable] reports only its batches, by BatchReceived
// and BatchFinished.
func (w *Worker) Observe(o handle.Observer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.observers = append(w.observers, o)
}

// Logger returns Config.Logger, or one that logs nothing if that is nil.
func (w *Worker) Logger() *slog.Logger { return w.logger }

// Status returns a snapshot of the worker.
func (w *Worker) Status() Status { return w.recorder.snapshot() }

// Run checks the configuration, fetches and verifies KCL's jars and, if there is none,
// Java, starts Java, and serves the shards until ctx ends, each in its own goroutine.
// Then it stops gracefully and returns nil: at most ShutdownGrace + 5 s after the end of
// ctx, or ShutdownGrace + 13 s if a processor does not return.
//
// It returns an error, after it has stopped everything, when
//
//   - the configuration is wrong: a *bootstrap.ConfigError if it is a property;
//   - the jars cannot be fetched, or there is no Java 17 or later and none can be
//     fetched;
//   - Java ended before KCL was ever ready, or more often than Config.Java.Restart
//     allows: a *bootstrap.ExitError;
//   - KCL did not complete its stop after ctx had ended: a *bootstrap.ExitError;
//   - a processor does not return at the end: [ErrHung].
//
// While Run works, a processor that fails, panics or exceeds its time limit is replaced
// by a new one at its shard's last checkpoint; other shards are not affected. Java that
// ends by itself is started again.
//
// Run may be called once.
func (w *Worker) Run(ctx context.Context) error {
	if w.running.Swap(true) {
		return ErrRunning
	}
	w.recorder.beginRun()
	err := w.config.validate()
	switch {
	case err != nil:
	case w.newProcessor == nil:
		err = errors.New("worker: the function that makes processors is nil")
	default:
		if err = w.run(ctx); err != nil {
			err = fmt.Errorf("worker: %w", err)
		}
	}
	w.recorder.daemonEnded(err, false)
	return err
}

func (w *Worker) run(ctx context.Context) error {
	w.recorder.setDaemonState(DaemonPreparing)
	p, err := w.prepare(ctx)
	if p.command.Claim != nil {
		defer p.command.Claim.Close()
	}
	if err == nil {
		err = w.supervise(ctx, p)
	}
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		err = nil // stopped before there was anything to stop
	}
	return errors.Join(err, w.awaitProcessors())
}

// A plan describes what to run.
type plan struct {
	command        bootstrap.Command
	shutdownGrace  time.Duration
	messageTimeout time.Duration // 0 means none
}

// prepare checks everything, the quick checks first, and fetches the jars.
func (w *Worker) prepare(ctx context.Context) (p plan, err error) {
	c := &w.config
	properties := &bootstrap.Properties{}
	if c.PropertiesFile != "" {
		if properties, err = bootstrap.ReadProperties(c.PropertiesFile); err != nil {
			return p, err
		}
	}
	overrides := c.properties()
	c.addDefaults(overrides, func(name string) bool { _, ok := properties.Get(name); return ok })
	if c.Leases.WorkerID == "" && c.Leases.StateDir == "" && overrides["workerId"] == "" {
		if _, ok := properties.Get("workerId"); !ok {
			overrides["workerId"] = randomWorkerID()
		}
	}
	overrides[executableName] = "none" // KCL requires one
	for name, value := range overrides {
		properties.Set(name, value)
	}
	warnings, err := properties.Check(nil)
	for _, f := range w.findings(warnings) {
		w.logger.Warn("configuration: " + f.String())
	}
	var wrong *bootstrap.ConfigError
	if errors.As(err, &wrong) {
		if wrong.Findings = w.findings(wrong.Findings); len(wrong.Findings) == 0 {
			err = nil
		}
	}
	if err != nil {
		return p, err
	}
	// After Check they are numbers.
	number := func(name string) time.Duration {
		text, _ := properties.Get(name)
		n, _ := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		return time.Duration(n)
	}
	p.shutdownGrace = number("shutdownGraceMillis") * time.Millisecond
	p.messageTimeout = number("timeoutInSeconds") * time.Second
	application, _ := properties.Get("applicationName")
	streams, err := properties.Streams()
	if err != nil {
		return p, err // not after Check
	}
	names := make([]string, len(streams))
	for i, s := range streams {
		names[i] = s.Stream
	}
	region, _ := properties.Get("regionName")
	workerID, _ := properties.Get("workerId")
	w.recorder.setIdentity(application, names, region, workerID)
	empty, _ := properties.Get("callProcessRecordsEvenForEmptyRecordList")
	// After Check it is one of these, or one of those for false.
	w.recorder.setNoEmptyBatches(!slices.Contains([]string{"true", "yes", "y", "on", "1"}, strings.ToLower(empty)))

	p.command = bootstrap.Command{
		Properties: properties, JavaOptions: c.Java.Options, ClassPath: c.Java.ClassPath,
	}
	if err := properties.CheckEndpoints(ctx, c.Java.Options...); err != nil {
		return p, err
	}
	fetch := c.Java.Fetch
	if fetch.Logger == nil {
		fetch.Logger = w.logger
	}
	if c.Java.NoFetch {
		p.command.Java, err = bootstrap.FindJava(c.Java.Path, engine.MinJava)
	} else {
		p.command.Java, err = bootstrap.FindOrFetchJava(ctx, c.Java.Path, engine.MinJava, &fetch)
	}
	if err != nil {
		return p, err
	}
	fetched, err := bootstrap.Fetch(ctx, w.jarLock, &fetch)
	if err != nil {
		return p, err
	}
	if fetched.Downloaded > 0 {
		w.logger.Info("fetched KCL's jars", "files", fetched.Downloaded, "bytes", fetched.DownloadedBytes)
	}
	p.command.Jars = fetched.Files
	if !c.Java.NoArchive {
		p.command.CacheDir = fetched.CacheDir
	}
	if c.Leases.StateDir != "" {
		if p.command.Claim, err = bootstrap.ClaimWorkerID(ctx, c.Leases.StateDir, application, &bootstrap.ClaimOptions{Logger: w.logger}); err != nil {
			return p, err
		}
		w.recorder.setIdentity(application, names, region, p.command.Claim.ID)
	}
	return p, nil
}

// executableName is the property that names the program for a shard. A worker ignores
// it.
const executableName = "executableName"

// findings returns the findings that concern a worker. For a property that is not in
// the user's file, it sets File to the field of Config.
func (w *Worker) findings(all []bootstrap.Finding) (own []bootstrap.Finding) {
	own = slices.DeleteFunc(slices.Clone(all), func(f bootstrap.Finding) bool { return f.Key == executableName })
	for i := range own {
		if own[i].File == "" {
			own[i].File = w.config.source(own[i].Key)
		}
	}
	return own
}

// randomWorkerID returns a worker ID that no other worker has.
func randomWorkerID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "worker"
	}
	return host + "-" + strings.ToLower(rand.Text()[:8])
}
