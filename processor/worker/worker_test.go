package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/handle"
)

// funcs is a RecordProcessor of a function for batches.
type funcs struct {
	records func(ctx context.Context, in processor.ProcessRecordsInput) error
	stopped func(what string)
	// requested is what ShutdownRequested returns before its checkpoint.
	requested func() error
}

func (f funcs) Initialize(context.Context, processor.InitializeInput) error { return nil }
func (f funcs) ProcessRecords(ctx context.Context, in processor.ProcessRecordsInput) error {
	return f.records(ctx, in)
}

func (f funcs) LeaseLost(context.Context, processor.LeaseLostInput) error {
	if f.stopped != nil {
		f.stopped("leaseLost")
	}
	return nil
}

func (f funcs) ShardEnded(ctx context.Context, in processor.ShardEndedInput) error {
	return in.Checkpointer.Checkpoint(ctx)
}

func (f funcs) ShutdownRequested(ctx context.Context, in processor.ShutdownRequestedInput) error {
	if f.stopped != nil {
		f.stopped("shutdownRequested")
	}
	if f.requested != nil {
		if err := f.requested(); err != nil {
			return err
		}
	}
	return in.Checkpointer.Checkpoint(ctx)
}

// start runs a worker until the test ends it.
func start(t *testing.T, w *Worker) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	once := sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { once() })
	return once
}

func TestRunServesAndStops(t *testing.T) {
	for _, relay := range []bool{false, true} {
		t.Run(fmt.Sprint("relay ", relay), func(t *testing.T) {
			r := newRig(t, "serves")
			r.config.Relay = relay
			served := make(chan string)
			var mu sync.Mutex
			ends := map[string]int{}
			w := r.worker(func(shard string) processor.RecordProcessor {
				return funcs{
					records: func(ctx context.Context, in processor.ProcessRecordsInput) error {
						if in.Lease.ShardID() != shard {
							t.Errorf("%s has the processor of %s", in.Lease.ShardID(), shard)
						}
						select {
						case served <- shard:
						default:
						}
						return in.Checkpointer.Checkpoint(ctx)
					},
					stopped: func(what string) { mu.Lock(); ends[what]++; mu.Unlock() },
				}
			})
			stop := start(t, w)
			for seen := map[string]bool{}; len(seen) < 2; {
				seen[<-served] = true
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
			if ends["shutdownRequested"] != 2 || ends["leaseLost"] != 2 {
				t.Errorf("%v, want both shards to end", ends)
			}
			if err := w.Run(t.Context()); err != ErrRunning {
				t.Errorf("a second Run: %v", err)
			}
		})
	}
}

// A processor that fails stops the other shard in order; when it fails again and
// again Run ends, and says which shard it was.
func TestFailingShardIsNamed(t *testing.T) {
	r := newRig(t, "serves")
	var log strings.Builder
	var mu sync.Mutex
	r.config.Log = slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return log.Write(p)
	}), nil))
	var requested atomic.Int32
	planted := errors.New("planted")
	served := make(chan struct{}, 10) // by the other shard, once in each run
	err := r.worker(func(shard string) processor.RecordProcessor {
		first := sync.OnceFunc(func() { served <- struct{}{} })
		return funcs{
			records: func(context.Context, processor.ProcessRecordsInput) error {
				if shard == "shard-1" {
					<-served
					return planted
				}
				first()
				return nil
			},
			stopped: func(string) { requested.Add(1) },
		}
	}).Run(t.Context())
	var shard *ShardError
	if !errors.As(err, &shard) || shard.ShardID != "shard-1" || shard.Failures != 4 || !errors.Is(err, planted) {
		t.Errorf("error %v", err)
	}
	if got := requested.Load(); got != 2*4 {
		t.Errorf("the other shard heard of its end %d times, want 8", got)
	}
	if n := r.runs(); n != 4 {
		t.Errorf("Java ran %d times, want 4: the policy's limit is 3", n)
	}
	if !strings.Contains(log.String(), "a shard fails again and again") || !strings.Contains(log.String(), "failures=4") {
		t.Errorf("the log does not name it:\n%s", &log)
	}
}

