package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/worker/internal/handover"
)

// A Worker runs the daemon and serves all shards that it takes. Make it with
// [New]. Its methods may be called by any goroutine.
type Worker struct {
	config       Config
	newProcessor func(shardID string) processor.RecordProcessor
	log          *slog.Logger
	board        *board
	shards       shards
	running      atomic.Bool
	lock         *bootstrap.Lock // of the daemon's jars; tests have another

	mu       sync.Mutex
	run      *daemonRun // the daemon that runs, nil for none
	sessions map[*session]struct{}
}

// New makes a worker. newProcessor makes the processor of a shard, each time
// that this worker takes its lease; it may be called by several goroutines at
// once. One that has the methods Done and Observe of package handle's
// Processor, because it is one or embeds one, is asked by Done when the next may
// be made for its shard, and tells metrics and page more than others can.
func New(config Config, newProcessor func(shardID string) processor.RecordProcessor) *Worker {
	log := config.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Worker{
		config: config, newProcessor: newProcessor, log: log, board: newBoard(time.Now),
		lock: bootstrap.DaemonLock(), sessions: make(map[*session]struct{}),
	}
}

// Run is New(config, newProcessor).Run(ctx).
func Run(ctx context.Context, config Config, newProcessor func(shardID string) processor.RecordProcessor) error {
	return New(config, newProcessor).Run(ctx)
}

// Run checks the configuration, fetches and verifies the daemon's jars, starts
// the daemon and serves its shards, each in a goroutine of its own, until ctx
// ends: then it stops gracefully, within Config.ShutdownGrace and a few seconds,
// and returns nil.
//
// It returns an error, after it has stopped everything, when
//
//   - something is wrong with the configuration: a *bootstrap.ConfigError for
//     the properties, or [ErrNoShim];
//   - the jars cannot be fetched, or there is no Java;
//   - the daemon ended before it was ready for the first time, or more often
//     than Config.Restart allows: a *bootstrap.ExitError, or a [*ShardError]
//     when it was a shard that failed;
//   - it did not complete its stop when ctx had ended: a *bootstrap.ExitError;
//     or a processor failed in it: a [*ShardError];
//   - a processor does not return ([ErrHung]): for Config.ReturnGrace while
//     another waits for its shard, or for 5 s at the end.
//
// While it runs, a daemon that ends is started again. So is one with a processor
// that has failed or panicked, after the other shards have been stopped as they
// are at any stop, with their checkpoints.
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

func (w *Worker) work(ctx context.Context) (err error) {
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
	executable, err := w.shim()
	if err != nil {
		return err
	}
	listener, err := handover.Listen(executable, w.config.Relay)
	if err != nil {
		return err
	}
	accepted := make(chan error, 1)
	go func() {
		accepted <- listener.Accept(func(c *handover.Child) { w.accept(ctx, c) },
			func(err error) { w.log.Warn("refused a caller that is no shim of this worker", "error", err) })
	}()
	defer func() { err = errors.Join(err, listener.Close(), <-accepted) }()
	w.board.daemonPreparing()
	command, err := w.prepare(ctx, listener)
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
			return nil // stopped before there was anything to stop
		}
		return err
	}
	if command.Worker != nil {
		defer command.Worker.Close()
	}
	err = w.supervise(ctx, command, append(os.Environ(), listener.Environ()...))
	return errors.Join(err, w.awaitProcessors())
}

// shim returns the executable that the daemon is to start.
func (w *Worker) shim() (string, error) {
	switch {
	case os.Getenv(handover.SocketEnv) != "":
		// This is a shim, whose main has not begun with Shim.
		return "", ErrNoShim
	case w.config.Shim != "":
		if _, err := os.Stat(w.config.Shim); err != nil {
			return "", fmt.Errorf("Config.Shim: %w", err)
		}
		return filepath.Abs(w.config.Shim)
	case !shimmed.Load():
		return "", ErrNoShim
	}
	return handover.Self()
}

