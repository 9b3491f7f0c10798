package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/bootstrap/engine"
	"github.com/seed96110120/kinesis-client-go/processor"
)

// ShardInfo says which shard a processor is for.
type ShardInfo struct {
	// Stream is the stream's name. Streams of two accounts may have one name.
	Stream string
	// StreamARN is its ARN; empty when one stream alone is read, by its name.
	StreamARN string
	// ShardID is the shard's ID, such as shardId-000000000000. Each stream may have
	// a shard of this ID.
	ShardID string
	// LeaseKey is what names the shard among all of the application, and its lease
	// in KCL's table: ShardID, or with several streams ACCOUNT:NAME:EPOCH:SHARD, where
	// EPOCH is when the stream was made in seconds since 1970. See
	// processor.SplitLeaseKey and processor.LeaseFile.
	LeaseKey string
}

// A Worker runs KCL and serves all shards that it takes. Make it with [New]. Its
// methods may be called by any goroutine.
type Worker struct {
	config       Config
	newProcessor func(ShardInfo) (processor.RecordProcessor, error)
	log          *slog.Logger
	board        *board
	running      atomic.Bool
	lock         *bootstrap.Lock // of KCL's jars; tests have another

	latest sync.Once // it was said that a shard starts at LATEST

	mu     sync.Mutex
	shards map[string]*shard // by lease key; those with a session
}

// New makes a worker. newProcessor makes the processor of a shard, whenever its
// records are to be read: after its lease was taken, and again after a failure.
// It may be called by several goroutines at once. Its error is a failure of the
// shard like any other.
//
// A processor that has the methods Done and Observe of package handle's
// Processor, because it is one or embeds one, is asked by Done when the next may
// be made for its shard, and tells metrics and page more than others can.
func New(config Config, newProcessor func(ShardInfo) (processor.RecordProcessor, error)) *Worker {
	log := config.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Worker{
		config: config, newProcessor: newProcessor, log: log, board: newBoard(time.Now),
		lock: bootstrap.DaemonLock(), shards: make(map[string]*shard),
	}
}

// Run is New(config, newProcessor).Run(ctx).
func Run(ctx context.Context, config Config, newProcessor func(ShardInfo) (processor.RecordProcessor, error)) error {
	return New(config, newProcessor).Run(ctx)
}

// Run checks the configuration, fetches and verifies KCL's jars and, where there is none,
// Java, starts it and serves its shards, each in a goroutine of its own, until ctx ends:
// then it stops gracefully, within Config.ShutdownGrace and a few seconds, and returns nil.
//
// It returns an error, after it has stopped everything, when
//
//   - something is wrong with the configuration: a *bootstrap.ConfigError for
//     the properties;
//   - the jars cannot be fetched, or there is no Java 17 or later and none can be
//     fetched;
//   - Java ended before KCL was ready for the first time, or more often than
//     Config.Restart allows: a *bootstrap.ExitError;
//   - KCL did not complete its stop when ctx had ended: a *bootstrap.ExitError;
//   - a processor does not return at the end: [ErrHung].
//
// While it runs, a processor that fails, panics or exceeds its time limit is
// replaced by a new one, at its shard's last checkpoint; other shards do not
// notice. A Java that ends by itself is started again.
//
// Run may be called once.
func (w *Worker) Run(ctx context.Context) error {
	if w.running.Swap(true) {
		return ErrRunning
	}
	w.board.begun()
	err := w.work(ctx)
	w.board.daemonEnded(err, false)
	if err != nil {
		err = fmt.Errorf("worker: %w", err)
	}
	return err
}

func (w *Worker) work(ctx context.Context) error {
	if err := w.config.validate(); err != nil {
		return err
	}
	if w.newProcessor == nil {
		return errors.New("there is no function that makes processors")
	}
	// With nothing to read, this looks at the options and no more.
	if err := processor.Run(context.WithoutCancel(ctx), nil, strings.NewReader(""), io.Discard, w.config.Options...); err != nil {
		return fmt.Errorf("Config.Options: %w", err)
	}
	stopServing, err := w.serveHTTP()
	if err != nil {
		return err
	}
	defer stopServing()
	w.board.daemonPreparing()
	dir, err := os.MkdirTemp("", "kcl-worker-")
	if err != nil {
		return fmt.Errorf("cannot make a folder for the properties: %w", err)
	}
	defer os.RemoveAll(dir)
	p, err := w.prepare(ctx, dir)
	if p.command.Worker != nil {
		defer p.command.Worker.Close()
	}
	if err == nil {
		err = w.supervise(ctx, p)
	}
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		err = nil // stopped before there was anything to stop
	}
	return errors.Join(err, w.awaitProcessors())
}

