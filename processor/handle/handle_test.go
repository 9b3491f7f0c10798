package handle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/processortest"
	"github.com/seed96110120/kinesis-client-go/protocol"
)

var errBad = errors.New("bad record")

// seen collects the data that a handler was given.
type seen struct {
	mu   sync.Mutex
	data []string
}

func (s *seen) add(r processor.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data = append(s.data, string(r.Data))
}

func (s *seen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.data, " ")
}

// letters is a sink in memory; fail makes its first Puts fail.
type letters struct {
	mu   sync.Mutex
	got  []DeadLetter
	fail int
}

func (l *letters) Put(_ context.Context, d DeadLetter) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail > 0 {
		l.fail--
		return errors.New("disk full")
	}
	l.got = append(l.got, d)
	return nil
}

func (l *letters) data() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for _, d := range l.got {
		all = append(all, string(d.Data))
	}
	return strings.Join(all, " ")
}

func start(t *testing.T, s *processortest.Shard, p processor.RecordProcessor) *processortest.Daemon {
	t.Helper()
	d := s.Start(t, p)
	d.Do(s.Initialize())
	return d
}

func fill(s *processortest.Shard, n, keys int) {
	for i := range n {
		s.Put(fmt.Sprint("key", i%keys), fmt.Sprint(i))
	}
}

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}

// sequences lists the sequence numbers of the checkpoints.
func sequences(s *processortest.Shard) string {
	var all []string
	for _, p := range s.Checkpoints() {
		all = append(all, p.SequenceNumber)
	}
	return strings.Join(all, " ")
}

// wait waits for ctx; so a handler that heeds it.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func answered(a *processortest.Action) bool {
	synctest.Wait()
	done := make(chan struct{})
	go func() { a.Wait(); close(done) }()
	synctest.Wait()
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// One batch: in order, finished before its status, one explicit checkpoint.
func TestBatchIsFinishedBeforeItsStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		fill(&s, 5, 2)
		var got seen
		d := start(t, &s, Record(func(ctx context.Context, r processor.Record) error {
			got.add(r)
			return wait(ctx, time.Second)
		}))
		d.Do(s.Next(3))
		want(t, "records", got.String(), "0 1 2")
		d.Do(s.Next(0))
		d.Do(s.Next(2))
		d.Do(protocol.ShutdownRequested{})
		want(t, "records", got.String(), "0 1 2 3 4")
		want(t, "checkpoints", sequences(&s), "3 5")
	})
}

// Keys side by side, each in order and one at a time; no more calls than
// workers.
func TestOrderPerKey(t *testing.T) {
	for _, workers := range []int{1, 2, 7, 100} {
		synctest.Test(t, func(t *testing.T) {
			var s processortest.Shard
			fill(&s, 100, 10)
			var mu sync.Mutex
			last, busy, most := map[string]string{}, map[string]bool{}, 0
			p := Record(func(_ context.Context, r processor.Record) error {
				mu.Lock()
				if busy[r.PartitionKey] {
					t.Errorf("two records of %s at once", r.PartitionKey)
				}
				if prev := last[r.PartitionKey]; len(prev) > len(r.SequenceNumber) || len(prev) == len(r.SequenceNumber) && prev >= r.SequenceNumber {
					t.Errorf("%s: %s after %s", r.PartitionKey, r.SequenceNumber, prev)
				}
				busy[r.PartitionKey], last[r.PartitionKey] = true, r.SequenceNumber
				most = max(most, len(busy))
				mu.Unlock()
				time.Sleep(10 * time.Millisecond)
				mu.Lock()
				delete(busy, r.PartitionKey)
				mu.Unlock()
				return nil
			}, WithWorkers(workers))
			d := start(t, &s, p)
			begin := time.Now()
			d.Do(s.Next(100))
			want(t, "most at once", most, min(workers, 10))
			rounds := (100 + workers - 1) / workers
			if workers >= 10 {
				rounds = 10
			}
			if took := time.Since(begin); took > time.Duration(rounds+5)*10*time.Millisecond {
				t.Errorf("%d workers took %v", workers, took)
			}
			want(t, "checkpoints", sequences(&s), "100")
		})
	}
}

