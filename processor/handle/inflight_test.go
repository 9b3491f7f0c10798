package handle

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/processortest"
	"github.com/seed96110120/kinesis-client-go/protocol"
)

// Records finish out of order, some with sub-sequence numbers.
//
// Guarantee: A checkpoint is the watermark: it never passes an unfinished
// record.
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
		}, &Options{Concurrency: 10, MaxInFlightRecords: 100, MaxInFlightBytes: 1 << 20}))
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

// The limit counts whole batches.
//
// Guarantee: With Options.MaxInFlightRecords the daemon gets its answer as
// soon as there is room: the records held stay below the limit plus one batch.
func TestMaxInFlightHoldsTheAction(t *testing.T) {
	for name, opts := range map[string]Options{
		"records": {MaxInFlightRecords: 4, MaxInFlightBytes: 1 << 30},
		"bytes":   {MaxInFlightRecords: 1000, MaxInFlightBytes: 400},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s processortest.Shard
				fill(&s, 8, 8)
				gates := make(chan struct{})
				var last InFlight
				opts.Concurrency = 3
				opts.Observer.InFlight = func(f InFlight) { last = f }
				d := start(t, &s, Record(func(context.Context, processor.Record) error {
					<-gates
					return nil
				}, &opts))
				d.Do(s.Next(3))
				full := d.Begin(s.Next(3))
				if answered(full) {
					t.Fatal("answered while 6 records are in flight")
				}
				want(t, "in flight", last.Records, 6)
				gates <- struct{}{}
				gates <- struct{}{}
				if answered(full) {
					t.Fatal("answered while the last record of the first batch is unfinished")
				}
				gates <- struct{}{}
				if !answered(full) {
					t.Fatal("not answered with 3 records in flight")
				}
				want(t, "checkpoint", s.Checkpoint(), "3/0")
				close(gates)
				d.Do(s.Next(2))
				synctest.Wait()
				d.Do(s.Next(0))
				want(t, "checkpoint", s.Checkpoint(), "8/0")
				want(t, "in flight", last, "{{shardId-000000000000  shardId-000000000000} 0 0}")
			})
		})
	}
}

// A blocked record does not keep the finished batches behind it in memory.
//
// Guarantee: With Options.MaxInFlightRecords the daemon gets its answer as
// soon as there is room: the records held stay below the limit plus one batch.
func TestFinishedBatchesAreLetGo(t *testing.T) {
	var f inFlightList
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
	want(t, "passed", f.passed, 1001)
	want(t, "left", []any{f.first == nil, f.last == nil, f.records, f.bytes}, "[true true 0 0]")
}

// Records that arrive out of order are sorted first.
//
// Guarantee: Positions are compared as numbers.
func TestWatermarkComparesNumbers(t *testing.T) {
	var f inFlightList
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
		options Options
		batches []int
		want    string
	}{
		{"each batch", Options{}, []int{3, 3, 4}, "3 6 10"},
		{"every 4 records", Options{CheckpointRecords: 4}, []int{3, 3, 4}, "4 8 10"},
		{"every 4 records, within a batch", Options{CheckpointRecords: 4}, []int{10}, "4 8 10"},
		{"every 4 s, within a batch", Options{CheckpointInterval: 4*time.Second + time.Millisecond}, []int{10}, "4 8 10"},
		{"every hour", Options{CheckpointInterval: time.Hour}, []int{5, 5}, "10"},
		{"what comes first", Options{CheckpointRecords: 2, CheckpointInterval: time.Hour}, []int{5}, "2 4 5"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s processortest.Shard
				fill(&s, 10, 10)
				d := start(t, &s, Record(each, &test.options))
				for _, n := range test.batches {
					d.Do(s.Next(n))
				}
				d.Do(protocol.ShutdownRequested{}) // the rest
				want(t, "checkpoints", sequences(&s), test.want)
			})
		})
	}
}

// What each exception of a checkpoint means for this action and later ones.
func TestCheckpointErrors(t *testing.T) {
	for _, test := range []struct {
		exception string
		want      error // of the batch; nil: the processor continues
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
				p := Record(func(context.Context, processor.Record) error { return nil }, nil)
				d := s.Start(t, p, &processor.Options{CheckpointRetries: -1})
				d.Do(s.Initialize())
				s.FailCheckpoint(1, test.exception)
				err := d.Begin(s.Next(2)).Wait()
				if test.want != nil {
					if !errors.Is(err, test.want) {
						t.Fatalf("error %v, want %v", err, test.want)
					}
					return
				}
				if err != nil {
					t.Fatalf("the batch: %v", err)
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
			p := Record(func(_ context.Context, r processor.Record) error { got.add(r); return nil }, nil)
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
