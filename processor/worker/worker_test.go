package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
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
	initialize func() error
	records    func(ctx context.Context, in processor.ProcessRecordsInput) error
	stopped    func(what string)
	// requested is what ShutdownRequested returns before its checkpoint.
	requested func() error
}

func (f funcs) Initialize(context.Context, processor.InitializeInput) error {
	if f.initialize != nil {
		return f.initialize()
	}
	return nil
}

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
	return startBy(t, w.Run)
}

func startBy(t *testing.T, run func(context.Context) error) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	once := sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { once() })
	return once
}

// Guarantee: When ctx ends, each shard is told, makes its checkpoint and gives its lease
// back.
func TestRunServesAndStops(t *testing.T) {
	r := newRig(t, "serves")
	served := make(chan string)
	var mu sync.Mutex
	ends := map[string]int{}
	w := r.workerOf(func(shard ShardInfo) (processor.RecordProcessor, error) {
		if shard.Stream != "stream" {
			t.Errorf("a processor for %+v", shard)
		}
		return funcs{
			records: func(ctx context.Context, in processor.ProcessRecordsInput) error {
				if in.Lease.ShardID() != shard.ShardID {
					t.Errorf("%s has the processor of %s", in.Lease.ShardID(), shard.ShardID)
				}
				select {
				case served <- shard.ShardID:
				default:
				}
				return in.Checkpointer.Checkpoint(ctx)
			},
			stopped: func(what string) { mu.Lock(); ends[what]++; mu.Unlock() },
		}, nil
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
	for _, shard := range w.Status().Shards {
		if shard.Left.IsZero() || shard.LeasesTaken != 1 || shard.LeasesLost != 0 {
			t.Errorf("after the stop: %+v", shard)
		}
	}
}

var errPlanted = errors.New("planted")

// Guarantee: A processor that fails or panics, or that cannot be made, is replaced by a
// new one at its shard's last checkpoint; other shards are not affected.
func TestFailureRestartsTheShardAlone(t *testing.T) {
	fails := func(f func(context.Context, processor.ProcessRecordsInput) error) func() (processor.RecordProcessor, error) {
		return func() (processor.RecordProcessor, error) { return funcs{records: f}, nil }
	}
	for name, bad := range map[string]func() (processor.RecordProcessor, error){
		"an error": fails(func(context.Context, processor.ProcessRecordsInput) error { return errPlanted }),
		"a panic":  fails(func(context.Context, processor.ProcessRecordsInput) error { panic(errPlanted) }),
		"Fail between two batches": fails(func(_ context.Context, in processor.ProcessRecordsInput) error {
			go in.Lease.Fail(errPlanted)
			return nil
		}),
		"Fail in a batch": fails(func(ctx context.Context, in processor.ProcessRecordsInput) error {
			in.Lease.Fail(errPlanted)
			<-ctx.Done()
			return nil
		}),
		"in Initialize": func() (processor.RecordProcessor, error) {
			return funcs{initialize: func() error { return errPlanted }}, nil
		},
		// It is no sign that Java has gone.
		"an error of another connection": fails(func(context.Context, processor.ProcessRecordsInput) error {
			return fmt.Errorf("the database: %w", io.ErrUnexpectedEOF)
		}),
		"before handle's Initialize": func() (processor.RecordProcessor, error) {
			return embeds{handle.Record(func(context.Context, processor.Record) error { return nil }, nil)}, nil
		},
		"none is made":  func() (processor.RecordProcessor, error) { return nil, errPlanted },
		"nil is made":   func() (processor.RecordProcessor, error) { return nil, nil },
		"making panics": func() (processor.RecordProcessor, error) { panic(errPlanted) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "serves")
			log := r.logTo(slog.LevelInfo)
			made := map[string]int{}
			var mu sync.Mutex
			good := make(chan string, 1000)
			w := r.workerOf(func(shard ShardInfo) (processor.RecordProcessor, error) {
				mu.Lock()
				made[shard.ShardID]++
				first := shard.ShardID == "shard-1" && made[shard.ShardID] == 1
				mu.Unlock()
				if first {
					return bad()
				}
				return funcs{records: func(context.Context, processor.ProcessRecordsInput) error {
					select {
					case good <- shard.ShardID:
					default:
					}
					return nil
				}}, nil
			})
			stop := start(t, w)
			if line := log.await("a processor has failed"); !strings.Contains(line, "level=ERROR") || !strings.Contains(line, "shardId=shard-1 failures=1") {
				t.Errorf("the line is %q, want %q and %q in it", line, "level=ERROR", "shardId=shard-1 failures=1")
			}
			for seen := map[string]bool{}; len(seen) < 2; { // shard-1 again
				seen[<-good] = true
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
			if made["shard-0"] != 1 || made["shard-1"] != 2 || r.runs() != 1 {
				t.Errorf("processors: %v, in %d Javas", made, r.runs())
			}
			told := r.told(t, 1)
			for what, want := range map[string]int{" shard-0": 3, " shard-1": 5, "fail ": 1, "read shard-1": 1} {
				// Of shard-0 its conversation and, at the stop, its end with a checkpoint.
				if n := count(told, what); n != want {
					t.Errorf("%d times %q, want %d: %q", n, what, want, told)
				}
			}
			for _, shard := range w.Status().Shards {
				if want := map[string]int{"shard-1": 1}[shard.ShardID]; shard.Failures != want {
					t.Errorf("%s has %d failures", shard.ShardID, shard.Failures)
				}
			}
		})
	}
}

func count(all []string, part string) (n int) {
	for _, text := range all {
		if strings.Contains(text, part) {
			n++
		}
	}
	return n
}

// What Java sends after a failed batch is neither processed nor answered.
//
// Guarantee: No batch reaches a processor that has failed, and it never confirms the end
// of its shard.
func TestNoBatchReachesAFailedProcessor(t *testing.T) {
	r := newRig(t, "sends on")
	var made, calls, ends atomic.Int32
	again := make(chan struct{})
	once := sync.OnceFunc(func() { close(again) })
	stop := start(t, r.worker(func(string) processor.RecordProcessor {
		if made.Add(1) > 1 {
			return funcs{records: func(context.Context, processor.ProcessRecordsInput) error { once(); return nil }}
		}
		return funcs{
			records: func(context.Context, processor.ProcessRecordsInput) error { calls.Add(1); return errPlanted },
			stopped: func(string) { ends.Add(1) },
		}
	}))
	<-again
	if err := stop(); err != nil {
		t.Error(err)
	}
	if calls.Load() != 1 || ends.Load() != 0 || count(r.told(t, 1), "answer") != 0 {
		t.Errorf("%d batches, %d ends, %q", calls.Load(), ends.Load(), r.told(t, 1))
	}
}

// If KCL breaks a conversation off, the processor has not failed, and the shard is read
// again.
func TestConversationBreaksOff(t *testing.T) {
	for _, java := range []string{"breaks off", "cannot connect"} {
		t.Run(java, func(t *testing.T) { testBreaksOff(t, java) })
	}
}

func testBreaksOff(t *testing.T, java string) {
	r := newRig(t, java)
	log := r.logTo(slog.LevelInfo)
	again := make(chan struct{})
	once := sync.OnceFunc(func() { close(again) })
	w := r.worker(func(string) processor.RecordProcessor {
		return funcs{records: func(context.Context, processor.ProcessRecordsInput) error { once(); return nil }}
	})
	stop := start(t, w)
	if line := log.await("broke off"); !strings.Contains(line, `shardId=shard-0 reason="not understood"`) {
		t.Errorf("the line is %q, want %q in it", line, `shardId=shard-0 reason="not understood"`)
	}
	<-again
	if err := stop(); err != nil {
		t.Error(err)
	}
	if s := w.Status(); s.Shards[0].Failures != 0 || len(s.Errors) != 1 {
		t.Errorf("the status is %+v, want no failure and one error", s)
	}
}

// embeds is a processor that embeds one of package handle, and fails before that is
// initialized.
type embeds struct{ *handle.Processor }

func (embeds) Initialize(context.Context, processor.InitializeInput) error { return errPlanted }

// A lease is lost and taken again during a batch, which then fails: KCL has ended the
// new conversation because of that, and reads the shard again nevertheless.
func TestFailureAfterTheLeaseWasTakenAgain(t *testing.T) {
	r := newRig(t, "retakes the lease")
	again := make(chan struct{})
	once := sync.OnceFunc(func() { close(again) })
	var made atomic.Int32
	w := r.worker(func(string) processor.RecordProcessor {
		n := made.Add(1)
		return funcs{records: func(context.Context, processor.ProcessRecordsInput) error {
			if n == 1 {
				r.touch("at work")
				awaitFile(filepath.Join(r.state, "waits"))
				return errPlanted
			}
			once()
			return nil
		}}
	})
	stop := start(t, w)
	<-again
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// A stop does not wait for the backoff of such a shard.
//
// Guarantee: A shard that fails repeatedly is reported, or given up if EvictFailing is
// set.
func TestShardThatFailsAgainAndAgain(t *testing.T) {
	for _, evict := range []bool{false, true} {
		t.Run(fmt.Sprint("evict ", evict), func(t *testing.T) {
			r := newRig(t, "serves")
			r.config.Processors.EvictFailing = evict
			log := r.logTo(slog.LevelInfo)
			var mu sync.Mutex
			var made []time.Time
			w := r.worker(func(shard string) processor.RecordProcessor {
				if shard == "shard-1" {
					mu.Lock()
					made = append(made, time.Now())
					mu.Unlock()
				}
				return funcs{records: func(context.Context, processor.ProcessRecordsInput) error {
					if shard == "shard-1" {
						return errPlanted
					}
					return nil
				}}
			})
			stop := start(t, w)
			log.await("daemon ready")
			if line := log.await("a shard fails repeatedly"); !strings.Contains(line, "shardId=shard-1 failures=3") {
				t.Errorf("the line is %q, want %q in it", line, "shardId=shard-1 failures=3")
			}
			if evict {
				log.await("given up to other workers")
			} else {
				until(t, w, func(s ShardStatus) bool {
					return s.ShardID == "shard-1" && s.State == ShardRestarting && s.FailsRepeatedly && s.NextTry.Sub(s.Since) >= time.Second
				})
			}
			status, body := get(w, "/readyz")
			check(t, "readyz", words(status, strings.TrimSpace(body)), "503 not ready: shard-1 fails repeatedly")
			began := time.Now()
			if err := stop(); err != nil || time.Since(began) > 5*time.Second {
				t.Errorf("error %v, %v after the stop, want none within 5s", err, time.Since(began))
			}
			if wait := made[2].Sub(made[1]); wait < 400*time.Millisecond {
				t.Errorf("the third processor came %v after the second", wait)
			}
			told := r.told(t, 1)
			if n := count(told, "evict shard-1"); n > 0 != evict || n+count(told, "read shard-1") < 2 {
				t.Errorf("Java was told %q, want evict %v, and twice evict or read", told, evict)
			}
		})
	}
}

// until waits until a shard has a state.
func until(t *testing.T, w *Worker, is func(ShardStatus) bool) ShardStatus {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		shards := w.Status().Shards
		if i := slices.IndexFunc(shards, is); i >= 0 {
			return shards[i]
		}
		if time.Now().After(deadline) {
			t.Fatalf("the shards are %+v", shards)
		}
	}
}

// Guarantee: A processor that exceeds MessageTimeout is replaced as well, and its late
// checkpoints are refused.
func TestMessageTimeout(t *testing.T) {
	r := newRig(t, "serves")
	r.config.Processors.MessageTimeout = time.Second
	log := r.logTo(slog.LevelInfo)
	var made atomic.Int32
	late := make(chan *processor.Checkpointer, 1)
	checked := make(chan error, 1)
	stop := start(t, r.worker(func(shard string) processor.RecordProcessor {
		if shard == "shard-0" {
			return funcs{records: func(context.Context, processor.ProcessRecordsInput) error { return nil }}
		}
		if made.Add(1) == 1 {
			return funcs{records: func(ctx context.Context, in processor.ProcessRecordsInput) error {
				<-ctx.Done()
				if cause := context.Cause(ctx); !strings.Contains(cause.Error(), "time limit") {
					t.Errorf("the cause is %v", cause)
				}
				late <- in.Checkpointer
				return nil
			}}
		}
		return funcs{records: func(ctx context.Context, in processor.ProcessRecordsInput) error {
			select {
			case c := <-late:
				if err := c.Checkpoint(ctx); !errors.Is(err, processor.ErrLeaseLost) {
					t.Errorf("a checkpoint of the processor before: %v", err)
				}
				checked <- in.Checkpointer.Checkpoint(ctx)
			default:
			}
			return nil
		}}
	}))
	if line := log.await("a processor has failed"); !strings.Contains(line, "processRecords has not returned within 1s") {
		t.Errorf("the line is %q, want %q in it", line, "processRecords has not returned within 1s")
	}
	if err := <-checked; err != nil {
		t.Error(err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	told := r.told(t, 1)
	if n := count(told, "checkpoint shard-1"); n != 2 { // the other one at the stop
		t.Errorf("%d checkpoints: %q", n, told)
	}
	failed := slices.IndexFunc(told, func(s string) bool { return strings.HasPrefix(s, "fail ") })
	if read := slices.Index(told, "read shard-1"); failed < 0 || read < failed {
		t.Errorf("Java was told %q, want fail and then read", told)
	}
}

// Guarantee: A processor that fails during the last stop is not replaced.
func TestFailureInTheLastStop(t *testing.T) {
	r := newRig(t, "serves")
	served := make(chan struct{}, 2)
	w := r.worker(func(shard string) processor.RecordProcessor {
		first := sync.OnceFunc(func() { served <- struct{}{} })
		return funcs{
			records: func(context.Context, processor.ProcessRecordsInput) error {
				first()
				return nil
			},
			requested: func() error {
				if shard == "shard-1" {
					return errPlanted
				}
				return nil
			},
		}
	})
	stop := start(t, w)
	<-served
	<-served
	if err := stop(); err != nil {
		t.Error(err)
	}
	if told := r.told(t, 1); count(told, "read") != 0 || r.runs() != 1 {
		t.Errorf("%d Javas, %q", r.runs(), told)
	}
	if errors := w.Status().Errors; len(errors) != 1 || !strings.Contains(errors[0].Text, "planted") {
		t.Errorf("errors: %v", errors)
	}
}

// Guarantee: Log, status, metrics and page contain no record's data, except what your code
// puts into its errors.
func TestRecordDataIsNotShown(t *testing.T) {
	r := newRig(t, "sends on")
	var log bytes.Buffer
	r.config.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug - 4}))
	again := make(chan struct{})
	once := sync.OnceFunc(func() { close(again) })
	w := r.worker(func(string) processor.RecordProcessor {
		return funcs{records: func(_ context.Context, in processor.ProcessRecordsInput) error {
			if string(in.Records[0].Data) == "secret" {
				return errPlanted
			}
			once()
			return nil
		}}
	})
	stop := start(t, w)
	<-again
	if err := stop(); err != nil {
		t.Error(err)
	}
	shown := map[string]string{"the log": log.String()}
	for _, path := range []string{"/", "/status.json", "/metrics", "/readyz"} {
		_, shown[path] = get(w, path)
	}
	for where, text := range shown {
		if text == "" || strings.Contains(text, "secret") || strings.Contains(text, "c2VjcmV0") {
			t.Errorf("%s has the data, or nothing: %s", where, text)
		}
	}
}

