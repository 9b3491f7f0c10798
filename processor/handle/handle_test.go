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

// Guarantee: By default the daemon gets its answer to a batch when the batch
// is finished and its checkpoint was tried.
func TestBatchIsFinishedBeforeItsStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		fill(&s, 5, 2)
		var got seen
		d := start(t, &s, Record(func(ctx context.Context, r processor.Record) error {
			got.add(r)
			return wait(ctx, time.Second)
		}, nil))
		d.Do(s.Next(3))
		want(t, "records", got.String(), "0 1 2")
		d.Do(s.Next(0))
		d.Do(s.Next(2))
		d.Do(protocol.ShutdownRequested{})
		want(t, "records", got.String(), "0 1 2 3 4")
		want(t, "checkpoints", sequences(&s), "3 5")
	})
}

// Keys in parallel; the number of calls is limited by the concurrency.
//
// Guarantee: Records of one partition key are handled in order, one at a time.
// With a concurrency of 1 this holds for all records of the shard.
func TestOrderPerKey(t *testing.T) {
	for _, concurrency := range []int{1, 2, 7, 100} {
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
					t.Errorf("%s: record %s after %s, want ascending order", r.PartitionKey, r.SequenceNumber, prev)
				}
				busy[r.PartitionKey], last[r.PartitionKey] = true, r.SequenceNumber
				most = max(most, len(busy))
				mu.Unlock()
				time.Sleep(10 * time.Millisecond)
				mu.Lock()
				delete(busy, r.PartitionKey)
				mu.Unlock()
				return nil
			}, &Options{Concurrency: concurrency})
			d := start(t, &s, p)
			begin := time.Now()
			d.Do(s.Next(100))
			want(t, "most at once", most, min(concurrency, 10))
			rounds := (100 + concurrency - 1) / concurrency
			if concurrency >= 10 {
				rounds = 10
			}
			if took := time.Since(begin); took > time.Duration(rounds+5)*10*time.Millisecond {
				t.Errorf("with a concurrency of %d it took %v, want at most %v", concurrency, took, time.Duration(rounds+5)*10*time.Millisecond)
			}
			want(t, "checkpoints", sequences(&s), "100")
		})
	}
}

// Guarantee: With a concurrency of more than 1, a key with many records, or
// with a record in retry, does not hold up other keys.
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
		}, &Options{Concurrency: 2}))
		d.Do(s.Next(202))
		if cold == 0 || cold > 5*time.Second {
			t.Errorf("the cold key was done after %v, want at most 5s", cold)
		}
		if took := time.Since(begin); took < time.Hour || took > time.Hour+2*time.Minute {
			t.Errorf("all took %v, want 1h0m0s to 1h2m0s", took)
		}
	})
}

// What a batch consists of.
func TestBatches(t *testing.T) {
	for _, test := range []struct {
		name    string
		options Options
		want    string
	}{
		{"concurrency 1", Options{}, "[0 1 2 3 4 5 6]"},
		{"concurrency 1, 3 at most", Options{BatchSize: 3}, "[0 1 2] [3 4 5] [6]"},
		{"concurrency 2", Options{Concurrency: 2}, "[0 2 4 6] [1 3 5]"},
		{"concurrency 2, 3 at most", Options{Concurrency: 2, BatchSize: 3}, "[0 2 4] [1 3 5] [6]"},
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
				}, &test.options))
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
		}, &Options{MinBackoff: time.Second, MaxBackoff: time.Second, Observer: Observer{
			BatchReceived:  func(b BatchReceived) { note("batch %d lag %d %t", b.Records, b.MillisBehindLatest, b.Bytes > 0) },
			BatchFinished:  func(b BatchFinished) { note("finished %d %t", b.Records, b.Duration >= 4*time.Second) },
			RecordFinished: func(r RecordFinished) { note("record %v %d %v", r.Position, r.Attempts, r.Duration) },
			Retry:          func(r Retry) { note("retry %v %d", r.Position, r.Attempts) },
			Checkpoint:     func(c Checkpoint) { note("checkpoint %v %d %v", c.Position, c.Records, c.Err) },
			InFlight:       func(f InFlight) { note("in flight %d", f.Records) },
		}}))
		m := s.Next(3)
		m.MillisBehindLatest = 77
		d.Do(m)
		want(t, "observed", strings.Join(log, "\n"), strings.Join([]string{
			"batch 3 lag 77 true", "in flight 3",
			"record 1/0 1 1s", "retry 2/0 1", "record 2/0 2 1s", "record 3/0 1 1s",
			"finished 3 true", "in flight 0", "checkpoint 3/0 3 <nil>",
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
		}, nil))
		d.Do(s.Next(2))
		want(t, "ids", ids, "[shardId-000000000007/1/0 shardId-000000000007 shardId-000000000007/1/1 shardId-000000000007]")
		want(t, "without a shard", ShardID(t.Context())+Stream(t.Context()), "")
	})
}

