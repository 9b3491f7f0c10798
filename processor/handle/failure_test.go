package handle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/processortest"
)

// The waits double up to the longest; each is random within its upper half.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		fill(&s, 1, 1)
		var at []time.Time
		var retries []Retry
		d := start(t, &s, Record(func(context.Context, processor.Record) error {
			at = append(at, time.Now())
			if len(at) < 8 {
				return errBad
			}
			return nil
		}, &Options{MinBackoff: time.Second, MaxBackoff: 20 * time.Second, Observer: Observer{Retry: func(r Retry) { retries = append(retries, r) }}}))
		d.Do(s.Next(1))
		for i, seconds := range []time.Duration{1, 2, 4, 8, 16, 20, 20} {
			longest, delay := seconds*time.Second, at[i+1].Sub(at[i])
			if delay < longest/2 || delay > longest {
				t.Errorf("wait %d is %v, want %v to %v", i+1, delay, longest/2, longest)
			}
			if r := retries[i]; r.Delay != delay || r.Attempts != i+1 || r.Err != errBad || r.Position.SequenceNumber != "1" {
				t.Errorf("retry %d: %+v, want delay %v, attempts %d, error %v, position 1", i+1, r, delay, i+1, errBad)
			}
		}
	})
}

// Guarantee: No record is skipped silently: one that is given up is in the
// dead-letter sink before any checkpoint passes it.
func TestLimits(t *testing.T) {
	for _, test := range []struct {
		name     string
		options  Options
		err      error
		age      time.Duration
		attempts int
		reason   Reason
	}{
		{"attempts", Options{MaxAttempts: 3}, errBad, 0, 3, ReasonAttempts},
		{"one attempt", Options{MaxAttempts: 1}, errBad, 0, 1, ReasonAttempts},
		{"elapsed", Options{MaxRetryTime: 10 * time.Second}, errBad, 0, 0, ReasonElapsed},
		{"age", Options{MaxRecordAge: time.Minute}, errBad, 2 * time.Minute, 1, ReasonAge},
		{"permanent", Options{MaxAttempts: 3}, fmt.Errorf("wrapped: %w", Permanent(errBad)), 0, 1, ReasonPermanent},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s processortest.Shard
				s.Put("a", "good", "bad", "fine")
				time.Sleep(test.age)
				var sink letters
				var got seen
				var dead []DeadLettered
				calls := 0
				begin := time.Now()
				opts := test.options
				opts.DeadLetters = &sink
				opts.Observer.DeadLettered = func(d DeadLettered) { dead = append(dead, d) }
				d := start(t, &s, Record(func(_ context.Context, r processor.Record) error {
					if string(r.Data) == "bad" {
						calls++
						return test.err
					}
					got.add(r)
					return nil
				}, &opts))
				d.Do(s.Next(3))
				want(t, "handled", got.String(), "good fine")
				want(t, "checkpoints", sequences(&s), "3")
				want(t, "dead letters", sink.data(), "bad")
				l := sink.got[0]
				if test.attempts != 0 && calls != test.attempts || l.Attempts != calls {
					t.Errorf("%d calls, letter has %d attempts, want %d", calls, l.Attempts, test.attempts)
				}
				if l.Reason != test.reason || !errors.Is(l.Err, errBad) || l.Error != test.err.Error() || l.ID != "shardId-000000000000/2/0" {
					t.Errorf("letter %+v, want reason %s, error %v, ID shardId-000000000000/2/0", l, test.reason, test.err)
				}
				if test.reason == ReasonElapsed && (time.Since(begin) < 10*time.Second || time.Since(begin) > 30*time.Second) {
					t.Errorf("given up after %v, want 10s to 30s", time.Since(begin))
				}
				if len(dead) != 1 || dead[0].Reason != test.reason || dead[0].Position.SequenceNumber != "2" {
					t.Errorf("observed %+v, want one with reason %s at position 2", dead, test.reason)
				}
			})
		})
	}
}

// A sink that fails is tried again, and nothing passes the record.
//
// Guarantee: No record is skipped silently: one that is given up is in the
// dead-letter sink before any checkpoint passes it.
func TestSinkFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		s.Put("a", "bad", "good")
		sink := letters{fail: 3}
		blocked := 0
		d := start(t, &s, Record(func(_ context.Context, r processor.Record) error {
			if string(r.Data) == "bad" {
				return errBad
			}
			if sink.data() != "bad" {
				t.Error("the next record was handled before the sink had the letter")
			}
			return nil
		}, &Options{MaxAttempts: 1, DeadLetters: &sink, Observer: Observer{Blocked: func(Retry) { blocked++ }}}))
		d.Do(s.Next(2))
		want(t, "blocked", blocked, 3)
		want(t, "checkpoints", sequences(&s), "2")
	})
}

