package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
)

// javaOptions are compared by default.
var javaOptions = []string{"", "-XX:+UseG1GC -XX:InitialRAMPercentage=1.5625", "-XX:+UseSerialGC -Xms16m", "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xms16m"}

// javaJobs returns the jobs. Their number of records does not depend on that of the
// shards, but for the idle ones.
func javaJobs() (jobs []job) {
	for _, shards := range []int{1, 4, 16, 64} {
		for _, mode := range []string{"POLLING", "FANOUT"} {
			for _, j := range []job{
				{name: "idle", records: 10, size: 100},
				{name: "100 B", records: 640_000 / shards, size: 100},
				{name: "1 KiB", records: 192_000 / shards, size: 1 << 10},
				{name: "100 B for long", records: 6_400_000 / shards, size: 100}, // until the compilers are idle
			} {
				j.name, j.shards, j.mode = fmt.Sprintf("%s, %s, %d", mode, j.name, shards), shards, mode
				jobs = append(jobs, j)
			}
		}
	}
	return jobs
}

// measureJava compares Java options.
func measureJava(ctx context.Context, o options, progress io.Writer) (r *report, err error) {
	b := &programBench{rounds: o.rounds, progress: progress}
	if b.dir, err = os.MkdirTemp("", "kcl-bench-"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(b.dir)
	if err := b.build(ctx); err != nil {
		return nil, err
	}
	command := b.contenders[0].command
	b.contenders = nil
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
		b.contenders = append(b.contenders, c)
	}
	t := &table{header: []string{
		"load, shards", "options", "records per second", "CPU s per million records: Java", "others", "start: CPU s of Java", "s to the first record",
		"MB of Java at the first record", "at the last", "at most",
	}}
	r = &report{title: "Java options of a worker", tables: []*table{t}, notes: []string{
		fmt.Sprintf("%d rounds in which the options take turns: median (range). Each worker starts anew, with seeded leases, after the records were put. "+
			"The first quarter of the records is not timed. Memory is proportional set size (PSS), its maximum resident set size (RSS). 1 MB is 10^6 bytes.", b.rounds),
	}}
	for _, j := range javaJobs() {
		if !o.only.MatchString(j.name) {
			continue
		}
		all, err := b.measure(ctx, j, b.rounds)
		if err != nil {
			return r, err // with the measurements so far
		}
		for i, f := range all {
			row := []string{j.name, b.contenders[i].name, f.rates.withRange("%.0f"), f.javaCPU.withRange("%.2f"), f.programsCPU.withRange("%.2f")}
			if j.records == 10 {
				row = append(row[:2], "", "", "")
			}
			t.rows = append(t.rows, append(row, f.startCPU.withRange("%.1f"), f.starts.withRange("%.2f"), f.first.withRange("%.0f"), f.last.withRange("%.0f"), f.peak.withRange("%.0f")))
		}
	}
	return r, nil
}