// What fails in the last stop is Run's error: the shard has no checkpoint there.
func TestFailureInTheLastStop(t *testing.T) {
	r := newRig(t, "serves")
	served := make(chan struct{}, 2)
	planted := errors.New("planted")
	stop := start(t, r.worker(func(shard string) processor.RecordProcessor {
		first := sync.OnceFunc(func() { served <- struct{}{} })
		return funcs{
			records: func(context.Context, processor.ProcessRecordsInput) error {
				first()
				return nil
			},
			requested: func() error {
				if shard == "shard-1" {
					return planted
				}
				return nil
			},
		}
	}))
	<-served
	<-served
	err := stop()
	var shard *ShardError
	if !errors.As(err, &shard) || shard.ShardID != "shard-1" || !errors.Is(err, planted) {
		t.Errorf("error %v", err)
	}
	if n := r.runs(); n != 1 {
		t.Errorf("Java ran %d times, want 1", n)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// The next processor of a shard waits until the one before has returned, which
// its context has told it to.
func TestNeverTwoProcessorsOfAShard(t *testing.T) {
	for name, overlap := range map[string]bool{"a method": false, "a goroutine of package handle": true} {
		t.Run(name, func(t *testing.T) {
			if !overlap {
				long(t) // processor.Run waits 3 s for its method
			}
			r := newRig(t, "dies in a batch")
			var made, working atomic.Int32
			cancelled, again := make(chan struct{}), make(chan struct{})
			returns := make(chan struct{})
			work := func(ctx context.Context) error {
				if working.Add(1) > 1 {
					t.Error("two processors of the shard are at work")
				}
				defer working.Add(-1)
				if made.Load() > 1 {
					close(again)
					return nil
				}
				os.WriteFile(filepath.Join(r.state, "at work"), nil, 0o600)
				<-ctx.Done()
				close(cancelled)
				<-returns
				return nil
			}
			w := r.worker(func(string) processor.RecordProcessor {
				made.Add(1)
				if overlap {
					return handle.Record(func(ctx context.Context, _ processor.Record) error { return work(ctx) }, handle.WithMaxInFlight(10, 1<<20))
				}
				return funcs{records: func(ctx context.Context, _ processor.ProcessRecordsInput) error { return work(ctx) }}
			})
			stop := start(t, w)
			<-cancelled
			// Its successor has been announced, and waits.
			for waiting := false; !waiting; time.Sleep(time.Millisecond) { // a state has no event
				for _, shard := range w.Status().Shards {
					waiting = waiting || shard.State == ShardWaiting
				}
			}
			if n := made.Load(); n != 1 {
				t.Errorf("%d processors were made, want 1", n)
			}
			close(returns)
			<-again
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// One that does not return ends Run: nobody else can help it.
func TestHungProcessorEndsRun(t *testing.T) {
	for name, overlap := range map[string]bool{"a method": false, "a goroutine of package handle": true} {
		t.Run(name, func(t *testing.T) {
			if !overlap {
				long(t) // processor.Run waits 3 s for its method
			}
			defer func(grace time.Duration) { lastGrace = grace }(lastGrace)
			lastGrace = 50 * time.Millisecond
			r := newRig(t, "dies in a batch")
			r.config.ReturnGrace = 50 * time.Millisecond
			hung := make(chan struct{})
			var calls atomic.Int32
			work := func() error {
				calls.Add(1)
				os.WriteFile(filepath.Join(r.state, "at work"), nil, 0o600)
				<-hung
				return nil
			}
			w := r.worker(func(string) processor.RecordProcessor {
				if overlap {
					return handle.Record(func(context.Context, processor.Record) error { return work() }, handle.WithMaxInFlight(10, 1<<20))
				}
				return funcs{records: func(context.Context, processor.ProcessRecordsInput) error { return work() }}
			})
			err := w.Run(context.Background())
			close(hung)
			if !errors.Is(err, ErrHung) || !strings.Contains(err.Error(), "shard-0") {
				t.Errorf("error %v", err)
			}
			if n := calls.Load(); n != 1 {
				t.Errorf("%d processors were at work, want 1", n)
			}
		})
	}
}

func long(t *testing.T) {
	t.Helper()
	if os.Getenv("LONG_TESTS") == "" {
		t.Skip("a long test: set LONG_TESTS=1 to run it")
	}
}

// A stop that comes before there is anything to stop is a stop.
func TestStoppedBeforeTheStart(t *testing.T) {
	r := newRig(t, "serves")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.worker(func(string) processor.RecordProcessor { return nil }).Run(ctx); err != nil || r.runs() != 0 {
		t.Errorf("error %v after %d runs", err, r.runs())
	}
}

// A daemon that cannot start is not started again and again.
func TestFirstStartFails(t *testing.T) {
	r := newRig(t, "dies at once")
	err := r.worker(func(string) processor.RecordProcessor { return nil }).Run(t.Context())
	var exit *bootstrap.ExitError
	if !errors.As(err, &exit) || exit.Code != 1 || !strings.Contains(err.Error(), "no memory") {
		t.Errorf("error %v", err)
	}
	if n := r.runs(); n != 1 {
		t.Errorf("Java ran %d times", n)
	}
}

func TestNoProcessor(t *testing.T) {
	r := newRig(t, "serves")
	r.config.Restart.Limit = -1
	err := r.worker(func(string) processor.RecordProcessor { return nil }).Run(t.Context())
	var shard *ShardError
	if !errors.As(err, &shard) || !strings.Contains(err.Error(), "has returned nil") || r.runs() != 1 {
		t.Errorf("error %v after %d runs", err, r.runs())
	}
}

// Config.HTTP is served at 127.0.0.1 while Run runs.
func TestHTTP(t *testing.T) {
	r := newRig(t, "serves")
	r.config.HTTP = ":0"
	urls := make(chan string, 1)
	r.config.Log = slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		if _, url, ok := strings.Cut(string(p), `msg="status page" url=`); ok {
			urls <- strings.TrimSpace(url)
		}
		return len(p), nil
	}), nil))
	served := make(chan struct{}, 2)
	stop := start(t, r.worker(func(string) processor.RecordProcessor {
		first := sync.OnceFunc(func() { served <- struct{}{} })
		return funcs{records: func(context.Context, processor.ProcessRecordsInput) error {
			first()
			return nil
		}}
	}))
	<-served
	<-served
	url := <-urls
	if !strings.HasPrefix(url, "http://127.0.0.1:") {
		t.Errorf("it is served at %s", url)
	}
	for path, want := range map[string]string{"readyz": "ready", "status.json": `"shardId"`, "metrics": "kcl_daemon_up 1"} {
		resp, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 || !strings.Contains(string(body), want) {
			t.Errorf("%s: %s, %v, %s", path, resp.Status, err, body)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if resp, err := http.Get(url); err == nil {
		resp.Body.Close()
		t.Error("it is served after Run")
	}
}

func TestConfigurationErrors(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	for name, c := range map[string]struct {
		change func(*Config)
		want   []string
	}{
		"nothing":        {func(c *Config) { *c = Config{} }, []string{"Config.Stream is empty", "Config.Application is empty"}},
		"two worker IDs": {func(c *Config) { c.WorkerID, c.StateDir = "a", "b" }, []string{"WorkerID and StateDir are both set"}},
		"negative":       {func(c *Config) { c.MaxLeases, c.FailoverTime = -1, -1 }, []string{"MaxLeases is negative", "FailoverTime is negative"}},
		"an unknown property": {
			func(c *Config) { c.Properties = map[string]string{"maxRecord": "1"} },
			[]string{"worker.Config: error: maxRecord", "maxRecords"},
		},
		"a bad value": {func(c *Config) { c.InitialPosition = "FIRST" }, []string{"worker.Config: error: initialPositionInStream"}},
		"no file":     {func(c *Config) { c.PropertiesFile = "no such file" }, []string{"no such file does not exist"}},
		"no shim":     {func(c *Config) { c.Shim = "no/such/shim" }, []string{"Config.Shim"}},
		"no java":     {func(c *Config) { c.Java = "no/such/java" }, []string{"no Java"}},
		"a bad option": {
			func(c *Config) { c.Options = []processor.Option{processor.WithCheckpointRetries(-1)} },
			[]string{"Config.Options", "WithCheckpointRetries"},
		},
		"a bad address": {func(c *Config) { c.HTTP = "8080" }, []string{"Config.HTTP"}},
		"nobody there":  {func(c *Config) { c.KinesisEndpoint = "http://127.0.0.1:1" }, []string{"nobody answers"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "serves")
			c.change(&r.config)
			err := r.worker(func(string) processor.RecordProcessor { return nil }).Run(t.Context())
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want %q in it", err, want)
				}
			}
			if r.runs() != 0 {
				t.Error("Java was started")
			}
		})
	}
}

// A program whose main does not begin with Shim is told so, before the daemon
// starts it again and again.
func TestNoShim(t *testing.T) {
	r := newRig(t, "serves")
	shimmed.Store(false)
	defer shimmed.Store(true)
	w := r.worker(func(string) processor.RecordProcessor { return nil })
	if err := w.Run(t.Context()); !errors.Is(err, ErrNoShim) {
		t.Error(err)
	}
	shimmed.Store(true)
	t.Setenv("KCL_WORKER_SOCKET", "somewhere")
	w = r.worker(func(string) processor.RecordProcessor { return nil })
	if err := w.Run(t.Context()); !errors.Is(err, ErrNoShim) {
		t.Error(err)
	}
}

func TestProperties(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL_KINESIS", "http://127.0.0.1:4567")
	t.Setenv("AWS_ENDPOINT_URL_DYNAMODB", "")
	c := Config{
		Stream: "s", Application: "a", Region: "r", InitialPosition: AtTimestamp, InitialTimestamp: time.Unix(1700000000, 5),
		RetrievalMode: FanOut, ConsumerName: "c", MaxRecords: 7, IdleTimeBetweenReads: 250 * time.Millisecond,
		FailoverTime: 3 * time.Second, MaxLeases: 2, Table: "t", MessageTimeout: time.Minute, WorkerID: "w",
		ShutdownGrace: 1, NoEmptyBatches: true,
		Properties: map[string]string{"taskBackoffTimeMillis": "100", "streamName": "another"},
	}
	all := c.properties()
	c.defaults(all, func(name string) bool { return name == "leaseAssignmentIntervalMillis" })
	want := map[string]string{
		"streamName": "s", "applicationName": "a", "regionName": "r", "initialPositionInStream": "AT_TIMESTAMP",
		"initialPositionInStreamExtended": "1700000000", "retrievalMode": "FANOUT", "fanoutConfig.consumerName": "c",
		"maxRecords": "7", "idleTimeBetweenReadsInMillis": "250", "failoverTimeMillis": "3000", "maxLeasesForWorker": "2",
		"tableName": "t", "timeoutInSeconds": "60", "workerId": "w", "shutdownGraceMillis": "0",
		"callProcessRecordsEvenForEmptyRecordList": "false", "taskBackoffTimeMillis": "100",
		// Defaults: the file has the interval.
		"AwsCredentialsProvider": "DefaultCredentialsProvider", "kinesisEndpoint": "http://127.0.0.1:4567", "metricsLevel": "NONE",
		"processingLanguage": "go",
	}
	for name, value := range want {
		if all[name] != value {
			t.Errorf("%s = %q, want %q", name, all[name], value)
		}
		delete(all, name)
	}
	if len(all) > 0 {
		t.Errorf("besides: %v", all)
	}
}

func TestDaemonLogLines(t *testing.T) {
	var out strings.Builder
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	fmt.Fprint(logLines{log}, "2026-01-01T00:00:00.000Z INFO  Scheduler - Initialization complete.\n")
	fmt.Fprint(logLines{log}, "2026-01-01T00:00:00.000Z ERROR LeaseCoordinator - a - b\nPicked up JAVA_TOOL_OPTIONS: -Xmx1g\n")
	want := `level=INFO msg="Initialization complete." logger=Scheduler
level=ERROR msg="a - b" logger=LeaseCoordinator
level=WARN msg="Picked up JAVA_TOOL_OPTIONS: -Xmx1g"
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}
