package processor_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/seed96110120/kinesis-client-go/processor" // processortest depends on it
	"github.com/seed96110120/kinesis-client-go/processor/processortest"
	"github.com/seed96110120/kinesis-client-go/protocol"
)

// funcs is a RecordProcessor of functions; those left out do what the daemon
// needs and no more.
type funcs struct {
	initialize        func(context.Context, InitializeInput) error
	processRecords    func(context.Context, ProcessRecordsInput) error
	leaseLost         func(context.Context, LeaseLostInput) error
	shardEnded        func(context.Context, ShardEndedInput) error
	shutdownRequested func(context.Context, ShutdownRequestedInput) error
}

func (f funcs) Initialize(ctx context.Context, in InitializeInput) error {
	if f.initialize == nil {
		return nil
	}
	return f.initialize(ctx, in)
}

func (f funcs) ProcessRecords(ctx context.Context, in ProcessRecordsInput) error {
	if f.processRecords == nil {
		return nil
	}
	return f.processRecords(ctx, in)
}

func (f funcs) LeaseLost(ctx context.Context, in LeaseLostInput) error {
	if f.leaseLost == nil {
		return nil
	}
	return f.leaseLost(ctx, in)
}

func (f funcs) ShardEnded(ctx context.Context, in ShardEndedInput) error {
	if f.shardEnded == nil {
		return in.Checkpointer.Checkpoint(ctx)
	}
	return f.shardEnded(ctx, in)
}

func (f funcs) ShutdownRequested(ctx context.Context, in ShutdownRequestedInput) error {
	if f.shutdownRequested == nil {
		return nil
	}
	return f.shutdownRequested(ctx, in)
}

func play(t *testing.T, p RecordProcessor) *processortest.Daemon {
	t.Helper()
	return new(processortest.Shard).Start(t, p, nil)
}

// connect is play for tests that need Run's other arguments: its context, or
// the input before there is an answer. ended gives what Run returned.
func connect(t *testing.T, ctx context.Context, p RecordProcessor) (d *processortest.Daemon, stdin io.Writer, ended <-chan error) {
	t.Helper()
	in, toChild := io.Pipe()
	fromChild, out := io.Pipe()
	result := make(chan error, 1)
	go func() { result <- Run(ctx, p, in, out, nil) }()
	return new(processortest.Shard).Connect(t, toChild, fromChild), toChild, result
}

var (
	initialize = protocol.Initialize{ShardID: "shardId-000000000000", Position: Position{SequenceNumber: protocol.TrimHorizon}}
	processed  = protocol.Status{ResponseFor: protocol.ActionProcessRecords}
)

// endWell ends a lease between two actions.
func endWell(t *testing.T, d *processortest.Daemon) {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Errorf("Run returned %v, want nil", err)
	}
}

func batch(sequenceNumbers ...string) protocol.ProcessRecords {
	b := protocol.ProcessRecords{Records: []Record{}, MillisBehindLatest: 7}
	for _, s := range sequenceNumbers {
		b.Records = append(b.Records, Record{Data: []byte(s), PartitionKey: "k", SequenceNumber: s})
	}
	return b
}

func at(sequenceNumber string) Position { return Position{SequenceNumber: sequenceNumber} }

func TestLifeCycle(t *testing.T) {
	var seen []string
	note := func(format string, args ...any) { seen = append(seen, fmt.Sprintf(format, args...)) }
	d := play(t, funcs{
		initialize: func(ctx context.Context, in InitializeInput) error {
			note("initialize %s at %v, lease context: %v", in.Lease.ShardID(), in.Position, ctx == in.Lease.Context())
			return nil
		},
		processRecords: func(ctx context.Context, in ProcessRecordsInput) error {
			note("processRecords %d, %d ms behind", len(in.Records), in.MillisBehindLatest)
			return in.Checkpointer.Checkpoint(ctx)
		},
		shutdownRequested: func(ctx context.Context, in ShutdownRequestedInput) error {
			note("shutdownRequested")
			return in.Checkpointer.CheckpointAt(ctx, at("9"))
		},
		leaseLost: func(ctx context.Context, in LeaseLostInput) error {
			note("leaseLost, ctx: %v, lease: %v", ctx.Err(), context.Cause(in.Lease.Context()))
			return nil
		},
	})
	d.Do(initialize)
	d.Send(batch("9", "10"))
	d.Expect(protocol.Checkpoint{Position: at("10")})
	d.Send(protocol.Checkpoint{Position: at("10")})
	d.Expect(processed)
	d.Send(protocol.ShutdownRequested{})
	d.Expect(protocol.Checkpoint{Position: at("9")})
	d.Send(protocol.Checkpoint{Position: at("9")})
	d.Expect(protocol.Status{ResponseFor: "shutdownRequested"})
	d.Do(protocol.LeaseLost{})
	endWell(t, d)
	want := []string{
		"initialize shardId-000000000000 at TRIM_HORIZON/0, lease context: true",
		"processRecords 2, 7 ms behind",
		"shutdownRequested",
		"leaseLost, ctx: <nil>, lease: " + ErrLeaseLost.Error(),
	}
	if !slices.Equal(seen, want) {
		t.Errorf("got  %q\nwant %q", seen, want)
	}
}

