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

// least is the shortest time without progress that counts. KCL reads every second.
const least = 100 * time.Millisecond

// A report has the results of a run.
type report struct {
	*chaos
	found *check.Report
	rows  []row
}

// A row has the results of one kind of fault.
type row struct {
	*kind
	gaps []time.Duration // the longest of all shards, for each fault; sorted
}

func (r row) longest() time.Duration { return r.gaps[len(r.gaps)-1] }
func (r row) overLimit() bool        { return r.limit > 0 && r.longest() > r.limit }

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
			// A gap belongs to the last fault that began before the gap ended.
			if gap.To > f.begin.UnixMilli() && (i+1 == len(r.faults) || gap.To <= r.faults[i+1].begin.UnixMilli()) {
				longest = max(longest, f.counted(gap.From, gap.To))
			}
		}
		gaps[f.rowKind()] = append(gaps[f.rowKind()], time.Duration(longest)*time.Millisecond)
	}
	for _, k := range kinds {
		if len(gaps[k]) > 0 {
			r.rows = append(r.rows, row{k, slices.Sorted(slices.Values(gaps[k]))})
		}
	}
	return nil
}

// rowKind returns the kind under which a fault is reported: one after which another host
// must take over counts as leader-lost if it hits the leader, or if there is none.
func (f occurrence) rowKind() *kind {
	if f.ofLeader && f.kind.limit == takeoverLimit {
		return leaderLost
	}
	return f.kind
}

// counted returns how much of a time without progress counts, in milliseconds.
func (f occurrence) counted(from, to int64) int64 {
	during := int64(0)
	if f.kind.blocks {
		during = max(0, min(to, f.over.UnixMilli())-max(from, f.begin.UnixMilli()))
	}
	return to - from - during
}

// passed reports whether all checks passed. Limits do not count: whether they are exceeded
// also depends on the machine.
func (r *report) passed() bool { return r.found != nil && r.found.Good() }

// repeatCommand returns the command that repeats the run.
func (r *report) repeatCommand() string {
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

// print prints the table and the results of the checks.
func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, `The longest time in which a shard had records and wrote none, in seconds.
* does not count the time of the fault itself. Settings: failoverTimeMillis=%d,
leaseAssignmentIntervalMillis=2000, workerMetricsReporterFreqInMillis=3000, timeoutInSeconds=%.0f.
Restarts of Java: at most %d an hour for a worker, each after %v at most; 10 for kcl-bootstrap, which its supervisor then restarts.

| fault | count | median | longest | limit |
|---|---|---|---|---|
`, failover.Milliseconds(), timeout.Seconds(), restart.Limit, restart.MaxDelay)
	over := 0
	for _, row := range r.rows {
		name, limit := row.name, "none"
		if row.blocks {
			name += "*"
		}
		if row.limit > 0 {
			limit = fmt.Sprintf("%.1f", row.limit.Seconds())
		}
		if row.kind == leaderLost {
			limit = "KCL's lock: 120 + 30"
		}
		if row.overLimit() {
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

// breaches prints the first breaches of each check, and the limits that were exceeded.
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
		if row.overLimit() {
			fmt.Fprintf(w, "chaos: %s: %.1f s without progress, limit %.1f s\n", row.name, row.longest().Seconds(), row.limit.Seconds())
		}
	}
}