// A key with nearly all of the records does not keep the others waiting, and
// one in retry keeps nobody but itself.
func TestSkewedKeysDoNotStarveOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		for range 100 {
			s.Put("hot", "hot")
			s.Put("warm", "warm")
		}
		s.Put("bad", "bad")
		s.Put("cold", "cold")
		begin := time.Now()
		var cold time.Duration
		d := start(t, &s, Record(func(_ context.Context, r processor.Record) error {
			if r.PartitionKey == "bad" && time.Since(begin) < time.Hour {
				return errBad
			}
			time.Sleep(time.Second)
			if r.PartitionKey == "cold" {
				cold = time.Since(begin)
			}
			return nil
		}, WithWorkers(2)))
		d.Do(s.Next(202))
		if cold == 0 || cold > 5*time.Second {
			t.Errorf("the cold key was done after %v", cold)
		}
		if took := time.Since(begin); took < time.Hour || took > time.Hour+2*time.Minute {
			t.Errorf("all took %v", took)
		}
	})
}

// Records that finish out of order: the watermark is what is complete from the
// start, and sub-sequence numbers count.
func TestWatermark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		s.PutRecords(processor.Record{PartitionKey: "a", SequenceNumber: "8"})
		for i := range 4 {
			s.PutRecords(processor.Record{PartitionKey: fmt.Sprint("key", i), SequenceNumber: "9", SubSequenceNumber: int64(i)})
		}
		s.PutRecords(processor.Record{PartitionKey: "z", SequenceNumber: "10"})
		gates := map[string]chan struct{}{"9/2": make(chan struct{}), "10/0": make(chan struct{})}
		d := start(t, &s, Record(func(_ context.Context, r processor.Record) error {
			if gate := gates[r.Position().String()]; gate != nil {
				<-gate
			}
			return nil
		}, WithWorkers(10), WithMaxInFlight(100, 1<<20)))
		d.Do(s.Next(6))
		synctest.Wait()
		d.Do(s.Next(0))
		want(t, "behind 9/2", s.Checkpoint(), "9/1")
		close(gates["10/0"])
		synctest.Wait()
		d.Do(s.Next(0))
		want(t, "10/0 is finished, 9/2 is not", s.Checkpoint(), "9/1")
		close(gates["9/2"])
		synctest.Wait()
		d.Do(s.Next(0))
		want(t, "all finished", s.Checkpoint(), "10/0")
	})
}

// An action is held only while the limit is reached; the limit counts whole
// batches.
func TestMaxInFlightHoldsTheAction(t *testing.T) {
	for name, limit := range map[string]Option{"records": WithMaxInFlight(4, 1<<30), "bytes": WithMaxInFlight(1000, 400)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s processortest.Shard
				fill(&s, 8, 8)
				gates := make(chan struct{})
				var flight InFlight
				d := start(t, &s, Record(func(context.Context, processor.Record) error {
					<-gates
					return nil
				}, WithWorkers(3), limit, WithObserver(Observer{InFlight: func(f InFlight) { flight = f }})))
				d.Do(s.Next(3))
				full := d.Begin(s.Next(3))
				if answered(full) {
					t.Fatal("answered while 6 records are in work")
				}
				want(t, "in flight", flight.Records, 6)
				gates <- struct{}{}
				gates <- struct{}{}
				if answered(full) {
					t.Fatal("answered while the first batch is pinned by its last record")
				}
				gates <- struct{}{}
				if !answered(full) {
					t.Fatal("not answered with 3 records in work")
				}
				want(t, "checkpoint", s.Checkpoint(), "3/0")
				close(gates)
				d.Do(s.Next(2))
				synctest.Wait()
				d.Do(s.Next(0))
				want(t, "checkpoint", s.Checkpoint(), "8/0")
				want(t, "in flight", flight, "{shardId-000000000000 0 0}")
			})
		})
	}
}

// A blocked record does not make finished batches behind it pile up.
func TestFinishedBatchesAreLetGo(t *testing.T) {
	var f flight
	stuck := f.add([]processor.Record{{SequenceNumber: "1"}}, time.Time{})
	for i := range 1000 {
		b := f.add([]processor.Record{{SequenceNumber: fmt.Sprint(2 + i)}}, time.Time{})
		if i == 500 {
			continue
		}
		f.finish(b, 0)
	}
	n := 0
	for b := f.first; b != nil; b = b.next {
		n++
	}
	want(t, "batches kept", n, 4)
	want(t, "records", f.records, 2)
	want(t, "watermark", f.watermark(), "none")
	f.finish(stuck, 0)
	want(t, "watermark", f.watermark(), "501/0")
	f.finish(f.first, 0)
	want(t, "watermark", f.watermark(), "1001/0")
	want(t, "settled", f.settled, 1001)
	want(t, "left", []any{f.first == nil, f.last == nil, f.records, f.bytes}, "[true true 0 0]")
}