// Observers are told of the batches of all processors, and of records by those of package
// handle.
func TestObserve(t *testing.T) {
	r := newRig(t, "serves")
	w := r.worker(func(shard string) processor.RecordProcessor {
		if shard == "shard-0" {
			return handle.Record(func(context.Context, processor.Record) error { return nil }, nil)
		}
		return funcs{records: func(context.Context, processor.ProcessRecordsInput) error { return nil }}
	})
	told := make(chan string)
	done := make(chan struct{})
	tell := func(what string, shard handle.Shard, records int) {
		select {
		case told <- words(what, shard.Stream, shard.ShardID, shard.Key, records):
		case <-done:
		}
	}
	for range 2 {
		w.Observe(handle.Observer{
			BatchReceived:  func(e handle.BatchReceived) { tell("received", e.Shard, e.Records) },
			BatchFinished:  func(e handle.BatchFinished) { tell("finished", e.Shard, e.Records) },
			RecordFinished: func(e handle.RecordFinished) { tell("record", e.Shard, 1) },
		})
	}
	stop := start(t, w)
	want := map[string]bool{"record stream shard-0 shard-0 1": true}
	for _, what := range []string{"received", "finished"} {
		for _, shard := range []string{"shard-0", "shard-1"} {
			want[words(what, "stream", shard, shard, 1)] = true
		}
	}
	for seen := map[string]bool{}; len(seen) < len(want); {
		got := <-told
		if !want[got] {
			t.Errorf("an observer is told %q, want %v", got, want)
			break
		}
		seen[got] = true
	}
	close(done)
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// Guarantee: A stop that KCL does not complete is an error of Run.
func TestStopIsNotComplete(t *testing.T) {
	r := newRig(t, "stops badly")
	log := r.logTo(slog.LevelInfo)
	stop := start(t, r.worker(func(string) processor.RecordProcessor { return nil }))
	log.await("daemon ready")
	err := stop()
	var exit *bootstrap.ExitError
	if !errors.As(err, &exit) || !exit.Stopping {
		t.Errorf("error %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// The context of the previous processor has ended.
//
// Guarantee: Two processors of a shard never run at the same time in one process: the
// next one is made after the previous one has returned, whatever ended it.
//
// Guarantee: If Java ends or is silent, it is started again with the same worker ID, as
// Java.Restart allows.
func TestNeverTwoProcessorsOfAShard(t *testing.T) {
	for _, java := range []string{"dies in a batch", "falls silent", "loses the lease"} {
		for name, overlap := range map[string]bool{"a method": false, "a goroutine of package handle": true} {
			t.Run(java+", "+name, func(t *testing.T) {
				if !overlap {
					long(t) // processor.Run waits 3 s for its method
				}
				r := newRig(t, java)
				r.config.Java.Silence = 600 * time.Millisecond
				var made, working atomic.Int32
				cancelled, again := make(chan struct{}), make(chan struct{})
				returns := make(chan struct{})
				once := sync.OnceFunc(func() { close(again) })
				work := func(ctx context.Context) error {
					if working.Add(1) > 1 {
						t.Error("two processors of the shard are at work")
					}
					defer working.Add(-1)
					if made.Load() > 1 {
						once()
						return nil
					}
					r.touch("at work")
					<-ctx.Done()
					close(cancelled)
					<-returns
					return nil
				}
				w := r.worker(func(string) processor.RecordProcessor {
					made.Add(1)
					if overlap {
						return handle.Record(func(ctx context.Context, _ processor.Record) error { return work(ctx) }, &handle.Options{MaxInFlightRecords: 10, MaxInFlightBytes: 1 << 20})
					}
					return funcs{records: func(ctx context.Context, _ processor.ProcessRecordsInput) error { return work(ctx) }}
				})
				stop := start(t, w)
				<-cancelled
				// Its successor has been announced, and waits.
				until(t, w, func(s ShardStatus) bool { return s.State == ShardWaiting })
				if n := made.Load(); n != 1 {
					t.Errorf("%d processors were made, want 1", n)
				}
				close(returns)
				<-again
				if err := stop(); err != nil {
					t.Error(err)
				}
				if want := map[string]int{"dies in a batch": 2, "falls silent": 2, "loses the lease": 1}[java]; r.runs() != want {
					t.Errorf("Java ran %d times, want %d", r.runs(), want)
				}
			})
		}
	}
}

// done is a processor with work that outlives its methods.
type done struct {
	funcs
	over chan struct{}
}

func (d done) Done() <-chan struct{} { return d.over }

// When the processor returns after all, its shard is read again.
//
// Guarantee: While a processor does not return, its shard is not read and is reported as
// hung; other shards continue. When ctx ends, Run returns ErrHung.
func TestHungProcessor(t *testing.T) {
	for name, c := range map[string]struct {
		java    string
		method  bool // hangs, and not something that it has started
		returns bool
	}{
		"after a failure, for ever":       {java: "serves"},
		"after a failure, for a while":    {java: "serves", returns: true},
		"a method, for ever":              {java: "serves", method: true},
		"a method, for a while":           {java: "serves", method: true, returns: true},
		"the lease was lost, for ever":    {java: "loses the lease"},
		"the lease was lost, for a while": {java: "loses the lease", returns: true},
	} {
		t.Run(name, func(t *testing.T) {
			if c.method {
				long(t) // processor.Run waits 3 s for it
			}
			r := newRig(t, c.java)
			r.config.Processors.ReturnGrace = 50 * time.Millisecond
			if c.method {
				r.config.Processors.MessageTimeout = time.Second
			}
			log := r.logTo(slog.LevelInfo)
			bad := map[string]string{"serves": "shard-1", "loses the lease": "shard-0"}[c.java]
			hung := make(chan struct{})
			var made atomic.Int32
			good := make(chan string)
			w := r.worker(func(shard string) processor.RecordProcessor {
				if shard != bad || made.Add(1) > 1 {
					return funcs{records: func(context.Context, processor.ProcessRecordsInput) error {
						select {
						case good <- shard:
						default:
						}
						return nil
					}}
				}
				return done{over: hung, funcs: funcs{records: func(ctx context.Context, _ processor.ProcessRecordsInput) error {
					r.touch("at work")
					if c.java == "loses the lease" {
						<-ctx.Done()
					}
					if c.method {
						<-hung
					}
					return errPlanted
				}}}
			})
			stop := start(t, w)
			if line := log.await("a processor does not return"); !strings.Contains(line, "level=ERROR") || !strings.Contains(line, "shardId="+bad) {
				t.Errorf("the line is %q, want %q and %q in it", line, "level=ERROR", "shardId="+bad)
			}
			until(t, w, func(s ShardStatus) bool { return s.ShardID == bad && s.State == ShardHung && s.Left.IsZero() })
			status, body := get(w, "/readyz")
			check(t, "readyz", words(status, strings.TrimSpace(body)), "503 not ready: "+bad+" is not read: its processor does not return")
			if c.java == "serves" {
				for range 3 {
					if shard := <-good; shard == bad {
						t.Fatal("it is read")
					}
				}
			}
			if n := made.Load(); n != 1 {
				t.Errorf("%d processors, want 1", n)
			}
			if !c.returns {
				began := time.Now()
				err := stop()
				close(hung)
				if !errors.Is(err, ErrHung) || !strings.Contains(err.Error(), bad) || time.Since(began) > 5*time.Second {
					t.Errorf("error %v after %v", err, time.Since(began))
				}
				return
			}
			close(hung)
			log.await("has returned")
			for <-good != bad {
			}
			if err := stop(); err != nil {
				t.Error(err)
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

// A stop before there is anything to stop is no error.
func TestStoppedBeforeTheStart(t *testing.T) {
	r := newRig(t, "serves")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.worker(func(string) processor.RecordProcessor { return nil }).Run(ctx); err != nil || r.runs() != 0 {
		t.Errorf("error %v after %d runs", err, r.runs())
	}
}

// Guarantee: If Java ends before KCL was ever ready, it is not started again, and Run
// returns the reason.
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

// Without a host, monitor.Run serves at 127.0.0.1 while the worker runs.
func TestMonitorRun(t *testing.T) {
	r := newRig(t, "serves")
	urls := make(chan string, 1)
	r.config.Logger = slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		if _, url, ok := strings.Cut(string(p), `msg="status page" url=`); ok {
			urls <- strings.TrimSpace(url)
		}
		return len(p), nil
	}), nil))
	served := make(chan struct{}, 2)
	w := r.worker(func(string) processor.RecordProcessor {
		first := sync.OnceFunc(func() { served <- struct{}{} })
		return funcs{records: func(context.Context, processor.ProcessRecordsInput) error {
			first()
			return nil
		}}
	})
	stop := startBy(t, func(ctx context.Context) error { return MonitorRun(ctx, w, ":0") })
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
		"nothing":                {func(c *Config) { *c = Config{} }, []string{"worker: Config.Stream: it is empty", "worker: Config.Application: it is empty"}},
		"one stream and several": {func(c *Config) { c.Streams = severalStreams }, []string{"Config.Stream: Stream and Streams are both set"}},
		"a stream twice":         {func(c *Config) { c.Stream, c.Streams = "", append(severalStreams, severalStreams[0]) }, []string{"worker: Config.Streams: error: streams: orders is named twice"}},
		"no ARN of a stream":     {func(c *Config) { c.Stream = "arn:aws:sqs:us-east-1:444455556666:orders" }, []string{"worker: Config.Stream: error: streams:", "is not the ARN of a stream"}},
		"a stream without name": {
			func(c *Config) { c.Stream, c.Streams = "", []Stream{{Stream: "a"}, {}} },
			[]string{"worker: Config.Streams: error: streams: stream 2 is empty"},
		},
		"two names in one":   {func(c *Config) { c.Stream, c.Streams = "", []Stream{{Stream: "a, b"}} }, []string{"streamName"}},
		"two of them in one": {func(c *Config) { c.Stream, c.Streams = "", []Stream{{Stream: "a, b"}, {Stream: "c"}} }, []string{"worker: Config.Streams: error: streams:"}},
		"a time alone": {
			func(c *Config) {
				c.Stream, c.Streams = "", []Stream{{Stream: "a", InitialTimestamp: time.Unix(1, 0)}, {Stream: "c"}}
			},
			[]string{"worker: Config.Streams: error: streams: a:"},
		},
		"two worker IDs": {func(c *Config) { c.Leases.WorkerID, c.Leases.StateDir = "a", "b" }, []string{"Config.Leases.WorkerID: WorkerID and StateDir are both set"}},
		"negative":       {func(c *Config) { c.Leases.Max, c.Java.Silence = -1, -1 }, []string{"worker: Config.Leases.Max: -1 is negative", "worker: Config.Java.Silence: -1ns is negative"}},
		"too short":      {func(c *Config) { c.Leases.FailoverTime, c.Processors.MessageTimeout = 1, time.Millisecond }, []string{"Config.Leases.FailoverTime: 1ns is less than 1ms", "Config.Processors.MessageTimeout: 1ms is less than 1s"}},
		"no number":      {func(c *Config) { c.Properties = map[string]string{"timeoutInSeconds": "1 min"} }, []string{"worker: Config.Properties: error: timeoutInSeconds"}},
		"an unknown property": {
			func(c *Config) { c.Properties = map[string]string{"maxRecord": "1"} },
			[]string{"worker: Config.Properties: error: maxRecord:", "maxRecords"},
		},
		"a bad value": {func(c *Config) { c.InitialPosition = "FIRST" }, []string{"worker: Config.InitialPosition: error: initialPositionInStream"}},
		"no file":     {func(c *Config) { c.PropertiesFile = "no such file" }, []string{"no such file: file does not exist"}},
		"no java":     {func(c *Config) { c.Java.Path = "no/such/java" }, []string{"no Java"}},
		"none anywhere, and none shall be fetched": {func(c *Config) { c.Java.Path, c.Java.NoFetch = "", true }, []string{"no Java: JAVA_HOME is not set"}},
		"none anywhere, and none can be fetched": {
			func(c *Config) { c.Java.Path, c.Java.Fetch.JavaIndex = "", "nonsense" },
			[]string{"no Java: JAVA_HOME is not set", "the package index (--java-index) is not of the form"},
		},
		"too many retries": {func(c *Config) { c.Processors.CheckpointRetries = 101 }, []string{"Config.Processors.CheckpointRetries: 101 is more than 100"}},
		"no region":        {func(c *Config) { c.Region = "" }, []string{"worker: Config.Region: error: regionName"}},
		"no endpoint":      {func(*Config) { os.Setenv("AWS_ENDPOINT_URL_KINESIS", "here") /* until the end of newRig's Setenv */ }, []string{"worker: AWS_ENDPOINT_URL_KINESIS: error: kinesisEndpoint"}},
		"nobody there":     {func(c *Config) { c.AWS.KinesisEndpoint = "http://127.0.0.1:1" }, []string{"nobody answers"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "serves")
			t.Setenv("PATH", t.TempDir())
			t.Setenv("JAVA_HOME", "")
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

func TestProperties(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL_KINESIS", "http://127.0.0.1:4567")
	t.Setenv("AWS_ENDPOINT_URL_DYNAMODB", "")
	c := Config{
		Stream: "s", Application: "a", Region: "r", InitialPosition: AtTimestamp, InitialTimestamp: time.Unix(1700000000, 5),
		Retrieval:  RetrievalOptions{Mode: FanOut, ConsumerName: "c", MaxRecords: 7, IdleTimeBetweenReads: 250 * time.Millisecond, NoEmptyBatches: true},
		Leases:     LeaseOptions{FailoverTime: 3 * time.Second, Max: 2, Table: "t", WorkerID: "w"},
		Processors: ProcessorOptions{MessageTimeout: time.Minute, ShutdownGrace: -1},
		Properties: map[string]string{"taskBackoffTimeMillis": "100", "streamName": "another"},
	}
	all := c.properties()
	c.addDefaults(all, func(name string) bool { return name == "leaseAssignmentIntervalMillis" })
	want := map[string]string{
		"streamName": "s", "applicationName": "a", "regionName": "r", "initialPositionInStream": "AT_TIMESTAMP",
		"initialPositionInStreamExtended": "1700000000", "retrievalMode": "FANOUT", "fanoutConfig.consumerName": "c",
		"maxRecords": "7", "idleTimeBetweenReadsInMillis": "250", "failoverTimeMillis": "3000", "maxLeasesForWorker": "2",
		"tableName": "t", "timeoutInSeconds": "60", "workerId": "w", "shutdownGraceMillis": "0",
		"callProcessRecordsEvenForEmptyRecordList": "false", "taskBackoffTimeMillis": "100",
		// Defaults: the file has the interval.
		"AwsCredentialsProvider": "DefaultCredentialsProvider", "kinesisEndpoint": "http://127.0.0.1:4567", "metricsLevel": "NONE",
		"processingLanguage": "go", "workerMetricsReporterFreqInMillis": "3000",
		"noOfPersistedMetricsPerWorkerMetrics": "40", "workerMetricsEMAAlpha": "0.07",
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
	// Another interval goes with KCL's own smoothing.
	own := map[string]string{"workerUtilizationAwareAssignmentConfigBean.workerMetricsReporterFreqInMillis": "30000"}
	c.addDefaults(own, func(string) bool { return false })
	for _, name := range []string{"workerMetricsReporterFreqInMillis", "noOfPersistedMetricsPerWorkerMetrics", "workerMetricsEMAAlpha"} {
		if value, ok := own[name]; ok {
			t.Errorf("%s = %s beside an interval of one's own", name, value)
		}
	}
}

// Guarantee: What keeps KCL from reading a shard is shown, with advice.
func TestProblemsAreShown(t *testing.T) {
	r := newRig(t, "has problems")
	log := r.logTo(slog.LevelInfo)
	w := r.worker(func(string) processor.RecordProcessor { return nil })
	stop := start(t, w)
	of := func(id string, is func(ShardStatus) bool) ShardStatus {
		return until(t, w, func(s ShardStatus) bool { return s.ShardID == id && is(s) })
	}
	r.touch("step 0")
	of("shard-0", func(s ShardStatus) bool { return s.State == ShardStarting && s.LeasesTaken == 1 })
	r.touch("step 1")
	of("shard-1", func(s ShardStatus) bool { return s.State == ShardBlocked })
	r.touch("step 2")
	p := of("shard-0", func(s ShardStatus) bool { return s.Problem != nil }).Problem
	check(t, "text", p.Text, "GetRecords: AccessDeniedException: User x is not authorized to perform: kinesis:GetRecords on resource y")
	if !strings.HasPrefix(p.Advice, "allow kinesis:GetRecords to") || p.Times != 1 {
		t.Errorf("the problem is %+v, want advice to allow it, once", p)
	}
	if line := log.await("a shard cannot be read"); !strings.Contains(line, "level=WARN") || !strings.Contains(line, `advice="allow kinesis:GetRecords`) {
		t.Errorf("the line is %q, want %q and %q in it", line, "level=WARN", `advice="allow kinesis:GetRecords`)
	}
	_, body := get(w, "/readyz")
	check(t, "readyz", body, "ready; shard-0 cannot be read: "+p.Text+"\n")
	_, body = get(w, "/metrics")
	if want := `kcl_shard_errors_total{operation="GetRecords",shard="shard-0",stream="stream"} 1`; !strings.Contains(body, want) {
		t.Errorf("%s is not in the metrics", want)
	}
	r.touch("step 3")
	of("shard-0", func(s ShardStatus) bool { return s.Problem == nil })
	r.touch("step 4")
	of("shard-1", func(s ShardStatus) bool { return !s.Left.IsZero() && s.LeasesLost == 1 })
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// The warning that a shard starts at LATEST is logged once.
func TestStartsAtLatest(t *testing.T) {
	r := newRig(t, "starts at LATEST")
	log := r.logTo(slog.LevelWarn)
	served := make(chan struct{}, 1)
	stop := start(t, r.worker(func(string) processor.RecordProcessor {
		return funcs{records: func(context.Context, processor.ProcessRecordsInput) error {
			select {
			case served <- struct{}{}:
			default:
			}
			return nil
		}}
	}))
	<-served
	if err := stop(); err != nil {
		t.Error(err)
	}
	close(log.lines)
	var said []string
	for line := range log.lines {
		if strings.Contains(line, "starts at the newest record") {
			said = append(said, line)
		}
	}
	if len(said) != 1 || !strings.Contains(said[0], "shardId=shard-0") {
		t.Errorf("said: %q", said)
	}
}

// KCL's log arrives as records. Java is told which levels are wanted.
func TestDaemonLog(t *testing.T) {
	const last = `level=WARN msg=last logger=b.Logger shardId=shard-0 causes="a.Outer: it failed; caused by a.Inner" dropped=3`
	for level, c := range map[slog.Level]struct {
		java string // the level that is asked for
		want []string
	}{
		slog.LevelDebug - 4: {"DEBUG", []string{"level=DEBUG-4 msg=\"told at DEBUG\" logger=a.Logger", "level=DEBUG msg=\"told at INFO\" logger=a.Logger", "level=WARN msg=\"told at WARN\" logger=a.Logger", "level=ERROR msg=\"told at ERROR\" logger=a.Logger", last}},
		slog.LevelDebug:     {"INFO", []string{"level=DEBUG msg=\"told at INFO\" logger=a.Logger", "level=WARN msg=\"told at WARN\" logger=a.Logger", "level=ERROR msg=\"told at ERROR\" logger=a.Logger", last}},
		slog.LevelInfo:      {"WARN", []string{"level=WARN msg=\"told at WARN\" logger=a.Logger", "level=ERROR msg=\"told at ERROR\" logger=a.Logger", last}},
		slog.LevelWarn:      {"WARN", []string{"level=WARN msg=\"told at WARN\" logger=a.Logger", "level=ERROR msg=\"told at ERROR\" logger=a.Logger", last}},
		slog.LevelError:     {"ERROR", []string{"level=ERROR msg=\"told at ERROR\" logger=a.Logger"}},
	} {
		t.Run(level.String(), func(t *testing.T) {
			r := newRig(t, "logs")
			log := r.logTo(level)
			stop := start(t, r.worker(func(string) processor.RecordProcessor { return nil }))
			for _, want := range c.want {
				if got := log.await("logger="); got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
			check(t, "the level that Java was told", r.told(t, 1)[0], "level "+c.java)
		})
	}
}