// Guarantee: Shards of several streams that have the same ID are kept apart:
// in IDs, dead letters and their files, observers and logs.
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
					t.Errorf("%s: stream %s, shard %s; want %s, shardId-000000000000", key, Stream(ctx), ShardID(ctx), name)
				}
				id := ID(ctx, r)
				if other, ok := ids[id]; ok || !strings.HasPrefix(string(r.Data), stream) {
					t.Errorf("%q and %q of the stream %s have the ID %s", other, r.Data, stream, id)
				}
				ids[id] = string(r.Data)
				if strings.HasSuffix(string(r.Data), "bad") {
					return Permanent(errBad)
				}
				return nil
			}, &Options{MaxAttempts: 1, DeadLetters: files, Logger: slog.New(slog.NewTextHandler(&log, nil)), Observer: Observer{
				DeadLettered:  func(e DeadLettered) { mu.Lock(); defer mu.Unlock(); told[e.Shard]++ },
				BatchFinished: func(e BatchFinished) { mu.Lock(); defer mu.Unlock(); told[e.Shard] += e.Records },
			}}))
			d.Do(s.Next(2))
			want(t, "what the observer was told of "+key, told[Shard{"shardId-000000000000", name, key}], 3)
			if text := "msg=\"dead letter\" stream=" + stream + " shardId=shardId-000000000000 "; !strings.Contains(log.String(), text) {
				t.Errorf("%s is not in the log:\n%s", text, &log)
			}
			got := lines(t, filepath.Join(dir, strings.ReplaceAll(stream, ":", "_"), "shardId-000000000000.jsonl"))
			var letter DeadLetter
			if err := json.Unmarshal([]byte(got[0]), &letter); err != nil || len(got) != 1 {
				t.Fatalf("%d letters, error %v; want 1, none", len(got), err)
			}
			want(t, "the letter", letter.ID+" "+letter.Stream+" "+letter.ShardID+" "+string(letter.Data), key+"/1/0 "+name+" shardId-000000000000 "+stream+" bad")
		}
		want(t, "records", len(ids), 2*len(keys))
	})
}