func TestShardEnded(t *testing.T) {
	d := play(t, funcs{})
	d.Do(initialize)
	d.Do(batch("1"))
	d.Send(protocol.ShardEnded{})
	d.Expect(protocol.Checkpoint{})
	d.Send(protocol.Checkpoint{})
	d.Expect(protocol.Status{ResponseFor: "shardEnded"})
	endWell(t, d)
}

// Guarantee: A shard does not end without its checkpoint.
func TestShardEndedNeedsItsCheckpoint(t *testing.T) {
	for name, f := range map[string]func(context.Context, ShardEndedInput) error{
		"none made":       func(context.Context, ShardEndedInput) error { return nil },
		"elsewhere":       func(ctx context.Context, in ShardEndedInput) error { return in.Checkpointer.CheckpointAt(ctx, at("1")) },
		"failed, ignored": func(ctx context.Context, in ShardEndedInput) error { in.Checkpointer.Checkpoint(ctx); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			var shard processortest.Shard
			if name == "failed, ignored" {
				shard.FailCheckpoint(1, "InvalidStateException")
			}
			d := shard.Start(t, funcs{shardEnded: f}, nil)
			d.Do(initialize)
			d.Do(batch("1"))
			if err := d.Begin(protocol.ShardEnded{}).Wait(); !errors.Is(err, ErrNoEndCheckpoint) {
				t.Errorf("Run returned %v, want %v", err, ErrNoEndCheckpoint)
			}
			if got := shard.Checkpoint(); got.SequenceNumber == protocol.ShardEnd {
				t.Errorf("the last checkpoint is %v, want one that is not the end", got)
			}
		})
	}
}

func TestLegacyShutdown(t *testing.T) {
	for reason, want := range map[string]string{
		protocol.ReasonTerminate: "shardEnded", protocol.ReasonShardEnd: "shardEnded",
		protocol.ReasonZombie: "leaseLost", protocol.ReasonLeaseLost: "leaseLost",
	} {
		var got string
		d := play(t, funcs{
			shardEnded: func(ctx context.Context, in ShardEndedInput) error {
				got = "shardEnded"
				return in.Checkpointer.Checkpoint(ctx)
			},
			leaseLost: func(context.Context, LeaseLostInput) error { got = "leaseLost"; return nil },
		})
		d.Do(initialize)
		d.Send(protocol.Shutdown{Reason: reason})
		if want == "shardEnded" {
			d.Expect(protocol.Checkpoint{})
			d.Send(protocol.Checkpoint{})
		}
		d.Expect(protocol.Status{ResponseFor: "shutdown"})
		endWell(t, d)
		if got != want {
			t.Errorf("%s: got %s, want %s", reason, got, want)
		}
	}
	d := play(t, funcs{})
	d.Do(initialize)
	if err := d.Begin(protocol.Shutdown{Reason: "WHIM"}).Wait(); err == nil || !strings.Contains(err.Error(), "reason") {
		t.Errorf("an unknown reason: error %v, want one about the reason", err)
	}
}

