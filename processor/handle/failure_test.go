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

// The waits double up to the longest, and each is random within its upper half.
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
		}, WithBackoff(time.Second, 20*time.Second), WithObserver(Observer{Retry: func(r Retry) { retries = append(retries, r) }})))
		d.Do(s.Next(1))
		for i, seconds := range []time.Duration{1, 2, 4, 8, 16, 20, 20} {
			longest, delay := seconds*time.Second, at[i+1].Sub(at[i])
			if delay < longest/2 || delay > longest {
				t.Errorf("wait %d is %v, want %v to %v", i+1, delay, longest/2, longest)
			}
			if r := retries[i]; r.Delay != delay || r.Attempts != i+1 || r.Err != errBad || r.Position.SequenceNumber != "1" {
				t.Errorf("retry %d: %+v", i+1, r)
			}
		}
	})
}

func TestLimits(t *testing.T) {
	for _, test := range []struct {
		name     string
		limit    Option
		err      error
		age      time.Duration
		attempts int
		reason   Reason
	}{
		{"attempts", WithAttempts(3), errBad, 0, 3, ReasonAttempts},
		{"one attempt", WithAttempts(1), errBad, 0, 1, ReasonAttempts},
		{"elapsed", WithRetryFor(10 * time.Second), errBad, 0, 0, ReasonElapsed},
		{"age", WithMaxAge(time.Minute), errBad, 2 * time.Minute, 1, ReasonAge},
		{"permanent", WithAttempts(3), fmt.Errorf("wrapped: %w", Permanent(errBad)), 0, 1, ReasonPermanent},
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
				d := start(t, &s, Record(func(_ context.Context, r processor.Record) error {
					if string(r.Data) == "bad" {
						calls++
						return test.err
					}
					got.add(r)
					return nil
				}, test.limit, WithDeadLetter(&sink), WithObserver(Observer{DeadLettered: func(d DeadLettered) { dead = append(dead, d) }})))
				d.Do(s.Next(3))
				want(t, "handled", got.String(), "good fine")
				want(t, "checkpoints", sequences(&s), "3")
				want(t, "dead letters", sink.data(), "bad")
				l := sink.got[0]
				if test.attempts != 0 && calls != test.attempts || l.Attempts != calls {
					t.Errorf("%d calls, letter says %d, want %d", calls, l.Attempts, test.attempts)
				}
				if l.Reason != test.reason || !errors.Is(l.Err, errBad) || l.Error != test.err.Error() || l.ID != "shardId-000000000000/2/0" {
					t.Errorf("letter %+v", l)
				}
				if test.reason == ReasonElapsed && (time.Since(begin) < 10*time.Second || time.Since(begin) > 30*time.Second) {
					t.Errorf("given up after %v", time.Since(begin))
				}
				if len(dead) != 1 || dead[0].Reason != test.reason || dead[0].Position.SequenceNumber != "2" {
					t.Errorf("observed %+v", dead)
				}
			})
		})
	}
}

// The record is not finished, and not passed, until the sink has it.
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
				t.Error("went on before the sink had it")
			}
			return nil
		}, WithAttempts(1), WithDeadLetter(&sink), WithObserver(Observer{Blocked: func(Retry) { blocked++ }})))
		d.Do(s.Next(2))
		want(t, "blocked", blocked, 3)
		want(t, "checkpoints", sequences(&s), "2")
	})
}

// Without a sink nothing is passed over: the shard waits for the record.
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
		}, WithBackoff(time.Second, time.Minute), WithObserver(Observer{Blocked: func(Retry) { blocked.Add(1) }})))
		a := d.Begin(s.Next(2))
		time.Sleep(59 * time.Minute)
		if answered(a) {
			t.Error("answered")
		}
		want(t, "handled", got.String(), "")
		if n := blocked.Load(); n < 59 || n > 120 {
			t.Errorf("told %d times in 59 minutes", n)
		}
		if err := a.Wait(); err != nil {
			t.Fatal(err)
		}
		want(t, "handled", got.String(), "bad good")
		want(t, "checkpoints", sequences(&s), "2")
	})
}

func TestEndOnFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		s.Put("a", "good", "bad")
		d := start(t, &s, Record(func(_ context.Context, r processor.Record) error {
			if string(r.Data) == "bad" {
				return errBad
			}
			return nil
		}, WithAttempts(3), WithEndOnFailure()))
		err := d.Begin(s.Next(2)).Wait()
		if !errors.Is(err, errBad) || !strings.Contains(err.Error(), "record 2/0 failed (3 attempts, limit: attempts)") {
			t.Errorf("got %v", err)
		}
	})
}

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
		}, WithAttempts(2), WithDeadLetter(&sink)))
		d.Do(s.Next(3))
		want(t, "handled", got.String(), "good")
		want(t, "dead letters", sink.data(), "panic exit")
		l := sink.got[0]
		if !strings.Contains(l.Stack, "TestPanicIsAFailure") || strings.Contains(l.Error, "secret") {
			t.Errorf("letter %+v", l)
		}
		if sink.got[1].Err != errGoexit {
			t.Errorf("letter %+v", sink.got[1])
		}
	})
}

// batches runs a Batch handler over 8 records and returns its calls.
func batches(t *testing.T, h func(data []string, call int) error, opts ...Option) (calls []string, s *processortest.Shard) {
	s = &processortest.Shard{}
	fill(s, 8, 1)
	d := start(t, s, Batch(func(_ context.Context, records []processor.Record) error {
		var data []string
		for _, r := range records {
			data = append(data, string(r.Data))
		}
		calls = append(calls, strings.Join(data, ""))
		return h(data, len(calls))
	}, opts...))
	d.Do(s.Next(8))
	return calls, s
}

// A batch that fails is halved down to the bad record, in order.
func TestBatchIsHalved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sink letters
		calls, s := batches(t, func(data []string, _ int) error {
			if slices.Contains(data, "5") {
				return errBad
			}
			return nil
		}, WithAttempts(2), WithDeadLetter(&sink))
		want(t, "calls", calls, "[01234567 0123 4567 45 4 5 5 67]")
		want(t, "dead letters", sink.data(), "5")
		want(t, "attempts", sink.got[0].Attempts, 2)
		want(t, "checkpoints", sequences(s), "8")
	})
}

// Records that the handler names are tried again, the others are finished.
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
		}, WithAttempts(4), WithDeadLetter(&sink))
		want(t, "calls", calls, "[01234567 25 25 2]")
		want(t, "dead letters", sink.data(), "2 7")
		want(t, "checkpoints", sequences(s), "8")
	})
}

// No attempt at a record begins before the last has returned, time-out or not.
func TestTimeouts(t *testing.T) {
	for _, test := range []struct {
		name   string
		option []Option
		want   time.Duration
	}{
		{"per record", []Option{WithRecordTimeout(2 * time.Second)}, 8 * time.Second},
		{"per batch", []Option{WithBatchTimeout(2 * time.Second)}, 2 * time.Second},
		{"both", []Option{WithBatchTimeout(5 * time.Second), WithRecordTimeout(time.Second)}, 4 * time.Second},
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
						t.Errorf("cancelled after %v: %v", took, context.Cause(ctx))
					}
					time.Sleep(time.Hour) // does not heed it
					return ctx.Err()
				}, test.option...))
				d.Do(s.Next(4))
				want(t, "calls", calls, 3) // the whole, its halves
			})
		})
	}
}

func TestWatchdog(t *testing.T) {
	for _, then := range []Watch{GoOn, EndChild} {
		synctest.Test(t, func(t *testing.T) {
			var s processortest.Shard
			s.Put("a", "0", "1", "2")
			var stderr bytes.Buffer
			var hung []Hung
			p := Record(func(ctx context.Context, r processor.Record) error {
				switch string(r.Data) {
				case "0":
					time.Sleep(50 * time.Second) // long, but comes on
				case "1":
					return wait(ctx, 10*time.Minute)
				}
				return nil
			}, WithWatchdog(time.Minute, then), WithObserver(Observer{Hung: func(h Hung) { hung = append(hung, h) }}))
			p.settings.stderr = &stderr
			d := start(t, &s, p)
			begin := time.Now()
			err := d.Begin(s.Next(3)).Wait()
			took := time.Since(begin)
			if n := strings.Count(stderr.String(), "has not returned for"); n != 1 || !strings.Contains(stderr.String(), "TestWatchdog") {
				t.Errorf("%d dumps:\n%s", n, &stderr)
			}
			if len(hung) != 1 || hung[0].Position.SequenceNumber != "2" || hung[0].Elapsed < time.Minute || hung[0].Elapsed > 75*time.Second {
				t.Errorf("observed %+v", hung)
			}
			if then == GoOn {
				if err != nil || s.Checkpoint().SequenceNumber != "3" {
					t.Errorf("%v, checkpoint %v", err, s.Checkpoint())
				}
			} else if err == nil || took > 3*time.Minute || !strings.Contains(err.Error(), "the watchdog is to end the child") {
				t.Errorf("%v after %v", err, took)
			}
		})
	}
}