// Records that come out of order are put in order before anything counts.
func TestWatermarkComparesNumbers(t *testing.T) {
	var f flight
	b := f.add([]processor.Record{{SequenceNumber: "10"}, {SequenceNumber: "9"}, {SequenceNumber: "9", SubSequenceNumber: 1}}, time.Time{})
	var order []string
	for _, r := range b.records {
		order = append(order, r.Position().String())
	}
	want(t, "order", order, "[9/0 9/1 10/0]")
	f.finish(b, 2)
	want(t, "watermark", f.watermark(), "none")
	f.finish(b, 0)
	want(t, "watermark", f.watermark(), "9/0")
	f.finish(b, 1)
	want(t, "watermark", f.watermark(), "10/0")
	late := f.add([]processor.Record{{SequenceNumber: "5"}}, time.Time{})
	f.finish(late, 0)
	want(t, "the watermark never goes back", f.watermark(), "10/0")
}

func TestCheckpointEvery(t *testing.T) {
	each := func(ctx context.Context, _ processor.Record) error { return wait(ctx, time.Second) }
	for _, test := range []struct {
		name    string
		options []Option
		batches []int
		want    string
	}{
		{"each batch", nil, []int{3, 3, 4}, "3 6 10"},
		{"every 4 records", []Option{WithCheckpointEvery(4, 0)}, []int{3, 3, 4}, "4 8 10"},
		{"every 4 records, within a batch", []Option{WithCheckpointEvery(4, 0)}, []int{10}, "4 8 10"},
		{"every 4 s, within a batch", []Option{WithCheckpointEvery(0, 4*time.Second+time.Millisecond)}, []int{10}, "4 8 10"},
		{"every hour", []Option{WithCheckpointEvery(0, time.Hour)}, []int{5, 5}, "10"},
		{"what comes first", []Option{WithCheckpointEvery(2, time.Hour)}, []int{5}, "2 4 5"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s processortest.Shard
				fill(&s, 10, 10)
				d := start(t, &s, Record(each, test.options...))
				for _, n := range test.batches {
					d.Do(s.Next(n))
				}
				d.Do(protocol.ShutdownRequested{}) // the rest
				want(t, "checkpoints", sequences(&s), test.want)
			})
		})
	}
}

// What each exception of a checkpoint does: to the action, to later ones.
func TestCheckpointErrors(t *testing.T) {
	for _, test := range []struct {
		exception string
		want      error // what Run returns for the batch; nil: it goes on
	}{
		{"ThrottlingException", nil},
		{"KinesisClientLibDependencyException", nil},
		{"InvalidStateException", processor.ErrInvalidState},
		{"IllegalArgumentException", processor.ErrOutOfRange},
	} {
		t.Run(test.exception, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s processortest.Shard
				fill(&s, 4, 1)
				p := Record(func(context.Context, processor.Record) error { return nil })
				d := s.Start(t, p, processor.WithCheckpointRetries(0))
				d.Do(s.Initialize())
				s.FailCheckpoint(1, test.exception)
				err := d.Begin(s.Next(2)).Wait()
				if test.want != nil {
					if !errors.Is(err, test.want) {
						t.Fatalf("got %v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				d.Do(s.Next(2))
				want(t, "checkpoints", sequences(&s), "4")
			})
		})
	}
	t.Run("ShutdownException", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var s processortest.Shard
			fill(&s, 4, 1)
			var got seen
			p := Record(func(_ context.Context, r processor.Record) error { got.add(r); return nil })
			d := start(t, &s, p)
			s.FailCheckpoint(1, "ShutdownException")
			d.Do(s.Next(2))
			d.Do(s.Next(2))
			d.Do(protocol.LeaseLost{})
			<-p.Done()
			want(t, "records", got.String(), "0 1")
			want(t, "checkpoints", sequences(&s), "")
		})
	})
}

