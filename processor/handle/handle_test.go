package handle

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/processortest"
	"github.com/seed96110120/kinesis-client-go/protocol"
)

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
		want(t, "without a shard", ShardID(t.Context())+Stream(t.Context()), "")
	})
}

// Shards of one ID, of streams that may have one name too, are kept apart: by ID,
// dead letter and its file, observer, log and errors.
func TestShardsOfSeveralStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		files := NewFiles(dir)
		defer files.Close()
		var mu sync.Mutex
		told := map[Shard]int{}
		ids := map[string]string{}
		var keys []string
		for _, stream := range []string{"111122223333:orders:1700", "111122223333:orders:1800", "444455556666:orders:1700", "111122223333:bills:1700"} {
			var log bytes.Buffer
			name := strings.Split(stream, ":")[1]
			key := stream + ":shardId-000000000000"
			keys = append(keys, key)
			s := processortest.Shard{Stream: name, Key: key}
			s.Put("k", stream+" bad", stream+" good")
			d := start(t, &s, Record(func(ctx context.Context, r processor.Record) error {
				if Stream(ctx) != name || ShardID(ctx) != "shardId-000000000000" {
					t.Errorf("%s: stream %s, shard %s", key, Stream(ctx), ShardID(ctx))
				}
				id := ID(ctx, r)
				if other, ok := ids[id]; ok || !strings.HasPrefix(string(r.Data), stream) {
					t.Errorf("%s is that of %q and %q", id, other, r.Data)
				}
				ids[id] = string(r.Data)
				if strings.HasSuffix(string(r.Data), "bad") {
					return Permanent(errBad)
				}
				return nil
			}, WithAttempts(1), WithDeadLetter(files), WithLogger(slog.New(slog.NewTextHandler(&log, nil))), WithObserver(Observer{
				DeadLettered:  func(e DeadLettered) { mu.Lock(); defer mu.Unlock(); told[e.Shard]++ },
				BatchFinished: func(e BatchFinished) { mu.Lock(); defer mu.Unlock(); told[e.Shard] += e.Records },
			})))
			d.Do(s.Next(2))
			want(t, "what the observer was told of "+key, told[Shard{"shardId-000000000000", name, key}], 3)
			if text := "msg=\"dead letter\" stream=" + stream + " shardId=shardId-000000000000 "; !strings.Contains(log.String(), text) {
				t.Errorf("%s is not in the log:\n%s", text, &log)
			}
			got := lines(t, filepath.Join(dir, strings.ReplaceAll(stream, ":", "_"), "shardId-000000000000.jsonl"))
			var letter DeadLetter
			if err := json.Unmarshal([]byte(got[0]), &letter); err != nil || len(got) != 1 {
				t.Fatal(len(got), err)
			}
			want(t, "the letter", letter.ID+" "+letter.Stream+" "+letter.ShardID+" "+string(letter.Data), key+"/1/0 "+name+" shardId-000000000000 "+stream+" bad")
		}
		want(t, "records", len(ids), 2*len(keys))
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