// An error, a panic, an exit of the goroutine: no status, so that the daemon
// does not go past the records.
//
// Guarantee: If a method fails or panics, its action is not answered, so the daemon does
// not go past records that were not processed.
func TestFailedMethodIsNotAnswered(t *testing.T) {
	boom := errors.New("boom")
	for _, tc := range []struct {
		name   string
		method func() error
		check  func(error) bool
	}{
		{"error", func() error { return fmt.Errorf("writing: %w", boom) }, func(err error) bool { return errors.Is(err, boom) }},
		{"panic", func() error { panic("boom") }, func(err error) bool {
			var p *PanicError
			return errors.As(err, &p) && p.Value == "boom" && len(p.Stack) > 0
		}},
		{"panic of the lease's loss", func() error { panic(ErrLeaseLost) }, func(err error) bool { var p *PanicError; return errors.As(err, &p) }},
		{"runtime error", func() error {
			var m map[string]int
			m["x"] = 1 //nolint:staticcheck // SA5000, the nil map, is what is tested
			return nil
		}, func(err error) bool { return strings.Contains(err.Error(), "nil map") }},
		{"Goexit", func() error { runtime.Goexit(); return nil }, func(err error) bool { return strings.Contains(err.Error(), "Goexit") }},
	} {
		for _, action := range []protocol.Message{batch("1"), protocol.ShutdownRequested{}, protocol.LeaseLost{}, protocol.ShardEnded{}} {
			t.Run(tc.name+" in "+action.Action(), func(t *testing.T) {
				d := play(t, funcs{
					processRecords:    func(context.Context, ProcessRecordsInput) error { return tc.method() },
					shutdownRequested: func(context.Context, ShutdownRequestedInput) error { return tc.method() },
					leaseLost:         func(context.Context, LeaseLostInput) error { return tc.method() },
					shardEnded:        func(context.Context, ShardEndedInput) error { return tc.method() },
				})
				d.Do(initialize)
				err := d.Begin(action).Wait()
				if err == nil || !tc.check(err) || !strings.Contains(err.Error(), "shardId-000000000000") {
					t.Errorf("Run returned %v, want an error of the method that names the shard", err)
				}
			})
		}
	}
}

// The lease's loss is an ordinary event: every action is answered, no more
// records and checkpoints get through.
//
// Guarantee: If a method returns ErrLeaseLost, its action is answered, so the loss of a
// lease does not end the daemon.
func TestErrLeaseLostKeepsTheDaemonUp(t *testing.T) {
	batches, requested, lost := 0, false, false
	var lease *Lease
	var checkpointer *Checkpointer
	d := play(t, funcs{
		processRecords: func(ctx context.Context, in ProcessRecordsInput) error {
			batches++
			lease, checkpointer = in.Lease, in.Checkpointer
			return fmt.Errorf("saving: %w", in.Checkpointer.Checkpoint(ctx))
		},
		shutdownRequested: func(context.Context, ShutdownRequestedInput) error { requested = true; return nil },
		leaseLost:         func(context.Context, LeaseLostInput) error { lost = true; return nil },
	})
	d.Do(initialize)
	d.Send(batch("1"))
	d.Expect(protocol.Checkpoint{Position: at("1")})
	d.Send(protocol.Checkpoint{Position: at("1"), Error: "ShutdownException"})
	d.Expect(processed)
	d.Do(batch("2"))
	d.Do(protocol.ShutdownRequested{})
	if !errors.Is(context.Cause(lease.Context()), ErrLeaseLost) {
		t.Errorf("the lease's context has the cause %v, want %v", context.Cause(lease.Context()), ErrLeaseLost)
	}
	if err := checkpointer.Checkpoint(t.Context()); !errors.Is(err, ErrLeaseLost) {
		t.Errorf("a checkpoint after the loss of the lease: %v, want %v", err, ErrLeaseLost)
	}
	d.Do(protocol.LeaseLost{})
	endWell(t, d)
	if batches != 1 || requested || !lost {
		t.Errorf("batches %d, shutdownRequested %v, leaseLost %v; want 1, false, true", batches, requested, lost)
	}
}

// If the daemon went on to the shard's end nevertheless, ending it would pass
// over records that nobody processed.
//
// Guarantee: What was left undone when the lease was lost is never checkpointed.
func TestShardEndAfterErrLeaseLostFails(t *testing.T) {
	d := play(t, funcs{processRecords: func(context.Context, ProcessRecordsInput) error { return ErrLeaseLost }})
	d.Do(initialize)
	d.Do(batch("1"))
	if err := d.Begin(protocol.ShardEnded{}).Wait(); err == nil {
		t.Error("the end of the shard was answered, want an error")
	}
}