// attempts notes when each attempt began.
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
		for i, longest := range []time.Duration{1, 2, 4, 8, 20, 20, 20} { // 16 s is more than half of 20 s
			longest *= time.Second
			if i == 4 {
				longest = 20 * time.Second
			}
			delay := at[i+1].Sub(at[i])
			if delay < longest/2-1 && !(i == 4 && delay >= 8*time.Second) || delay > longest {
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

// What a batch is.
func TestBatches(t *testing.T) {
	for _, test := range []struct {
		name    string
		options []Option
		want    string
	}{
		{"one worker", nil, "[0 1 2 3 4 5 6]"},
		{"one worker, 3 at most", []Option{WithBatchSize(3)}, "[0 1 2] [3 4 5] [6]"},
		{"a key's run", []Option{WithWorkers(2)}, "[0 2 4 6] [1 3 5]"},
		{"a key's run, 3 at most", []Option{WithWorkers(2), WithBatchSize(3)}, "[0 2 4] [1 3 5] [6]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s processortest.Shard
				fill(&s, 7, 2)
				var mu sync.Mutex
				var calls []string
				d := start(t, &s, Batch(func(_ context.Context, records []processor.Record) error {
					var data []string
					for _, r := range records {
						data = append(data, string(r.Data))
					}
					mu.Lock()
					calls = append(calls, fmt.Sprint(data))
					mu.Unlock()
					time.Sleep(time.Second)
					return nil
				}, test.options...))
				d.Do(s.Next(7))
				slices.Sort(calls)
				want(t, "calls", strings.Join(calls, " "), test.want)
				want(t, "checkpoints", sequences(&s), "7")
			})
		})
	}
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
	for name, f := range map[string]Failures{"empty": {}, "out of range": {9: errBad}, "negative": {-1: errBad, 2: errBad}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls, _ := batches(t, func(data []string, call int) error {
					if call == 1 {
						return f
					}
					return nil
				})
				want(t, "calls", calls, "[01234567 0123 4567]")
			})
		})
	}
	err := Failures{4: errBad, 2: nil, 3: errBad}
	want(t, "error", err, "3 records of the batch failed, the first at index 2: <nil>")
	if !errors.Is(err, errBad) {
		t.Error("does not unwrap")
	}
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

// SIGTERM: whatever is in work or in retry, the watermark is checkpointed and
// the action answered within the grace, and nothing new is begun.
func TestStopNotice(t *testing.T) {
	const grace = 8 * time.Second
	for _, test := range []struct {
		name string
		work func(ctx context.Context) error // of the second record
		want time.Duration                   // to the answer
		mark string
	}{
		{"retry", func(context.Context) error { return errBad }, 0, "1"},
		{"finishes", func(context.Context) error { time.Sleep(14 * time.Second); return nil }, 4 * time.Second, "2"},
		{"fails", func(context.Context) error { time.Sleep(14 * time.Second); return errBad }, 4 * time.Second, "1"},
		{"heeds its context", func(ctx context.Context) error { return wait(ctx, time.Hour) }, 6 * time.Second, "1"},
		{"is done though cancelled", func(ctx context.Context) error { wait(ctx, time.Hour); return nil }, 6 * time.Second, "2"},
		{"does not heed it", func(context.Context) error { time.Sleep(time.Hour); return nil }, grace, "1"},
	} {
		for _, mode := range []struct {
			name    string
			options []Option
		}{{"strict", nil}, {"parallel", []Option{WithWorkers(3)}}, {"overlap", []Option{WithMaxInFlight(1000, 1<<20)}}} {
			t.Run(test.name+"/"+mode.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var s processortest.Shard
					fill(&s, 6, 1)
					var got seen
					opts := append(mode.options, WithStopGrace(grace), WithBackoff(time.Hour, time.Hour))
					p := Record(func(ctx context.Context, r processor.Record) error {
						got.add(r)
						if string(r.Data) == "1" {
							return test.work(ctx)
						}
						return nil
					}, opts...)
					d := start(t, &s, p)
					a := d.Begin(s.Next(4))
					time.Sleep(10 * time.Second)
					if mode.name != "overlap" && answered(a) {
						t.Fatal("answered too soon")
					}
					begin := time.Now()
					d.StopNotice()
					if mode.name == "overlap" {
						d.Do(protocol.ShutdownRequested{})
					} else if err := a.Wait(); err != nil {
						t.Fatal(err)
					}
					want(t, "answered after", time.Since(begin), test.want)
					want(t, "checkpoint", s.Checkpoint(), test.mark+"/0")
					before := got.String()
					d.Do(s.Next(2)) // the daemon has not noticed yet
					if mode.name != "overlap" {
						d.Do(protocol.ShutdownRequested{})
					}
					d.Do(protocol.LeaseLost{})
					want(t, "checkpoint", s.Checkpoint(), test.mark+"/0")
					want(t, "no new attempt", got.String(), before)
					<-p.Done()
				})
			})
		}
	}
}

