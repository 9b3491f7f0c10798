package protocolbench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/conformance"
	"github.com/seed96110120/kinesis-client-go/tools/internal/measure"
)

// A load is what is delivered again and again.
type load struct {
	name          string
	records, size int
	shards        int // at once
	// repeat is how many batches a turn has: enough for 40 ms or so.
	repeat int
}

var loads = []load{
	{"1000 x 100 B", 1000, 100, 1, 40},
	{"1000 x 1 KiB", 1000, 1 << 10, 1, 12},
	{"100 x 10 KiB", 100, 10 << 10, 1, 15},
	{"10 x 1 MiB", 10, 1 << 20, 1, 2},
	{"1 x 10 MiB", 1, 10 << 20, 1, 2},
	{"1 x 100 B", 1, 100, 1, 200},
	{"4 shards, 1000 x 1 KiB", 1000, 1 << 10, 4, 5},
}

// A lane is a contender under a daemon.
type lane struct {
	name string
	contender
	daemon *conformance.Driver
}

func lanes(d *conformance.Driver, all []contender) []lane {
	lanes := make([]lane, len(all))
	for i, c := range all {
		lanes[i] = lane{c.name, c, d}
	}
	return lanes
}

// A result is what a load has shown, a figure for each lane and round.
type result struct {
	load
	lanes []*laneResult
}

type laneResult struct {
	name    string
	seconds measure.Sample // of a batch: of a turn, divided by its batches
	cpu     measure.Sample // milliseconds of a batch, of the child
	batches measure.Sample // milliseconds of each single batch
	peak    measure.Sample // MB, the one value at the end; the largest of the shards
}

// rate returns records a second, round by round.
func (r *result) rate(lane int) measure.Sample {
	return r.perSecond(lane, float64(r.records))
}

// megabytes returns MB (10^6 bytes) of data a second, round by round.
func (r *result) megabytes(lane int) measure.Sample {
	return r.perSecond(lane, float64(r.records)*float64(r.size)/1e6)
}

func (r *result) perSecond(lane int, units float64) measure.Sample {
	s := make(measure.Sample, len(r.lanes[lane].seconds))
	for i, seconds := range r.lanes[lane].seconds {
		s[i] = units / seconds
	}
	return s
}

// load measures a load in all lanes, each with children of its own.
func (b *bench) load(ctx context.Context, l load, lanes []lane) (*result, error) {
	fmt.Fprintf(b.Progress, "%s\n", l.name)
	r := &result{load: l}
	batch := conformance.Batch{Records: l.batch()}
	turns := make([]*turn, len(lanes))
	for i, lane := range lanes {
		r.lanes = append(r.lanes, &laneResult{name: lane.name})
		executable, err := lane.executable()
		if err != nil {
			return nil, err
		}
		turns[i] = &turn{}
		for range l.shards {
			b.shards++
			s := lane.daemon.Shard(fmt.Sprintf("shardId-%012d", b.shards))
			a, err := s.Initialize(executable, "TRIM_HORIZON")
			if err != nil {
				return nil, fmt.Errorf("%s: %w", lane.name, err)
			}
			if _, err := s.ProcessRecords(batch); err != nil {
				return nil, fmt.Errorf("%s: %w", lane.name, err)
			}
			turns[i].shards = append(turns[i].shards, s)
			turns[i].pids = append(turns[i].pids, a.PID)
		}
	}
	err := measure.Rounds(ctx, warmUps+b.Rounds, len(lanes), func(round, i int) error {
		seconds, cpu, batches, err := turns[i].take(l.repeat)
		if err != nil || round < warmUps {
			return err
		}
		lane := r.lanes[i]
		lane.seconds = append(lane.seconds, seconds)
		lane.cpu = append(lane.cpu, cpu)
		lane.batches = append(lane.batches, batches...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, turn := range turns {
		peak := 0.0
		for _, pid := range turn.pids {
			peak = max(peak, measure.Memory(pid, "VmHWM"))
		}
		r.lanes[i].peak = measure.Sample{peak}
		for _, s := range turn.shards {
			if _, err := s.LeaseLost(); err != nil {
				return nil, err
			}
		}
	}
	return r, nil
}

// batch makes the records of a load. The data is random, as encrypted or
// compressed data is: base64 of anything else is no faster.
func (l load) batch() []conformance.Record {
	random := rand.NewChaCha8([32]byte{1})
	records := make([]conformance.Record, l.records)
	for i := range records {
		data := make([]byte, l.size)
		random.Read(data)
		key, millis := fmt.Sprintf("key-%d", i), int64(1_700_000_000_000+i)
		records[i] = conformance.Record{
			Data: data, PartitionKey: &key, ApproximateArrivalTimestamp: &millis,
			SequenceNumber: fmt.Sprintf("49590338271490256608559692538361571095921575989136%06d", i),
		}
	}
	return records
}

// A turn is the children of a lane, one for each shard.
type turn struct {
	shards []*conformance.Shard
	pids   []int
}

// take delivers the batch to all shards at once. It returns the seconds and the
// children's CPU milliseconds per batch, over all shards, and the milliseconds
// of each batch.
func (t *turn) take(repeat int) (seconds, cpu float64, batches measure.Sample, err error) {
	answers := make([]conformance.Answer, len(t.shards))
	errs := make([]error, len(t.shards))
	for _, pid := range t.pids {
		cpu -= measure.CPUMillis(pid)
	}
	from := time.Now()
	var all sync.WaitGroup
	for i, s := range t.shards {
		all.Go(func() { answers[i], errs[i] = s.ProcessRecords(conformance.Batch{Again: true, Repeat: repeat}) })
	}
	all.Wait()
	elapsed := time.Since(from).Seconds()
	for _, pid := range t.pids {
		cpu += measure.CPUMillis(pid)
	}
	own := 0.0
	for i, a := range answers {
		if errs[i] != nil {
			return 0, 0, nil, errs[i]
		}
		if len(a.Checkpoints) != repeat || a.Checkpoints[repeat-1].Error != "" {
			return 0, 0, nil, fmt.Errorf("%d checkpoints for %d batches", len(a.Checkpoints), repeat)
		}
		for _, n := range a.Nanos {
			own += float64(n) / 1e9
			batches = append(batches, float64(n)/1e6)
		}
	}
	n := float64(repeat * len(t.shards))
	if len(t.shards) == 1 {
		elapsed = own // without the driver's own work between the batches
	}
	return elapsed / n, cpu / n, batches, nil
}