// A plan is what the configuration comes to.
type plan struct {
	command        bootstrap.Command
	shutdownGrace  time.Duration
	messageTimeout time.Duration // 0 for none
}

// prepare checks everything and fetches the jars, what is quick first.
func (w *Worker) prepare(ctx context.Context, dir string) (p plan, err error) {
	c := &w.config
	file := c.PropertiesFile
	if file == "" {
		// KCL wants one.
		file = filepath.Join(dir, "worker.properties")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			return p, err
		}
	}
	properties, err := bootstrap.ReadProperties(file)
	if err != nil {
		return p, err
	}
	overrides := c.properties()
	c.defaults(overrides, func(name string) bool { _, ok := properties.Get(name); return ok })
	if c.WorkerID == "" && c.StateDir == "" && overrides["workerId"] == "" {
		if _, ok := properties.Get("workerId"); !ok {
			overrides["workerId"] = randomWorkerID()
		}
	}
	overrides[executableName] = "none" // KCL insists on one
	for name, value := range overrides {
		properties.Set(name, value)
	}
	warnings, err := properties.Check(bootstrap.DaemonKeys())
	for _, f := range w.findings(warnings) {
		w.log.Warn("configuration: " + f.String())
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
	// Check has seen that they are numbers.
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
		return p, err // Check has found none
	}
	names := make([]string, len(streams))
	for i, s := range streams {
		names[i] = s.Stream
	}
	region, _ := properties.Get("regionName")
	workerID, _ := properties.Get("workerId")
	w.board.identify(application, names, region, workerID)
	empty, _ := properties.Get("callProcessRecordsEvenForEmptyRecordList")
	// Check has seen that it is one of these, or one of those for false.
	w.board.withoutEmptyBatches(!slices.Contains([]string{"true", "yes", "y", "on", "1"}, strings.ToLower(empty)))

	p.command = bootstrap.Command{
		Properties: file, Overrides: overrides, JavaOptions: c.JavaOptions, ClassPath: c.ClassPath,
	}
	var noJava error
	p.command.Java, noJava = engine.FindJava(c.Java)
	if noJava != nil && (c.NoFetchJava || !bootstrap.CanFetchJava(noJava)) {
		return p, noJava
	}
	if err := properties.CheckEndpoints(ctx, c.JavaOptions...); err != nil {
		return p, err
	}
	fetch := c.Fetch
	if fetch.Log == nil {
		fetch.Log = w.log
	}
	if noJava != nil {
		if p.command.Java, err = bootstrap.FetchJava(ctx, nil, fetch); err != nil {
			return p, fmt.Errorf("%w: JAVA_HOME is not set and PATH has no Java 17 or later; %w", bootstrap.ErrNoJava, err)
		}
	}
	fetched, err := bootstrap.Fetch(ctx, w.lock, fetch)
	if err != nil {
		return p, err
	}
	if fetched.Downloaded > 0 {
		w.log.Info("fetched KCL's jars", "files", fetched.Downloaded, "bytes", fetched.DownloadedBytes)
	}
	p.command.Jars = fetched.Files
	if !c.NoArchive {
		p.command.CacheDir = fetched.CacheDir
	}
	if c.StateDir != "" {
		if p.command.Worker, err = bootstrap.ClaimWorker(ctx, c.StateDir, application, w.log); err != nil {
			return p, err
		}
		w.board.identify(application, names, region, p.command.Worker.ID)
	}
	return p, nil
}

// executableName is the property that names a program for each shard. A worker
// has none, whatever the user's file says.
const executableName = "executableName"

// findings returns those that concern a worker, and says where a property stands
// that is not in the user's file.
func (w *Worker) findings(all []bootstrap.Finding) (own []bootstrap.Finding) {
	own = slices.DeleteFunc(slices.Clone(all), func(f bootstrap.Finding) bool { return f.Key == executableName })
	for i := range own {
		if own[i].File == "" || w.config.PropertiesFile == "" {
			own[i].File = "worker.Config"
		}
	}
	return own
}

// randomWorkerID makes a worker ID that nobody else has.
func randomWorkerID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "worker"
	}
	return host + "-" + strings.ToLower(rand.Text()[:8])
}

// Status tells what the worker is about.
func (w *Worker) Status() Status { return w.board.status() }