// A stop that only the child was told of does not starve the shard for good.
func TestStopThatTheDaemonIgnores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		fill(&s, 3, 1)
		d := start(t, &s, Record(func(context.Context, processor.Record) error { return nil }))
		d.Do(s.Next(1))
		d.StopNotice()
		synctest.Wait()
		d.Do(s.Next(1))
		time.Sleep(stopPatience + time.Second)
		if err := d.Begin(s.Next(1)).Wait(); !errors.Is(err, ErrStopIgnored) {
			t.Errorf("got %v", err)
		}
		want(t, "checkpoints", sequences(&s), "1")
	})
}

// A hand-off while records are in work: shutdownRequested finishes them.
func TestShutdownRequestedInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		fill(&s, 4, 4)
		p := Record(func(ctx context.Context, r processor.Record) error { return wait(ctx, 2*time.Second) },
			WithWorkers(2), WithMaxInFlight(100, 1<<20))
		d := start(t, &s, p)
		d.Do(s.Next(4))
		synctest.Wait()
		begin := time.Now()
		d.Do(protocol.ShutdownRequested{})
		want(t, "answered after", time.Since(begin), 2*time.Second)
		want(t, "checkpoint", s.Checkpoint(), "2/0")
		d.Do(protocol.LeaseLost{})
		<-p.Done()
	})
}

func TestShardEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		fill(&s, 4, 4)
		begin := time.Now()
		d := start(t, &s, Record(func(_ context.Context, r processor.Record) error {
			if string(r.Data) == "3" && time.Since(begin) < time.Hour {
				return errBad
			}
			return nil
		}, WithWorkers(2), WithMaxInFlight(100, 1<<20)))
		d.Do(s.Next(4))
		a := d.Begin(protocol.ShardEnded{})
		time.Sleep(59 * time.Minute)
		if answered(a) {
			t.Fatal("the shard ended with a record unfinished")
		}
		if err := a.Wait(); err != nil {
			t.Fatal(err)
		}
		want(t, "checkpoint", s.Checkpoint().SequenceNumber, protocol.ShardEnd)
	})
}

// What cannot finish does not let the shard end, stop or not.
func TestShardEndWhileStopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		fill(&s, 4, 4)
		p := Record(func(_ context.Context, r processor.Record) error {
			if string(r.Data) == "3" {
				return errBad
			}
			return nil
		}, WithMaxInFlight(100, 1<<20))
		d := start(t, &s, p)
		d.Do(s.Next(4))
		synctest.Wait()
		d.StopNotice()
		d.Do(protocol.ShardEnded{}) // answered, so that the daemon can stop
		want(t, "checkpoint", s.Checkpoint(), "3/0")
		<-p.Done()
	})
}

func TestShardEndNeedsItsCheckpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		p := Record(func(context.Context, processor.Record) error { return nil })
		d := s.Start(t, p, processor.WithCheckpointRetries(0))
		d.Do(s.Initialize())
		s.FailCheckpoint(1, "ThrottlingException")
		if err := d.Begin(protocol.ShardEnded{}).Wait(); !errors.Is(err, processor.ErrThrottled) {
			t.Errorf("got %v", err)
		}
	})
}

