package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
)

// javaOptions are compared where no others are named.
var javaOptions = []string{"", "-XX:+UseG1GC -XX:InitialRAMPercentage=1.5625", "-XX:+UseSerialGC -Xms16m", "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xms16m"}

// javaJobs are the loads, most with as many records whatever the shards.
func javaJobs() (jobs []job) {
	for _, shards := range []int{1, 4, 16, 64} {
		for _, mode := range []string{"POLLING", "FANOUT"} {
			for _, j := range []job{
				{name: "idle", records: 10, size: 100},
				{name: "100 B", records: 640_000 / shards, size: 100},
				{name: "1 KiB", records: 192_000 / shards, size: 1 << 10},
				{name: "100 B for long", records: 6_400_000 / shards, size: 100}, // until compilers have nothing to do
			} {
				j.name, j.shards, j.mode = fmt.Sprintf("%s, %s, %d", mode, j.name, shards), shards, mode
				jobs = append(jobs, j)
			}
		}
	}
	return jobs
}

// javaBench compares options of Java's.
func javaBench(ctx context.Context, o options, progress io.Writer) (r *report, err error) {
	w := &workers{rounds: o.rounds, progress: progress}
	if w.dir, err = os.MkdirTemp("", "kcl-bench-"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(w.dir)
	if err := w.build(ctx); err != nil {
		return nil, err
	}
	command := w.contenders[0].command
	w.contenders = nil
	for _, with := range o.with {
		c := contender{name: cmp.Or(with, "none"), command: command}
		java := "JAVA_TOOL_OPTIONS="
		for _, word := range strings.Fields(with) {
			if strings.HasPrefix(word, "-") {
				java += word + " "
			} else {
				c.environ = append(c.environ, word)
			}
		}
		c.environ = append(c.environ, java)
		w.contenders = append(w.contenders, c)
	}
	t := &table{header: []string{
		"load, shards", "options", "records a second", "CPU s a million records: Java", "all else", "start: CPU s of Java", "s to the first record",
		"MB of Java at the first record", "at the last", "at most",
	}}
	r = &report{title: "Options of Java's for a worker", tables: []*table{t}, notes: []string{
		fmt.Sprintf("%d rounds in which the options take turns: median (range). The worker is started anew; leases are seeded, and the records are there. "+
			"The first quarter of the records is not timed. Memory is PSS, at most RSS. MB are 10^6 bytes.", w.rounds),
	}}
	for _, j := range javaJobs() {
		if !o.only.MatchString(j.name) {
			continue
		}
		all, err := w.measure(ctx, j, w.rounds)
		if err != nil {
			return r, err // with what is measured
		}
		for i, f := range all {
			row := []string{j.name, w.contenders[i].name, f.rates.span("%.0f"), f.javaCPU.span("%.2f"), f.programsCPU.span("%.2f")}
			if j.records == 10 {
				row = append(row[:2], "", "", "")
			}
			t.rows = append(t.rows, append(row, f.startCPU.span("%.1f"), f.starts.span("%.2f"), f.first.span("%.0f"), f.last.span("%.0f"), f.peak.span("%.0f")))
		}
	}
	return r, nil
}