func TestErrLeaseLostFromAnyMethod(t *testing.T) {
	gone := funcs{
		initialize:        func(context.Context, InitializeInput) error { return ErrLeaseLost },
		shutdownRequested: func(context.Context, ShutdownRequestedInput) error { return ErrLeaseLost },
		leaseLost:         func(context.Context, LeaseLostInput) error { return ErrLeaseLost },
		shardEnded:        func(context.Context, ShardEndedInput) error { return ErrLeaseLost },
	}
	t.Run("initialize", func(t *testing.T) {
		d := play(t, gone)
		d.Do(initialize)
		endWell(t, d)
	})
	gone.initialize = nil
	for _, m := range []protocol.Message{protocol.ShutdownRequested{}, protocol.LeaseLost{}, protocol.ShardEnded{}} {
		t.Run(m.Action(), func(t *testing.T) {
			d := play(t, gone)
			d.Do(initialize)
			d.Do(m)
			endWell(t, d)
		})
	}
}

func TestCheckpointErrors(t *testing.T) {
	for exception, want := range map[string]error{
		"ShutdownException":                   ErrLeaseLost,
		"InvalidStateException":               ErrInvalidState,
		"KinesisClientLibDependencyException": ErrDependency,
		"IllegalArgumentException":            ErrOutOfRange,
		"NullPointerException":                nil,
	} {
		t.Run(exception, func(t *testing.T) {
			var got error
			d := play(t, funcs{processRecords: func(ctx context.Context, in ProcessRecordsInput) error {
				got = in.Checkpointer.CheckpointAt(ctx, in.Records[0].Position())
				return nil
			}})
			d.Do(initialize)
			d.Send(batch("5"))
			d.Expect(protocol.Checkpoint{Position: at("5")})
			d.Send(protocol.Checkpoint{Position: at("5"), Error: exception})
			d.Expect(processed)
			endWell(t, d)
			var typed *CheckpointError
			if !errors.As(got, &typed) || typed.Exception != exception || typed.Position != at("5") || typed.Err != want {
				t.Fatalf("got %#v, want a *CheckpointError at 5 for %s, which is %v", got, exception, want)
			}
			for _, sentinel := range []error{ErrThrottled, ErrLeaseLost, ErrInvalidState, ErrDependency, ErrOutOfRange} {
				if errors.Is(got, sentinel) != (sentinel == want) {
					t.Errorf("errors.Is(%v, %v) = %v, want %v", got, sentinel, errors.Is(got, sentinel), sentinel == want)
				}
			}
		})
	}
}

// Guarantee: Throttled checkpoints are retried.
func TestThrottlingIsRetried(t *testing.T) {
	for _, tc := range []struct {
		name      string
		throttled int
		opts      *Options
		want      error
	}{
		{"passes at the last attempt", 10, nil, nil},
		{"every attempt", 11, nil, ErrThrottled},
		{"no retries", 1, &Options{CheckpointRetries: -1}, ErrThrottled},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got error
				d := new(processortest.Shard).Start(t, funcs{processRecords: func(ctx context.Context, in ProcessRecordsInput) error {
					got = in.Checkpointer.Checkpoint(ctx)
					return nil
				}}, tc.opts)
				d.Do(initialize)
				d.Send(batch("5"))
				start := time.Now()
				for range tc.throttled {
					d.Expect(protocol.Checkpoint{Position: at("5")})
					d.Send(protocol.Checkpoint{Position: at("5"), Error: "ThrottlingException"})
				}
				if tc.want == nil {
					d.Expect(protocol.Checkpoint{Position: at("5")})
					d.Send(protocol.Checkpoint{Position: at("5")})
				}
				d.Expect(processed)
				endWell(t, d)
				if !errors.Is(got, tc.want) {
					t.Errorf("got %v, want %v", got, tc.want)
				}
				// 0.1+0.2+0.4+0.8+1.6+3.2 s and 5 s four times, at most.
				if took := time.Since(start); took > 26300*time.Millisecond || tc.throttled > 5 && took < 100*time.Millisecond {
					t.Errorf("the retries took %v, want 100ms to 26.3s", took)
				}
			})
		})
	}
}

// A throttled checkpoint that nobody waits for any more is not sent again.
func TestThrottledCallerMayLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := play(t, funcs{processRecords: func(ctx context.Context, in ProcessRecordsInput) error {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Microsecond, cancel)
			if err := in.Checkpointer.Checkpoint(ctx); err != context.Canceled {
				t.Errorf("got %v, want %v", err, context.Canceled)
			}
			return nil
		}})
		d.Do(initialize)
		d.Send(batch("5"))
		d.Expect(protocol.Checkpoint{Position: at("5")})
		time.Sleep(time.Second) // the caller has left
		d.Send(protocol.Checkpoint{Position: at("5"), Error: "ThrottlingException"})
		d.Expect(processed)
		endWell(t, d)
	})
}