// A lost lease cancels the work; nothing is checkpointed after it.
func TestLeaseLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		fill(&s, 4, 1)
		var cause error
		var got seen
		var sink letters
		p := Record(func(ctx context.Context, r processor.Record) error {
			got.add(r)
			<-ctx.Done()
			cause = context.Cause(ctx)
			time.Sleep(time.Second)
			return cause
		}, WithMaxInFlight(100, 1<<20), WithAttempts(1), WithDeadLetter(&sink))
		d := start(t, &s, p)
		d.Do(s.Next(4))
		synctest.Wait()
		d.Do(protocol.LeaseLost{})
		select {
		case <-p.Done():
		default:
			t.Error("LeaseLost was answered before the handler had returned")
		}
		if !errors.Is(cause, processor.ErrLeaseLost) {
			t.Errorf("cancelled by %v", cause)
		}
		want(t, "records", got.String(), "0")
		want(t, "dead letters", sink.data(), "")
		want(t, "checkpoints", sequences(&s), "")
	})
}

// A handler that returns because the lease has ended has not failed, also when
// the owner hears of it before it hears of the end.
func TestLeaseLostIsNoFailure(t *testing.T) {
	for range 20 { // of what waits for the owner it takes one by chance
		synctest.Test(t, func(t *testing.T) {
			var s processortest.Shard
			fill(&s, 5, 5)
			var sink letters
			batches, release := 0, make(chan struct{})
			p := Record(func(ctx context.Context, r processor.Record) error { <-ctx.Done(); return ctx.Err() },
				WithWorkers(4), WithMaxInFlight(100, 1<<20), WithAttempts(1), WithDeadLetter(&sink),
				WithObserver(Observer{BatchReceived: func(BatchReceived) {
					if batches++; batches == 2 {
						<-release // keeps the owner busy
					}
				}}))
			d := start(t, &s, p)
			d.Do(s.Next(4))
			d.Begin(s.Next(1))
			synctest.Wait()
			d.Close()
			close(release)
			<-p.Done()
			want(t, "dead letters", sink.data(), "")
		})
	}
}

// The daemon is gone in the middle of a batch: the handlers are cancelled.
func TestDaemonGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		fill(&s, 4, 4)
		p := Record(func(ctx context.Context, r processor.Record) error { <-ctx.Done(); return ctx.Err() }, WithWorkers(3))
		d := start(t, &s, p)
		d.Begin(s.Next(4))
		synctest.Wait()
		if err := d.Close(); !errors.Is(err, processor.ErrDaemonGone) {
			t.Errorf("Run: %v", err)
		}
		<-p.Done()
	})
}

func TestObserver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		fill(&s, 3, 1)
		var log []string
		note := func(format string, args ...any) { log = append(log, fmt.Sprintf(format, args...)) }
		failed := false
		d := start(t, &s, Record(func(_ context.Context, r processor.Record) error {
			time.Sleep(time.Second)
			if string(r.Data) == "1" && !failed {
				failed = true
				return errBad
			}
			return nil
		}, WithBackoff(time.Second, time.Second), WithObserver(Observer{
			BatchReceived:  func(b BatchReceived) { note("batch %d lag %d %t", b.Records, b.MillisBehindLatest, b.Bytes > 0) },
			BatchFinished:  func(b BatchFinished) { note("finished %d %t", b.Records, b.Duration >= 4*time.Second) },
			RecordFinished: func(r RecordFinished) { note("record %v %d %v", r.Position, r.Attempts, r.Duration) },
			Retry:          func(r Retry) { note("retry %v %d", r.Position, r.Attempts) },
			Checkpoint:     func(c Checkpoint) { note("checkpoint %v %d %v", c.Position, c.Records, c.Err) },
			InFlight:       func(f InFlight) { note("flight %d", f.Records) },
		})))
		m := s.Next(3)
		m.MillisBehindLatest = 77
		d.Do(m)
		want(t, "observed", strings.Join(log, "\n"), strings.Join([]string{
			"batch 3 lag 77 true", "flight 3",
			"record 1/0 1 1s", "retry 2/0 1", "record 2/0 2 1s", "record 3/0 1 1s",
			"finished 3 true", "flight 0", "checkpoint 3/0 3 <nil>",
		}, "\n"))
	})
}

func TestIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := processortest.Shard{ID: "shardId-000000000007"}
		s.PutAggregate("a", "x", "y")
		var ids []string
		d := start(t, &s, Record(func(ctx context.Context, r processor.Record) error {
			ids = append(ids, ID(ctx, r), ShardID(ctx))
			return nil
		}))
		d.Do(s.Next(2))
		want(t, "ids", ids, "[shardId-000000000007/1/0 shardId-000000000007 shardId-000000000007/1/1 shardId-000000000007]")
		want(t, "without a shard", ShardID(t.Context()), "")
	})
}

