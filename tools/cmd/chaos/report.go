//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/cmd/chaos/internal/check"
)

// least is the least time without progress that counts: KCL reads each second.
const least = 100 * time.Millisecond

// A report is what a run has shown.
type report struct {
	*chaos
	found *check.Report
	rows  []row
}

// A row is what faults of one kind have led to.
type row struct {
	name  string
	limit time.Duration
	gaps  []time.Duration // the longest of each fault, of all shards
}

func (r row) longest() time.Duration { return slices.Max(r.gaps) }
func (r row) over() bool             { return r.limit > 0 && r.longest() > r.limit }

// check reads the files.
func (r *report) check() error {
	files, err := check.Read(os.DirFS(r.dir))
	if err != nil {
		return err
	}
	found := files.Check()
	r.found = &found
	gaps := files.Gaps(least.Milliseconds())
	for i, f := range r.faults {
		name, limit := f.kind.name, f.kind.limit
		if f.ofLeader && limit == moves {
			name, limit = "leader lost", 0
		}
		longest := time.Duration(0)
		for _, gap := range gaps {
			// A gap is of the fault that was the last to begin before it ended.
			if gap.To > f.begin.UnixMilli() && (i+1 == len(r.faults) || gap.To <= r.faults[i+1].begin.UnixMilli()) {
				longest = max(longest, time.Duration(gap.To-gap.From)*time.Millisecond)
			}
		}
		if f.kind.lasts {
			longest = max(0, longest-f.over.Sub(f.begin))
		}
		at := slices.IndexFunc(r.rows, func(r row) bool { return r.name == name })
		if at < 0 {
			at = len(r.rows)
			r.rows = append(r.rows, row{name: name, limit: limit})
		}
		r.rows[at].gaps = append(r.rows[at].gaps, longest)
	}
	slices.SortFunc(r.rows, func(a, b row) int { return strings.Compare(a.name, b.name) })
	return nil
}

// good tells whether nothing was found. A limit that was exceeded is none of that: it
// says as much about the machine.
func (r *report) good() bool { return r.found != nil && r.found.Good() }

// repeat is the command that has the same faults again.
func (r *report) repeat() string {
	command := fmt.Sprintf("go run ./tools/cmd/chaos --for %v --seed %d", r.duration, r.seed)
	if len(r.kinds) < len(kinds) {
		var names []string
		for _, k := range r.kinds {
			names = append(names, k.name)
		}
		command += " --kinds " + strings.Join(names, ",")
	}
	return command
}

// print prints the table, and what was found.
func (r *report) print(w io.Writer) {
	seconds := func(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()) }
	fmt.Fprintf(w, "Without progress: the longest time in which a shard had records and none was written, in seconds.\n")
	fmt.Fprintf(w, "* is without the time that the fault itself lasted. Settings: failoverTimeMillis=%d,\n", failover.Milliseconds())
	fmt.Fprintf(w, "leaseAssignmentIntervalMillis=2000, workerMetricsReporterFreqInMillis=3000, timeoutInSeconds=%.0f.\n", timeout.Seconds())
	fmt.Fprintf(w, "Restarts of Java: a worker's %d an hour, kcl-bootstrap's 10, then its supervisor starts it anew.\n\n", javaRestarts)
	fmt.Fprintf(w, "| fault | count | median | longest | limit |\n|---|---|---|---|---|\n")
	lasts := map[string]string{}
	for _, k := range kinds {
		if k.lasts {
			lasts[k.name] = "*"
		}
	}
	for _, row := range r.rows {
		limit := "none"
		if row.limit > 0 {
			limit = seconds(row.limit)
		}
		if row.name == "leader lost" || row.name == "leader-lost" {
			limit = "KCL's lock: 120 + 30"
		}
		slices.Sort(row.gaps)
		fmt.Fprintf(w, "| %s%s | %d | %s | %s | %s |\n", row.name, lasts[row.name], len(row.gaps), seconds(row.gaps[len(row.gaps)/2]), seconds(row.longest()), limit)
	}
	over := 0
	for _, row := range r.rows {
		if row.over() {
			over++
		}
	}
	fmt.Fprintf(w, "\nchaos: seed=%d faults=%d kinds=%d records=%d written=%d", r.seed, len(r.faults), len(r.rows), r.found.Records, r.found.Written)
	for _, f := range r.found.Found {
		fmt.Fprintf(w, " %s=%d", strings.ReplaceAll(f.Check, " ", "_"), len(f.Breaches))
	}
	fmt.Fprintf(w, " over_limit=%d\n", over)
}

// breaches prints the first of each check's.
func (r *report) breaches(w io.Writer) {
	const shown = 10
	for _, f := range r.found.Found {
		for i, breach := range f.Breaches {
			if i == shown {
				fmt.Fprintf(w, "chaos: %s: and %d more\n", f.Check, len(f.Breaches)-shown)
				break
			}
			fmt.Fprintf(w, "chaos: %s: %s\n", f.Check, breach)
		}
	}
	for _, row := range r.rows {
		if row.over() {
			fmt.Fprintf(w, "chaos: %s: %.1f s without progress, the limit is %.1f s\n", row.name, row.longest().Seconds(), row.limit.Seconds())
		}
	}
}