// A checkpoint between two actions waits for the next, and means what was
// delivered when it was asked for, not what is delivered by then.
//
// Guarantee: A checkpoint never covers more than was delivered when it was asked for.
func TestCheckpointBetweenActions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		result := make(chan error, 1)
		var checkpointer *Checkpointer
		d := play(t, funcs{processRecords: func(ctx context.Context, in ProcessRecordsInput) error {
			checkpointer = in.Checkpointer
			return nil
		}})
		d.Do(initialize)
		d.Do(batch("1", "2"))
		go func() { result <- checkpointer.Checkpoint(t.Context()) }()
		synctest.Wait()
		d.Send(batch("3"))
		d.Expect(protocol.Checkpoint{Position: at("2")})
		d.Send(protocol.Checkpoint{Position: at("2")})
		d.Expect(processed)
		if err := <-result; err != nil {
			t.Errorf("the checkpoint failed: %v", err)
		}
		// One that waits when the lease goes is told so.
		go func() { result <- checkpointer.Checkpoint(context.Background()) }()
		synctest.Wait()
		d.Do(protocol.LeaseLost{})
		if err := <-result; !errors.Is(err, ErrLeaseLost) {
			t.Errorf("got %v, want %v", err, ErrLeaseLost)
		}
		endWell(t, d)
		if err := checkpointer.CheckpointAt(context.Background(), at("1")); !errors.Is(err, ErrLeaseLost) {
			t.Errorf("after the end of Run: %v, want %v", err, ErrLeaseLost)
		}
	})
}

// The status waits for checkpoints that were asked for before the method
// returned, from whatever goroutine.
func TestStatusWaitsForCheckpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		result := make(chan error, 3)
		d := play(t, funcs{processRecords: func(ctx context.Context, in ProcessRecordsInput) error {
			for _, r := range in.Records {
				go func() { result <- in.Checkpointer.CheckpointAt(ctx, r.Position()) }()
				time.Sleep(time.Nanosecond) // until everybody waits: they ask in order
			}
			return nil
		}})
		d.Do(initialize)
		d.Send(batch("1", "2", "3"))
		time.Sleep(time.Second) // the method has returned
		for _, s := range []string{"1", "2", "3"} {
			d.Expect(protocol.Checkpoint{Position: at(s)})
			d.Send(protocol.Checkpoint{Position: at(s)})
		}
		d.Expect(processed)
		for range 3 {
			if err := <-result; err != nil {
				t.Errorf("a checkpoint failed: %v", err)
			}
		}
		endWell(t, d)
	})
}

func TestCheckpointWithNothingDelivered(t *testing.T) {
	d := play(t, funcs{processRecords: func(ctx context.Context, in ProcessRecordsInput) error {
		if err := in.Checkpointer.CheckpointAt(ctx, Position{}); !errors.Is(err, ErrOutOfRange) {
			t.Errorf("at the zero Position: %v, want %v", err, ErrOutOfRange)
		}
		return in.Checkpointer.Checkpoint(ctx)
	}})
	d.Do(initialize)
	d.Do(batch())
	endWell(t, d)
}

// The end of the input is seen while a method works; its context is cancelled.
//
// Guarantee: The end of the input cancels the lease's context within milliseconds,
// also while a method runs.
func TestEndOfInputInWork(t *testing.T) {
	d := play(t, funcs{processRecords: func(ctx context.Context, in ProcessRecordsInput) error {
		<-ctx.Done()
		if cause := context.Cause(ctx); !errors.Is(cause, ErrDaemonGone) {
			t.Errorf("cause %v, want %v", cause, ErrDaemonGone)
		}
		return nil
	}})
	d.Do(initialize)
	d.Send(batch("1"))
	if err := d.Close(); !errors.Is(err, ErrDaemonGone) {
		t.Errorf("Run returned %v, want %v", err, ErrDaemonGone)
	}
}

