package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/conformance"
)

// warmUps is the number of rounds before those that count, in which the JVM compiles
// and the children's memory grows.
const warmUps = 3

// A load is a batch that is delivered repeatedly.
type load struct {
	name          string
	records, size int
	shards        int // served at once
	repeat        int // batches of a turn: enough for about 40 ms
}

// A trial is a contender under a daemon, with a child for each shard, and its
// measurements of each round.
type trial struct {
	contender
	daemon  *conformance.Driver
	shards  []*conformance.Shard
	pids    []int
	seconds sample  // per batch
	cpu     sample  // milliseconds of CPU per batch, of the child
	peak    float64 // MB of the largest child at the end
}

// rate returns records per second, for batches of so many records.
func (t *trial) rate(records int) sample {
	s := make(sample, len(t.seconds))
	for i, seconds := range t.seconds {
		s[i] = float64(records) / seconds
	}
	return s
}

// open starts the trial's children and delivers a batch to each.
func (b *protocolBench) open(t *trial, shards int, batch conformance.Batch) error {
	executable, err := t.executable()
	if err != nil {
		return err
	}
	for range shards {
		b.shards++
		s := t.daemon.Shard(fmt.Sprintf("shardId-%012d", b.shards))
		a, err := s.Initialize(executable, "TRIM_HORIZON")
		if err == nil {
			_, err = s.ProcessRecords(batch)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		t.shards, t.pids = append(t.shards, s), append(t.pids, a.PID)
	}
	return nil
}

// close ends the trial's children.
func (t *trial) close() error {
	for _, s := range t.shards {
		if _, err := s.LeaseLost(); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}

// measure measures a load in all trials.
func (b *protocolBench) measure(ctx context.Context, l load, trials ...*trial) error {
	fmt.Fprintln(b.progress, l.name)
	for _, t := range trials {
		if err := b.open(t, l.shards, l.batch()); err != nil {
			return err
		}
	}
	err := inTurns(ctx, warmUps+b.rounds, len(trials), func(round, i int) error {
		seconds, cpu, err := trials[i].turn(l.repeat)
		if err != nil {
			return fmt.Errorf("%s: %w", trials[i].name, err)
		}
		if round >= warmUps {
			trials[i].seconds = append(trials[i].seconds, seconds)
			trials[i].cpu = append(trials[i].cpu, cpu)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, t := range trials {
		for _, pid := range t.pids {
			t.peak = max(t.peak, peak(pid))
		}
		if err := t.close(); err != nil {
			return err
		}
	}
	return nil
}

// batch makes the records of a load. The data is random, like encrypted or compressed
// data; base64 of other data is no faster.
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

// turn delivers the last batch again to all children at once. It returns the seconds
// and the children's CPU milliseconds per batch, over all shards.
func (t *trial) turn(repeat int) (seconds, cpu float64, err error) {
	answers := make([]conformance.Answer, len(t.shards))
	errs := make([]error, len(t.shards))
	for _, pid := range t.pids {
		cpu -= cpuMillis(pid)
	}
	from := time.Now()
	var all sync.WaitGroup
	for i, s := range t.shards {
		all.Go(func() { answers[i], errs[i] = s.ProcessRecords(conformance.Batch{Again: true, Repeat: repeat}) })
	}
	all.Wait()
	seconds = time.Since(from).Seconds()
	for _, pid := range t.pids {
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
	if len(t.shards) == 1 { // without the driver's own work between the batches
		seconds = 0
		for _, n := range answers[0].Nanos {
			seconds += float64(n) / 1e9
		}
	}
	n := float64(repeat * len(t.shards))
	return seconds / n, cpu / n, nil
}
