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
	*kind
	gaps []time.Duration // the longest of each fault, of all shards; in order
}

func (r row) longest() time.Duration { return r.gaps[len(r.gaps)-1] }
func (r row) over() bool             { return r.limit > 0 && r.longest() > r.limit }

// check reads the files.
func (r *report) check() error {
	files, err := check.Read(os.DirFS(r.dir))
	if err != nil {
		return err
	}
	found := files.Check()
	r.found = &found
	gaps := make(map[*kind][]time.Duration)
	all := files.Gaps(least.Milliseconds())
	for i, f := range r.faults {
		longest := int64(0)
		for _, gap := range all {
			// A gap is of the fault that was the last to begin before it ended.
			if gap.To > f.begin.UnixMilli() && (i+1 == len(r.faults) || gap.To <= r.faults[i+1].begin.UnixMilli()) {
				longest = max(longest, f.counts(gap.From, gap.To))
			}
		}
		gaps[f.row()] = append(gaps[f.row()], time.Duration(longest)*time.Millisecond)
	}
	for _, k := range kinds {
		if len(gaps[k]) > 0 {
			r.rows = append(r.rows, row{k, slices.Sorted(slices.Values(gaps[k]))})
		}
	}
	return nil
}

// row is the kind in whose row a fault is: where another host would take over and there is
// no leader to have it do so, the leader is lost.
func (f done) row() *kind {
	if f.ofLeader && f.kind.limit == moves {
		return leaderLost
	}
	return f.kind
}

// counts is how much of a time without progress counts, all in milliseconds.
func (f done) counts(from, to int64) int64 {
	during := int64(0)
	if f.kind.lasts {
		during = max(0, min(to, f.over.UnixMilli())-max(from, f.begin.UnixMilli()))
	}
	return to - from - during
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
	fmt.Fprintf(w, `Without progress: the longest time in which a shard had records and none was written, in seconds.
* is without the time that the fault itself lasted. Settings: failoverTimeMillis=%d,
leaseAssignmentIntervalMillis=2000, workerMetricsReporterFreqInMillis=3000, timeoutInSeconds=%.0f.
Restarts of Java: a worker's %d an hour, each after %v at most; kcl-bootstrap's 10, then its supervisor starts it anew.

| fault | count | median | longest | limit |
|---|---|---|---|---|
`, failover.Milliseconds(), timeout.Seconds(), restart.Limit, restart.MaxDelay)
	over := 0
	for _, row := range r.rows {
		name, limit := row.name, "none"
		if row.lasts {
			name += "*"
		}
		if row.limit > 0 {
			limit = fmt.Sprintf("%.1f", row.limit.Seconds())
		}
		if row.kind == leaderLost {
			limit = "KCL's lock: 120 + 30"
		}
		if row.over() {
			over++
		}
		fmt.Fprintf(w, "| %s | %d | %.1f | %.1f | %s |\n", name, len(row.gaps), row.gaps[len(row.gaps)/2].Seconds(), row.longest().Seconds(), limit)
	}
	fmt.Fprintf(w, "\nchaos: seed=%d faults=%d kinds=%d records=%d written=%d", r.seed, len(r.faults), len(r.rows), r.found.Records, r.found.Written)
	for _, f := range r.found.Found {
		fmt.Fprintf(w, " %s=%d", strings.ReplaceAll(f.Check, " ", "_"), len(f.Breaches))
	}
	fmt.Fprintf(w, " over_limit=%d\n", over)
}

// breaches prints the first of each check's, and which limits were exceeded.
func (r *report) breaches(w io.Writer) {
	const shown = 10
	for _, f := range r.found.Found {
		for _, breach := range f.Breaches[:min(shown, len(f.Breaches))] {
			fmt.Fprintf(w, "chaos: %s: %s\n", f.Check, breach)
		}
		if more := len(f.Breaches) - shown; more > 0 {
			fmt.Fprintf(w, "chaos: %s: and %d more\n", f.Check, more)
		}
	}
	for _, row := range r.rows {
		if row.over() {
			fmt.Fprintf(w, "chaos: %s: %.1f s without progress, the limit is %.1f s\n", row.name, row.longest().Seconds(), row.limit.Seconds())
		}
	}
}