// A method that does not return keeps Run for 3 seconds, no longer.
func TestEndOfInputStuckMethod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		d := play(t, funcs{processRecords: func(context.Context, ProcessRecordsInput) error { <-free; return nil }})
		d.Do(initialize)
		d.Send(batch("1"))
		time.Sleep(time.Second) // the method works for long
		start := time.Now()
		err := d.Close()
		if took := time.Since(start); took != 3*time.Second || !errors.Is(err, ErrDaemonGone) || !strings.Contains(err.Error(), "did not return") {
			t.Errorf("after %v Run returned %v, want %v after 3s, and that the method did not return", took, err, ErrDaemonGone)
		}
		close(free)
	})
}

func TestInputFaults(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     error
	}{
		{"cut line", `{"action":"initialize","shar`, io.ErrUnexpectedEOF},
		{"no JSON", "hello\n", nil},
		{"no initialize", "{\"action\":\"leaseLost\"}\n", nil},
		{"a child's message", "{\"action\":\"status\",\"responseFor\":\"initialize\"}\n", nil},
		{"an answer to nothing", "{\"action\":\"checkpoint\"}\n", nil},
	} {
		var out bytes.Buffer
		err := Run(t.Context(), funcs{}, strings.NewReader(tc.in), &out, nil)
		if err == nil || tc.want != nil && !errors.Is(err, tc.want) || out.Len() != 0 || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want one line that is %v; wrote %q, want nothing", tc.name, err, tc.want, out.Bytes())
		}
	}
	if err := Run(t.Context(), funcs{}, strings.NewReader(""), io.Discard, nil); err != nil {
		t.Errorf("nothing at all: error %v, want none", err)
	}
}

func TestDaemonOutOfTurn(t *testing.T) {
	initialize := protocol.Initialize{ShardID: "s"}
	for name, messages := range map[string][]protocol.Message{
		"initialize twice":          {initialize, initialize},
		"records after the end":     {initialize, protocol.LeaseLost{}, batch("1")},
		"a checkpoint nobody asked": {initialize, protocol.Checkpoint{}},
		"a shard of two lines":      {protocol.Initialize{ShardID: "s\nprocessor: done"}},
		"a shard for a terminal":    {protocol.Initialize{ShardID: "\x1b[2J"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := play(t, funcs{})
			last := len(messages) - 1
			for _, m := range messages[:last] {
				d.Do(m)
			}
			if err := d.Begin(messages[last]).Wait(); err == nil || !strings.Contains(err.Error(), "the daemon") || strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("Run returned %v, want one line about the daemon", err)
			}
		})
	}
}

// A transcript may be played without waiting for the answers.
func TestTranscriptSentAhead(t *testing.T) {
	d, stdin, ended := connect(t, t.Context(), funcs{processRecords: func(ctx context.Context, in ProcessRecordsInput) error {
		return in.Checkpointer.Checkpoint(ctx)
	}})
	go func() {
		w := protocol.NewWriter(stdin)
		for _, m := range []protocol.Message{
			protocol.Initialize{ShardID: "s"},
			batch("1"),
			protocol.Checkpoint{Position: at("1")},
			batch("2"),
			protocol.Checkpoint{Position: at("2")},
			protocol.LeaseLost{},
		} {
			if err := w.Write(m); err != nil {
				t.Error(err)
			}
		}
	}()
	d.Expect(protocol.Status{ResponseFor: "initialize"})
	for _, s := range []string{"1", "2"} {
		d.Expect(protocol.Checkpoint{Position: at(s)})
		d.Expect(processed)
	}
	d.Expect(protocol.Status{ResponseFor: "leaseLost"})
	d.Close()
	if err := <-ended; err != nil {
		t.Errorf("Run returned %v, want nil", err)
	}
}

