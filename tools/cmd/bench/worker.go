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

// A job is what a program has to do from its start on.
type job struct {
	name   string
	shards int
	// records of size bytes are in each shard beforehand.
	records, size int
	// turns follow: a record in each shard, when all shards have checkpointed
	// what they had.
	turns int
	mode  string // of retrieval
}

var (
	throughputJobs = []job{
		{"1 MiB of 100 B", 4, 150_000, 100, 0, "FANOUT"},
		{"1 MiB of 1 KiB", 4, 60_000, 1 << 10, 0, "FANOUT"},
		{"1 x 100 B", 4, 1, 100, 500, "FANOUT"}, // the last tells the time of a start too
	}
	idleJobs = [2]job{
		{"1 idle shard", 1, 10, 100, 0, "FANOUT"},
		{"16 idle shards", 16, 10, 100, 0, "FANOUT"},
	}
)

// workers are programs that serve shards.
type workers struct {
	dir, bin   string
	rounds     int
	progress   io.Writer
	contenders []contender // the worker first
}

// workerBench compares whole programs.
func workerBench(ctx context.Context, o options, progress io.Writer) (r *report, err error) {
	w := &workers{rounds: o.rounds, progress: progress}
	if w.dir, err = os.MkdirTemp("", "kcl-bench-"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(w.dir)
	if err := w.build(ctx); err != nil {
		return nil, err
	}
	return w.compare(ctx, throughputJobs, idleJobs)
}

// build builds the contenders.
func (w *workers) build(ctx context.Context) error {
	root, err := workspace.Find(ctx, ".")
	if err != nil {
		return err
	}
	fmt.Fprintln(w.progress, "building")
	w.bin = filepath.Join(w.dir, "bin")
	if err := commands.Build(ctx, root, w.bin); err != nil {
		return err
	}
	const children = "./tools/cmd/bench/internal/children/"
	if _, err := output(ctx, root, nil, "go", "build", "-o", w.bin+string(filepath.Separator), children+"ours", children+"worker"); err != nil {
		return err
	}
	w.contenders = []contender{
		{name: "worker", command: []string{commands.Command(w.bin, "worker")}},
		{name: "children", command: []string{commands.Command(w.bin, "kcl-bootstrap"), "-e", "-p"}},
	}
	return nil
}

// figures are what was measured of a contender, round by round.
type figures struct {
	rates  sample // records a second
	starts sample // seconds from Java's start to the first record
	memory sample // MB, of all processes but Java, at the end
	shares sample // of the machine's processor time, of the bench's own process

	first                sample // MB of Java when the first batch is checkpointed
	peak                 sample // MB of Java at most
	last                 sample // MB of Java when the last batch is checkpointed
	startCPU             sample // seconds of Java until the first batch is checkpointed
	javaCPU, programsCPU sample // seconds a million records, after the first quarter
}

// compare does the jobs and makes the report.
func (w *workers) compare(ctx context.Context, throughput []job, idle [2]job) (*report, error) {
	var names []string
	for _, c := range w.contenders {
		names = append(names, c.name)
	}
	rates := &table{title: "Records a second: median (range)", header: append([]string{"batch"}, names...)}
	related := &table{title: "Related to the worker's in the same round: median (range), interval", header: append([]string{"batch"}, names[1:]...)}
	start := &table{title: "From Java's start to the first record, s", header: []string{"", "median (range)", "beyond the worker's in the same round: median (range), interval"}}
	memory := &table{title: "Memory of all processes but Java, MB: median (range)", header: []string{"", idle[0].name, idle[1].name, "a shard beyond the first"}}
	var shares sample
	for i, j := range throughput {
		all, err := w.measure(ctx, j, w.rounds)
		if err != nil {
			return nil, err
		}
		rate, relation := []string{j.name}, []string{j.name}
		for k, f := range all {
			rate = append(rate, f.rates.span("%.0f"))
			relation = append(relation, ratio(f.rates, all[0].rates).confident("%.2f"))
			shares = append(shares, f.shares...)
			if i == len(throughput)-1 {
				beyond := combine(f.starts, all[0].starts, func(a, b float64) float64 { return a - b })
				start.rows = append(start.rows, []string{names[k], f.starts.span("%.2f"), beyond.confident("%.2f")})
			}
		}
		rates.rows, related.rows = append(rates.rows, rate), append(related.rows, slices.Delete(relation, 1, 2))
	}
	few := (w.rounds + 2) / 3
	one, err := w.measure(ctx, idle[0], few)
	if err != nil {
		return nil, err
	}
	many, err := w.measure(ctx, idle[1], few)
	if err != nil {
		return nil, err
	}
	for k, name := range names {
		each := combine(many[k].memory, one[k].memory, func(a, b float64) float64 { return (a - b) / float64(idle[1].shards-idle[0].shards) })
		memory.rows = append(memory.rows, []string{name, one[k].memory.span("%.1f"), many[k].memory.span("%.1f"), each.span("%.2f")})
	}
	return &report{
		title:  "A worker beside children, one process a shard, under kcl-bootstrap",
		tables: []*table{rates, related, start, memory},
		notes: []string{
			fmt.Sprintf("%d rounds, %d for memory, in which the programs take turns. Each is started anew, reads 4 shards by FANOUT, and checkpoints each batch. (POLLING would rest 200 ms between two reads.) "+
				"An interval has the true median with 95%%; below 6 rounds it is the range.", w.rounds, few),
			"The records are there when the program starts, and the last three quarters are timed; Kinesis makes batches of 1 MiB. Single records are put when all shards have checkpointed the one before. " +
				fmt.Sprintf("The bench's own process, Kinesis included, took %s of the processor time.", shares.span("%.2f")),
			"Leases are seeded. Memory is PSS, pages divided among those that share them, when each shard has checkpointed a batch. MB are 10^6 bytes.",
		},
	}, nil
}