// Every field that is out of range is named, all at once. Zero and the limits
// of the ranges are valid.
func TestOptionsAreChecked(t *testing.T) {
	each := func(context.Context, processor.Record) error { return nil }
	all := func(context.Context, []processor.Record) error { return nil }
	var sink letters
	for want, p := range map[string]*Processor{
		"the handler is nil":                               Record(nil, nil),
		"Options.Concurrency: -1 is not within 1 to 1000":  Record(each, &Options{Concurrency: -1}),
		"Options.Concurrency: 1001 is not within":          Record(each, &Options{Concurrency: 1001}),
		"Options.BatchSize: only for Batch":                Record(each, &Options{BatchSize: 5}),
		"Options.BatchSize: -1 is not within 1 to 10000":   Batch(all, &Options{BatchSize: -1}),
		"Options.BatchSize: 10001 is not":                  Batch(all, &Options{BatchSize: 10001}),
		"Options.MaxInFlightRecords: -1":                   Record(each, &Options{MaxInFlightRecords: -1, MaxInFlightBytes: 5}),
		"Options.MaxInFlightRecords: needs":                Record(each, &Options{MaxInFlightRecords: 5}),
		"and the other way round":                          Record(each, &Options{MaxInFlightBytes: 5}),
		"Options.MaxInFlightBytes: -1":                     Record(each, &Options{MaxInFlightRecords: 5, MaxInFlightBytes: -1}),
		"Options.CheckpointRecords: -1":                    Record(each, &Options{CheckpointRecords: -1, CheckpointInterval: time.Second}),
		"Options.CheckpointInterval: 1ns":                  Record(each, &Options{CheckpointInterval: 1}),
		"Options.CheckpointInterval: -1s":                  Record(each, &Options{CheckpointInterval: -time.Second}),
		"Options.MinBackoff: -1ns":                         Record(each, &Options{MinBackoff: -1}),
		"Options.MaxBackoff: 48h0m0s":                      Record(each, &Options{MaxBackoff: 48 * time.Hour}),
		"Options.MinBackoff: 2s is longer than":            Record(each, &Options{MinBackoff: 2 * time.Second, MaxBackoff: time.Second}),
		"Options.MinBackoff: 1m0s is longer than":          Record(each, &Options{MinBackoff: time.Minute}),
		"Options.MaxAttempts: -1":                          Record(each, &Options{MaxAttempts: -1}),
		"Options.MaxRetryTime: 1µs":                        Record(each, &Options{MaxRetryTime: time.Microsecond}),
		"Options.MaxRecordAge: -1s":                        Record(each, &Options{MaxRecordAge: -time.Second}),
		"Options.DeadLetters: needs a limit":               Record(each, &Options{DeadLetters: &sink}),
		"Options.DeadLetters: excludes EndOnFailure":       Record(each, &Options{DeadLetters: &sink, MaxAttempts: 1, EndOnFailure: true}),
		"Options.RecordTimeout: -1s":                       Record(each, &Options{RecordTimeout: -time.Second}),
		"Options.BatchTimeout: 25h0m0s":                    Record(each, &Options{BatchTimeout: 25 * time.Hour}),
		"Options.HangTimeout: 1ms":                         Record(each, &Options{HangTimeout: time.Millisecond}),
		"Options.HangAction: 7 is neither":                 Record(each, &Options{HangTimeout: time.Second, HangAction: 7}),
		"Options.HangAction: needs HangTimeout":            Record(each, &Options{HangAction: EndProcessor}),
		"Options.StopGrace: 6m0s is not":                   Record(each, &Options{StopGrace: 6 * time.Minute}),
		"1 to 1000\nhandle: Options.RecordTimeout: 1ns is": Record(each, &Options{Concurrency: -1, RecordTimeout: 1}),
	} {
		err := p.Initialize(t.Context(), processor.InitializeInput{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "handle: ") {
			t.Errorf("error %v, want %q", err, want)
		}
		<-p.Done() // nothing runs
	}
	good := []*Processor{
		Record(each, nil), Batch(all, &Options{}), Batch(all, &Options{BatchSize: 1, Concurrency: 1000}),
		Record(each, &Options{MaxInFlightRecords: 1, MaxInFlightBytes: 1, CheckpointRecords: 1, MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond, StopGrace: -1}),
		Record(each, &Options{DeadLetters: &sink, MaxRecordAge: time.Hour, HangTimeout: time.Second, HangAction: EndProcessor}),
	}
	for i, p := range good {
		if err := p.settings.validate(); err != nil {
			t.Errorf("valid options %d: %v", i, err)
		}
	}
}