// Guarantee: Work that outlives its batch can end Run.
func TestFail(t *testing.T) {
	boom := errors.New("boom")
	t.Run("between actions", func(t *testing.T) {
		var lease *Lease
		d := play(t, funcs{initialize: func(_ context.Context, in InitializeInput) error { lease = in.Lease; return nil }})
		d.Do(initialize)
		lease.Fail(nil)
		go lease.Fail(boom)
		<-lease.Context().Done()
		if err := d.Close(); !errors.Is(err, boom) {
			t.Errorf("Run returned %v, want %v", err, boom)
		}
		if cause := context.Cause(lease.Context()); !errors.Is(cause, boom) {
			t.Errorf("cause %v, want %v", cause, boom)
		}
		lease.Fail(errors.New("late")) // must not block
	})
	t.Run("in work, before the method returns nil", func(t *testing.T) {
		for range 100 { // whichever channel is looked at first
			d := play(t, funcs{processRecords: func(_ context.Context, in ProcessRecordsInput) error { in.Lease.Fail(boom); return nil }})
			d.Do(initialize)
			if err := d.Begin(batch("1")).Wait(); !errors.Is(err, boom) {
				t.Errorf("Run returned %v, want %v", err, boom)
			}
		}
	})
	t.Run("the lease has gone", func(t *testing.T) {
		var lease *Lease
		d := play(t, funcs{
			processRecords: func(_ context.Context, in ProcessRecordsInput) error { lease = in.Lease; return nil },
			leaseLost: func(_ context.Context, in LeaseLostInput) error {
				in.Lease.Fail(in.Lease.Context().Err()) // what interrupted work would say
				return nil
			},
		})
		d.Do(initialize)
		d.Do(batch("1"))
		lease.Fail(fmt.Errorf("flushing: %w", ErrLeaseLost))
		<-lease.Context().Done()
		d.Do(batch("2"))
		d.Do(protocol.LeaseLost{})
		endWell(t, d)
	})
}

// The lease's context serves work that outlives its batch.
//
// Guarantee: Work that outlives its batch has a context that ends with the lease.
func TestLeaseContextOutlivesABatch(t *testing.T) {
	ended := make(chan error, 1)
	d := play(t, funcs{processRecords: func(ctx context.Context, in ProcessRecordsInput) error {
		if len(in.Records) > 0 {
			go func() { <-ctx.Done(); ended <- context.Cause(ctx) }()
		}
		return nil
	}})
	d.Do(initialize)
	d.Do(batch("1"))
	d.Do(batch())
	select {
	case err := <-ended:
		t.Fatalf("the context ended with the batch: %v", err)
	default:
	}
	endWell(t, d)
	if err := <-ended; err != ErrDaemonGone {
		t.Errorf("cause %v, want %v", err, ErrDaemonGone)
	}
}

func TestContextEndsRun(t *testing.T) {
	reason := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	d, _, ended := connect(t, ctx, funcs{})
	d.Do(initialize)
	cancel(reason)
	if err := <-ended; !errors.Is(err, reason) {
		t.Errorf("Run returned %v, want %v", err, reason)
	}
}

func TestStopNotice(t *testing.T) {
	noticed := make(chan struct{})
	d := play(t, funcs{processRecords: func(_ context.Context, in ProcessRecordsInput) error {
		<-in.Lease.Stopping()
		close(noticed)
		return nil
	}})
	d.Do(initialize)
	a := d.Begin(batch("1"))
	d.StopNotice()
	<-noticed
	if err := a.Wait(); err != nil {
		t.Errorf("the action failed: %v", err)
	}
	endWell(t, d)
}

func TestOptionsAreChecked(t *testing.T) {
	err := Run(t.Context(), funcs{}, strings.NewReader(""), io.Discard, &Options{CheckpointRetries: 101})
	if err == nil || !strings.Contains(err.Error(), "processor: Options.CheckpointRetries: 101 ") {
		t.Errorf("error %v, want one about Options.CheckpointRetries", err)
	}
}

// No record's data and no partition key reaches an error or the log.
//
// Guarantee: Records appear in no error and no log, with one exception: Main prints
// the value of a panic, as Go does.
func TestRecordsAreNotLogged(t *testing.T) {
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var shard processortest.Shard
	shard.FailCheckpoint(1, "InvalidStateException")
	d := shard.Start(t, funcs{processRecords: func(ctx context.Context, in ProcessRecordsInput) error {
		in.Checkpointer.Checkpoint(ctx)
		panic(fmt.Sprintf("cannot parse %q", in.Records[0].Data))
	}}, &Options{Logger: log})
	d.Do(initialize)
	secret := protocol.ProcessRecords{Records: []Record{{Data: []byte("secret"), PartitionKey: "secret", SequenceNumber: "1"}}}
	err := d.Begin(secret).Wait()
	if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(text.String(), "secret") {
		t.Errorf("error %v, want one without the record\nlog, which must not have it either:\n%s", err, text.String())
	}
	if !strings.Contains(text.String(), "shardId=shardId-000000000000") {
		t.Errorf("the log names no shard:\n%s", text.String())
	}
}