// Every option that is out of its range is named, all at once.
func TestOptionsAreChecked(t *testing.T) {
	each := func(context.Context, processor.Record) error { return nil }
	all := func(context.Context, []processor.Record) error { return nil }
	var sink letters
	for want, p := range map[string]*Processor{
		"the handler is nil":                           Record(nil),
		"WithWorkers: 0 is not within 1 to 1000":       Record(each, WithWorkers(0)),
		"WithWorkers: 1001 is not within 1 to 1000":    Record(each, WithWorkers(1001)),
		"WithBatchSize is for Batch":                   Record(each, WithBatchSize(5)),
		"WithBatchSize: 0 is not within 1 to 10000":    Batch(all, WithBatchSize(0)),
		"WithMaxInFlight: records: 0":                  Record(each, WithMaxInFlight(0, 5)),
		"WithMaxInFlight: bytes: 0":                    Record(each, WithMaxInFlight(5, 0)),
		"WithCheckpointEvery: records: -1":             Record(each, WithCheckpointEvery(-1, time.Second)),
		"WithCheckpointEvery: age: 1ns":                Record(each, WithCheckpointEvery(0, 1)),
		"WithCheckpointEvery: 0 records and 0 s":       Record(each, WithCheckpointEvery(0, 0)),
		"WithBackoff: first: 0s":                       Record(each, WithBackoff(0, time.Second)),
		"WithBackoff: longest: 48h0m0s":                Record(each, WithBackoff(time.Second, 48*time.Hour)),
		"is longer than the longest, 1s":               Record(each, WithBackoff(2*time.Second, time.Second)),
		"WithAttempts: 0":                              Record(each, WithAttempts(0)),
		"WithRetryFor: 0s":                             Record(each, WithRetryFor(0)),
		"WithMaxAge: -1s":                              Record(each, WithMaxAge(-time.Second)),
		"WithDeadLetter: nil sink":                     Record(each, WithDeadLetter(nil), WithAttempts(1)),
		"WithDeadLetter needs a limit":                 Record(each, WithDeadLetter(&sink)),
		"WithDeadLetter and WithEndOnFailure exclude":  Record(each, WithDeadLetter(&sink), WithAttempts(1), WithEndOnFailure()),
		"WithRecordTimeout: 0s":                        Record(each, WithRecordTimeout(0)),
		"WithBatchTimeout: 25h0m0s":                    Record(each, WithBatchTimeout(25*time.Hour)),
		"WithWatchdog: 1ms":                            Record(each, WithWatchdog(time.Millisecond, GoOn)),
		"WithWatchdog: 7 is neither":                   Record(each, WithWatchdog(time.Second, 7)),
		"WithStopGrace: 6m0s is not within 0s to 5m0s": Record(each, WithStopGrace(6*time.Minute)),
		"WithLogger: nil logger":                       Record(each, WithLogger(nil)),
		"1 to 1000\nhandle: WithStopGrace: -1s":        Record(each, WithWorkers(-1), WithStopGrace(-time.Second)),
	} {
		err := p.Initialize(t.Context(), processor.InitializeInput{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "handle: ") {
			t.Errorf("got %v, want %q", err, want)
		}
		<-p.Done() // nothing runs
	}
	good := []*Processor{
		Record(each), Batch(all, WithBatchSize(1), WithWorkers(1000)),
		Record(each, WithMaxInFlight(1, 1), WithCheckpointEvery(1, 0), WithBackoff(time.Millisecond, time.Millisecond), WithStopGrace(0)),
		Record(each, WithDeadLetter(&sink), WithMaxAge(time.Hour), WithWatchdog(time.Second, EndChild)),
	}
	for i, p := range good {
		if err := p.settings.validate(); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// A Processor serves one lease.
func TestOneLease(t *testing.T) {
	var s processortest.Shard
	p := Record(func(context.Context, processor.Record) error { return nil })
	d := start(t, &s, p)
	d.Close()
	<-p.Done()
	d = s.Start(t, p)
	if err := d.Begin(s.Initialize()).Wait(); err == nil || !strings.Contains(err.Error(), "make one for each lease") {
		t.Errorf("got %v", err)
	}
}