// prepare checks everything and fetches the jars, what is quick first.
func (w *Worker) prepare(ctx context.Context, listener *handover.Listener) (command bootstrap.Command, err error) {
	c := &w.config
	file := c.PropertiesFile
	if file == "" {
		// The daemon wants one.
		file = listener.Path("worker.properties")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			return command, err
		}
	}
	properties, err := bootstrap.ReadProperties(file)
	if err != nil {
		return command, err
	}
	overrides := c.properties()
	c.defaults(overrides, func(name string) bool { _, ok := properties.Get(name); return ok })
	if c.WorkerID == "" && c.StateDir == "" && overrides["workerId"] == "" {
		if _, ok := properties.Get("workerId"); !ok {
			overrides["workerId"] = randomWorkerID()
		}
	}
	overrides["executableName"] = listener.Command()
	for name, value := range overrides {
		properties.Set(name, value)
	}
	warnings, err := properties.Check(bootstrap.DaemonKeys())
	for _, f := range warnings {
		w.log.Warn("configuration: " + named(f, c).String())
	}
	if err != nil {
		var config *bootstrap.ConfigError
		if errors.As(err, &config) {
			for i, f := range config.Findings {
				config.Findings[i] = named(f, c)
			}
		}
		return command, err
	}
	application, _ := properties.Get("applicationName")
	stream, _ := properties.Get("streamName")
	if arn, ok := properties.Get("streamArn"); ok {
		stream = arn
	}
	region, _ := properties.Get("regionName")
	workerID, _ := properties.Get("workerId")
	w.board.identify(application, stream, region, workerID)

	command = bootstrap.Command{
		Properties: file, Overrides: overrides, JavaOptions: c.JavaOptions,
		ClassPath: c.ClassPath, LogConfiguration: c.LogConfiguration,
	}
	if command.Java, err = bootstrap.FindJava(c.Java); err != nil {
		return command, err
	}
	if err := properties.CheckEndpoints(ctx); err != nil {
		return command, err
	}
	fetch := c.Fetch
	if fetch.Log == nil {
		fetch.Log = w.log
	}
	fetched, err := bootstrap.Fetch(ctx, w.lock, fetch)
	if err != nil {
		return command, err
	}
	if fetched.Downloaded > 0 {
		w.log.Info("fetched the daemon's jars", "files", fetched.Downloaded, "bytes", fetched.DownloadedBytes)
	}
	command.Jars = fetched.Files
	if c.StateDir != "" {
		if command.Worker, err = bootstrap.ClaimWorker(ctx, c.StateDir, application, w.log); err != nil {
			return command, err
		}
		w.board.identify(application, stream, region, command.Worker.ID)
	}
	return command, nil
}

// named says where a property stands that is not in the user's file.
func named(f bootstrap.Finding, c *Config) bootstrap.Finding {
	if f.File == "" || c.PropertiesFile == "" {
		f.File = "worker.Config"
	}
	return f
}

// serveHTTP serves Handler at Config.HTTP, if there is one.
func (w *Worker) serveHTTP() (stop func(), err error) {
	if w.config.HTTP == "" {
		return func() {}, nil
	}
	host, port, err := net.SplitHostPort(w.config.HTTP)
	if err != nil {
		return nil, fmt.Errorf("Config.HTTP: %w", err)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("cannot serve the status page: %w", err)
	}
	server := &http.Server{
		Handler: w.Handler(), ReadHeaderTimeout: 10 * time.Second,
		ErrorLog: slog.NewLogLogger(w.log.Handler(), slog.LevelWarn),
	}
	go server.Serve(listener)
	w.log.Info("status page", "url", "http://"+listener.Addr().String()+"/")
	return func() { server.Close() }, nil
}

// randomWorkerID makes a worker ID that nobody else has.
func randomWorkerID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "worker"
	}
	return host + "-" + strings.ToLower(randomText())
}

// Status tells what the worker is about.
func (w *Worker) Status() Status { return w.board.status() }
