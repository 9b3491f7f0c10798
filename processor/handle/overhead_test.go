package handle

import (
	"context"
	"fmt"
	"testing"

	"github.com/seed96110120/kinesis-client-go/processor"
)

const overheadBatch = 1000

func overheadRecords() []processor.Record {
	records := make([]processor.Record, overheadBatch)
	for i := range records {
		records[i] = processor.Record{
			Data: make([]byte, 100), PartitionKey: fmt.Sprint("key", i%100),
			SequenceNumber: fmt.Sprintf("4959033827149025660855969253836157109592157598913658%04d", i),
		}
	}
	return records
}

// noCheckpointer makes no checkpoints, at no cost.
type noCheckpointer struct{}

func (noCheckpointer) Checkpoint(context.Context) error                       { return nil }
func (noCheckpointer) CheckpointAt(context.Context, processor.Position) error { return nil }

// byHand does what a RecordProcessor without this package does with a batch.
type byHand struct{ handled int }

func (h *byHand) handle(context.Context, processor.Record) error { h.handled++; return nil }

func (h *byHand) process(ctx context.Context, records []processor.Record, c checkpointer) error {
	for _, r := range records {
		if err := h.handle(ctx, r); err != nil {
			return err
		}
	}
	return c.Checkpoint(ctx)
}

// layer returns a function that handles a batch with a processor of this package.
func layer(tb testing.TB, p *Processor) func([]processor.Record) error {
	if err := p.settings.validate(); err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := newLeaseLoop(p.settings, Shard{ShardID: "shardId-000000000000", Key: "shardId-000000000000"}, ctx, nil, func(error) {}, p.done)
	go l.run()
	tb.Cleanup(func() { cancel(); <-l.done })
	return func(records []processor.Record) error {
		return l.do(action{kind: deliver, records: records, checkpointer: noCheckpointer{}})
	}
}

// The cost of a record, without this package and with it.
func BenchmarkOverhead(b *testing.B) {
	records := overheadRecords()
	perRecord := func(b *testing.B, process func([]processor.Record) error) {
		b.ReportAllocs()
		for b.Loop() {
			if err := process(records); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/overheadBatch, "ns/record")
	}
	b.Run("by hand", func(b *testing.B) {
		h := &byHand{}
		perRecord(b, func(r []processor.Record) error { return h.process(b.Context(), r, noCheckpointer{}) })
	})
	b.Run("Record", func(b *testing.B) {
		h := &byHand{}
		perRecord(b, layer(b, Record(h.handle, nil)))
	})
	b.Run("Batch", func(b *testing.B) {
		perRecord(b, layer(b, Batch(func(context.Context, []processor.Record) error { return nil }, nil)))
	})
	for _, concurrency := range []int{2, 16} {
		b.Run(fmt.Sprint("Record, concurrency ", concurrency), func(b *testing.B) {
			perRecord(b, layer(b, Record(func(context.Context, processor.Record) error { return nil }, &Options{Concurrency: concurrency})))
		})
	}
}

// In fact it allocates far less.
//
// Guarantee: With the default options the package allocates at most once per
// record.
func TestAllocations(t *testing.T) {
	records := overheadRecords()
	process := layer(t, Record((&byHand{}).handle, nil))
	perBatch := testing.AllocsPerRun(20, func() {
		if err := process(records); err != nil {
			t.Error(err)
		}
	})
	if perBatch > overheadBatch {
		t.Errorf("%v allocations for %d records, want at most one each", perBatch, overheadBatch)
	}
	t.Logf("%v allocations for %d records", perBatch, overheadBatch)
}