// Guarantee: By default a record past its limits is tried again, and no
// checkpoint passes it.
func TestBlocksWithoutSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		s.Put("a", "bad", "good")
		var got seen
		var blocked atomic.Int32
		begin := time.Now()
		d := start(t, &s, Record(func(_ context.Context, r processor.Record) error {
			if string(r.Data) == "bad" && time.Since(begin) < time.Hour {
				return Permanent(errBad)
			}
			got.add(r)
			return nil
		}, &Options{MinBackoff: time.Second, MaxBackoff: time.Minute, Observer: Observer{Blocked: func(Retry) { blocked.Add(1) }}}))
		a := d.Begin(s.Next(2))
		time.Sleep(59 * time.Minute)
		if answered(a) {
			t.Error("the batch was answered with an unfinished record")
		}
		want(t, "handled", got.String(), "")
		if n := blocked.Load(); n < 59 || n > 120 {
			t.Errorf("told %d times in 59 minutes, want 59 to 120", n)
		}
		if err := a.Wait(); err != nil {
			t.Fatalf("the batch: %v", err)
		}
		want(t, "handled", got.String(), "bad good")
		want(t, "checkpoints", sequences(&s), "2")
	})
}

// Guarantee: With Options.EndOnFailure a record past its limits ends the
// processor.
func TestEndOnFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		s.Put("a", "good", "bad")
		d := start(t, &s, Record(func(_ context.Context, r processor.Record) error {
			if string(r.Data) == "bad" {
				return errBad
			}
			return nil
		}, &Options{MaxAttempts: 3, EndOnFailure: true}))
		err := d.Begin(s.Next(2)).Wait()
		if text := "record 2/0 failed (3 attempts, limit: attempts)"; !errors.Is(err, errBad) || !strings.Contains(err.Error(), text) {
			t.Errorf("error %v, want %v with %q", err, errBad, text)
		}
	})
}

// Guarantee: A panic fails its record and nothing else.
func TestPanicIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		s.Put("a", "panic", "exit", "good")
		var sink letters
		var got seen
		d := start(t, &s, Record(func(_ context.Context, r processor.Record) error {
			switch string(r.Data) {
			case "panic":
				panic("secret")
			case "exit":
				(&testing.T{}).SkipNow() // as t.FailNow does: ends the goroutine
			}
			got.add(r)
			return nil
		}, &Options{MaxAttempts: 2, DeadLetters: &sink}))
		d.Do(s.Next(3))
		want(t, "handled", got.String(), "good")
		want(t, "dead letters", sink.data(), "panic exit")
		l := sink.got[0]
		if !strings.Contains(l.Stack, "TestPanicIsAFailure") || strings.Contains(l.Error, "secret") {
			t.Errorf("letter %+v, want the stack of this test, and no value of the panic", l)
		}
		if err := sink.got[1].Err; err != errGoexit {
			t.Errorf("the second letter's error is %v, want %v", err, errGoexit)
		}
	})
}

// batches runs a Batch handler over 8 records and returns its calls.
func batches(t testing.TB, h func(data []string, call int) error, opts *Options) (calls []string, s *processortest.Shard) {
	s = &processortest.Shard{}
	fill(s, 8, 1)
	d := start(t, s, Batch(func(_ context.Context, records []processor.Record) error {
		var data []string
		for _, r := range records {
			data = append(data, string(r.Data))
		}
		calls = append(calls, strings.Join(data, ""))
		return h(data, len(calls))
	}, opts))
	d.Do(s.Next(8))
	return calls, s
}

// Guarantee: When a call of a Batch handler fails, its records are halved,
// down to the bad record.
func TestBatchIsHalved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sink letters
		calls, s := batches(t, func(data []string, _ int) error {
			if slices.Contains(data, "5") {
				return errBad
			}
			return nil
		}, &Options{MaxAttempts: 2, DeadLetters: &sink})
		want(t, "calls", calls, "[01234567 0123 4567 45 4 5 5 67]")
		want(t, "dead letters", sink.data(), "5")
		want(t, "attempts", sink.got[0].Attempts, 2)
		want(t, "checkpoints", sequences(s), "8")
	})
}

// Guarantee: If a Batch handler names the records that failed, no other is
// repeated.
func TestPartialFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sink letters
		calls, s := batches(t, func(data []string, call int) error {
			f := Failures{}
			for i, d := range data {
				if d == "2" || d == "5" && call < 3 || d == "7" {
					f[i] = errBad
				}
				if d == "7" {
					f[i] = Permanent(errBad)
				}
			}
			if len(f) == 0 {
				return nil
			}
			return fmt.Errorf("wrapped: %w", f)
		}, &Options{MaxAttempts: 4, DeadLetters: &sink})
		want(t, "calls", calls, "[01234567 25 25 2]")
		want(t, "dead letters", sink.data(), "2 7")
		want(t, "checkpoints", sequences(s), "8")
	})
}

