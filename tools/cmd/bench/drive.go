package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/conformance"
)

// warmUps are rounds before those that count: the JVM compiles, the children's
// memory grows to what it needs.
const warmUps = 3

// A load is what is delivered again and again.
type load struct {
	name          string
	records, size int
	shards        int // at once
	// repeat is how many batches a turn has: enough for 40 ms or so.
	repeat int
}

// A lane is a contender under a daemon, with a child for each shard, and what
// was measured of it, round by round.
type lane struct {
	contender
	daemon  *conformance.Driver
	shards  []*conformance.Shard
	pids    []int
	seconds sample  // of a batch: of a turn, divided by its batches
	cpu     sample  // milliseconds of a batch, of the child
	peak    float64 // MB, of the largest child at the end
}

// rate returns records a second.
func (l *lane) rate(records int) sample {
	s := make(sample, len(l.seconds))
	for i, seconds := range l.seconds {
		s[i] = float64(records) / seconds
	}
	return s
}

// open starts the lane's children and has each take a batch.
func (b *bench) open(l *lane, shards int, batch conformance.Batch) error {
	executable, err := l.executable()
	if err != nil {
		return err
	}
	for range shards {
		b.shards++
		s := l.daemon.Shard(fmt.Sprintf("shardId-%012d", b.shards))
		a, err := s.Initialize(executable, "TRIM_HORIZON")
		if err == nil {
			_, err = s.ProcessRecords(batch)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		l.shards, l.pids = append(l.shards, s), append(l.pids, a.PID)
	}
	return nil
}

// close ends the lane's children.
func (l *lane) close() error {
	for _, s := range l.shards {
		if _, err := s.LeaseLost(); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
	}
	return nil
}

// deliver measures a load in all lanes.
func (b *bench) deliver(ctx context.Context, l load, lanes ...*lane) error {
	fmt.Fprintln(b.progress, l.name)
	for _, lane := range lanes {
		if err := b.open(lane, l.shards, l.batch()); err != nil {
			return err
		}
	}
	err := inTurns(ctx, warmUps+b.rounds, len(lanes), func(round, i int) error {
		seconds, cpu, err := lanes[i].turn(l.repeat)
		if err != nil {
			return fmt.Errorf("%s: %w", lanes[i].name, err)
		}
		if round >= warmUps {
			lanes[i].seconds = append(lanes[i].seconds, seconds)
			lanes[i].cpu = append(lanes[i].cpu, cpu)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, lane := range lanes {
		for _, pid := range lane.pids {
			lane.peak = max(lane.peak, peak(pid))
		}
		if err := lane.close(); err != nil {
			return err
		}
	}
	return nil
}

// batch makes the records of a load. The data is random, as encrypted or
// compressed data is: base64 of anything else is no faster.
func (l load) batch() conformance.Batch {
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
	return conformance.Batch{Records: records}
}

// turn delivers the batch that the children know to all of them at once. It
// returns the seconds and the children's CPU milliseconds per batch, over all
// shards.
func (l *lane) turn(repeat int) (seconds, cpu float64, err error) {
	answers := make([]conformance.Answer, len(l.shards))
	errs := make([]error, len(l.shards))
	for _, pid := range l.pids {
		cpu -= cpuMillis(pid)
	}
	from := time.Now()
	var all sync.WaitGroup
	for i, s := range l.shards {
		all.Go(func() { answers[i], errs[i] = s.ProcessRecords(conformance.Batch{Again: true, Repeat: repeat}) })
	}
	all.Wait()
	seconds = time.Since(from).Seconds()
	for _, pid := range l.pids {
		cpu += cpuMillis(pid)
	}
	for i, a := range answers {
		if errs[i] != nil {
			return 0, 0, errs[i]
		}
		if len(a.Checkpoints) != repeat || a.Checkpoints[repeat-1].Error != "" {
			return 0, 0, fmt.Errorf("%d checkpoints for %d batches", len(a.Checkpoints), repeat)
		}
	}
	if len(l.shards) == 1 { // without the driver's own work between the batches
		seconds = 0
		for _, n := range answers[0].Nanos {
			seconds += float64(n) / 1e9
		}
	}
	n := float64(repeat * len(l.shards))
	return seconds / n, cpu / n, nil
}
