package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	commands "github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// A job is the work of a program from its start on.
type job struct {
	name   string
	shards int
	// records of size bytes are put into each shard before the start.
	records, size int
	// turns is how often one more record is put into each shard, after all shards
	// have checkpointed.
	turns int
	mode  string // retrieval mode
}

var (
	throughputJobs = []job{
		{"1 MiB of 100 B", 4, 150_000, 100, 0, "FANOUT"},
		{"1 MiB of 1 KiB", 4, 60_000, 1 << 10, 0, "FANOUT"},
		{"1 x 100 B", 4, 1, 100, 500, "FANOUT"}, // the last also measures the start
	}
	idleJobs = [2]job{
		{"1 idle shard", 1, 10, 100, 0, "FANOUT"},
		{"16 idle shards", 16, 10, 100, 0, "FANOUT"},
	}
)

// A programBench compares whole programs that serve shards.
type programBench struct {
	dir, bin   string
	rounds     int
	progress   io.Writer
	contenders []contender
}

// measurePrograms compares whole programs.
func measurePrograms(ctx context.Context, o options, progress io.Writer) (r *report, err error) {
	b := &programBench{rounds: o.rounds, progress: progress}
	if b.dir, err = os.MkdirTemp("", "kcl-bench-"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(b.dir)
	if err := b.build(ctx); err != nil {
		return nil, err
	}
	return b.compare(ctx, throughputJobs, idleJobs)
}

// build builds the contenders.
func (b *programBench) build(ctx context.Context) error {
	root, err := workspace.Find(ctx, ".")
	if err != nil {
		return err
	}
	fmt.Fprintln(b.progress, "building")
	b.bin = filepath.Join(b.dir, "bin")
	if err := commands.Build(ctx, root, b.bin); err != nil {
		return err
	}
	const children = "./tools/cmd/bench/internal/children/"
	if _, err := output(ctx, root, nil, "go", "build", "-o", b.bin+string(filepath.Separator), children+"ours", children+"worker"); err != nil {
		return err
	}
	b.contenders = []contender{
		{name: "worker", command: []string{commands.Command(b.bin, "worker")}},
		{name: "children", command: []string{commands.Command(b.bin, "kcl-bootstrap"), "-e", "-p"}},
	}
	return nil
}

// figures has the measurements of a contender, a value per round.
type figures struct {
	rates  sample // records per second
	starts sample // seconds from Java's start to the first record
	memory sample // MB of all processes but Java, at the end
	shares sample // CPU time of the bench's own process, as a share of the machine's

	first                sample // MB of Java when the first batch is checkpointed
	peak                 sample // MB of Java at most
	last                 sample // MB of Java when the last batch is checkpointed
	startCPU             sample // seconds of Java until the first batch is checkpointed
	javaCPU, programsCPU sample // seconds per million records, after the first quarter
}

// compare does the jobs and makes the report.
func (b *programBench) compare(ctx context.Context, throughput []job, idle [2]job) (*report, error) {
	var names []string
	for _, c := range b.contenders {
		names = append(names, c.name)
	}
	rates := &table{title: "Records per second: median (range)", header: append([]string{"batch"}, names...)}
	related := &table{title: "Relative to the worker's in the same round: median (range), interval", header: append([]string{"batch"}, names[1:]...)}
	start := &table{title: "From Java's start to the first record, s", header: []string{"", "median (range)", "beyond the worker's in the same round: median (range), interval"}}
	memory := &table{title: "Memory of all processes but Java, MB: median (range)", header: []string{"", idle[0].name, idle[1].name, "each further shard"}}
	var shares sample
	for i, j := range throughput {
		all, err := b.measure(ctx, j, b.rounds)
		if err != nil {
			return nil, err
		}
		rate, relation := []string{j.name}, []string{j.name}
		for k, f := range all {
			rate = append(rate, f.rates.withRange("%.0f"))
			relation = append(relation, ratio(f.rates, all[0].rates).withInterval("%.2f"))
			shares = append(shares, f.shares...)
			if i == len(throughput)-1 {
				beyond := combine(f.starts, all[0].starts, func(a, b float64) float64 { return a - b })
				start.rows = append(start.rows, []string{names[k], f.starts.withRange("%.2f"), beyond.withInterval("%.2f")})
			}
		}
		rates.rows, related.rows = append(rates.rows, rate), append(related.rows, slices.Delete(relation, 1, 2))
	}
	few := (b.rounds + 2) / 3
	one, err := b.measure(ctx, idle[0], few)
	if err != nil {
		return nil, err
	}
	many, err := b.measure(ctx, idle[1], few)
	if err != nil {
		return nil, err
	}
	for k, name := range names {
		each := combine(many[k].memory, one[k].memory, func(a, b float64) float64 { return (a - b) / float64(idle[1].shards-idle[0].shards) })
		memory.rows = append(memory.rows, []string{name, one[k].memory.withRange("%.1f"), many[k].memory.withRange("%.1f"), each.withRange("%.2f")})
	}
	return &report{
		title:  "A worker, and kcl-bootstrap with one child process per shard",
		tables: []*table{rates, related, start, memory},
		notes: []string{
			fmt.Sprintf("%d rounds, %d for memory, in which the programs take turns. Each starts anew, reads 4 shards by FANOUT, and checkpoints each batch. (POLLING would wait 200 ms between two reads.) "+
				"An interval encloses the true median with a probability of 95%%; with less than 6 rounds it is the range.", b.rounds, few),
			"The records are put before the start, and the last three quarters are timed; Kinesis makes batches of 1 MiB. Single records are put after all shards have checkpointed the one before. " +
				fmt.Sprintf("The bench's own process, Kinesis included, took %s of the CPU time.", shares.withRange("%.2f")),
			"Leases are seeded. Memory is proportional set size (PSS: shared pages are divided among the processes), after each shard has checkpointed a batch. 1 MB is 10^6 bytes.",
		},
	}, nil
}