// Attempts that time out, and a handler that ignores its context.
//
// Guarantee: A record is not tried again before its last attempt has returned.
func TestTimeouts(t *testing.T) {
	for _, test := range []struct {
		name    string
		options Options
		want    time.Duration
	}{
		{"per record", Options{RecordTimeout: 2 * time.Second}, 8 * time.Second},
		{"per batch", Options{BatchTimeout: 2 * time.Second}, 2 * time.Second},
		{"both", Options{BatchTimeout: 5 * time.Second, RecordTimeout: time.Second}, 4 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s processortest.Shard
				fill(&s, 4, 1)
				var inside atomic.Int32
				calls := 0
				d := start(t, &s, Batch(func(ctx context.Context, records []processor.Record) error {
					if inside.Add(1) > 1 {
						t.Error("a second attempt beside the first")
					}
					defer inside.Add(-1)
					if calls++; calls > 1 {
						return nil
					}
					begin := time.Now()
					<-ctx.Done()
					if took := time.Since(begin); took != test.want || context.Cause(ctx) != ErrTimeout {
						t.Errorf("cancelled after %v by %v, want %v by %v", took, context.Cause(ctx), test.want, ErrTimeout)
					}
					time.Sleep(time.Hour) // ignores its context
					return ctx.Err()
				}, &test.options))
				d.Do(s.Next(4))
				want(t, "calls", calls, 3) // the whole, its halves
			})
		})
	}
}

// Guarantee: A call that hangs for Options.HangTimeout is reported with the
// stacks of all goroutines.
func TestWatchdog(t *testing.T) {
	for _, action := range []HangAction{KeepWaiting, EndProcessor} {
		synctest.Test(t, func(t *testing.T) {
			var s processortest.Shard
			s.Put("a", "0", "1", "2")
			var stderr bytes.Buffer
			var hung []Hung
			p := Record(func(ctx context.Context, r processor.Record) error {
				switch string(r.Data) {
				case "0":
					time.Sleep(50 * time.Second) // long, but it makes progress
				case "1":
					return wait(ctx, 10*time.Minute)
				}
				return nil
			}, &Options{HangTimeout: time.Minute, HangAction: action, Observer: Observer{Hung: func(h Hung) { hung = append(hung, h) }}})
			p.settings.stderr = &stderr
			d := start(t, &s, p)
			begin := time.Now()
			err := d.Begin(s.Next(3)).Wait()
			took := time.Since(begin)
			if n := strings.Count(stderr.String(), "has not returned for"); n != 1 || !strings.Contains(stderr.String(), "TestWatchdog") {
				t.Errorf("%d dumps, want 1 with this test:\n%s", n, &stderr)
			}
			if len(hung) != 1 || hung[0].Position.SequenceNumber != "2" || hung[0].Elapsed < time.Minute || hung[0].Elapsed > 75*time.Second {
				t.Errorf("observed %+v, want one at position 2 after 1m0s to 1m15s", hung)
			}
			if action == KeepWaiting {
				if err != nil || s.Checkpoint().SequenceNumber != "3" {
					t.Errorf("error %v, checkpoint %v; want none, 3/0", err, s.Checkpoint())
				}
			} else if err == nil || took > 3*time.Minute || !strings.Contains(err.Error(), "ending the processor (Options.HangAction)") {
				t.Errorf("error %v after %v, want one that ends the processor within 3m0s", err, took)
			}
		})
	}
}

// Each call that hangs is reported once, also those of one batch.
//
// Guarantee: A call that hangs for Options.HangTimeout is reported with the
// stacks of all goroutines.
func TestWatchdogReportsEachCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		s.Put("a", "0", "1", "2")
		var stderr bytes.Buffer
		var hung []string
		p := Record(func(ctx context.Context, r processor.Record) error {
			if string(r.Data) == "1" {
				return nil
			}
			return wait(ctx, 10*time.Minute)
		}, &Options{HangTimeout: time.Minute, Observer: Observer{Hung: func(h Hung) { hung = append(hung, h.Position.SequenceNumber) }}})
		p.settings.stderr = &stderr
		d := start(t, &s, p)
		d.Do(s.Next(3))
		want(t, "reported", strings.Join(hung, " "), "1 3")
		want(t, "dumps", strings.Count(stderr.String(), "has not returned for"), 2)
		want(t, "checkpoints", sequences(&s), "3")
	})
}
