//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/cmd/chaos/internal/check"
	"github.com/seed96110120/kinesis-client-go/tools/cmd/chaos/internal/cluster"
	"github.com/seed96110120/kinesis-client-go/tools/cmd/chaos/internal/journal"
	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

const (
	deployed      = 3 // workers
	deployShards  = 6
	deployPatient = 3 * time.Minute
)

// A way is one to replace three workers, one after the other.
type way struct {
	name string
	// kept says that the new worker has the old one's ID.
	kept bool
	// surge says that the new one is ready before the old one stops.
	surge bool
	// killed says that the old one has no time to stop.
	killed bool
	// settled says that the next one has its turn when all shards go on, not when the
	// new worker is ready.
	settled bool
	// leaderLast has the leader replaced as the last one, not the first.
	leaderLast bool
	settings   []stack.Setting
}

func set(name, value string) stack.Setting { return stack.Setting{Name: name, Value: value} }

var kclsOwn = []stack.Setting{
	set("leaseAssignmentIntervalMillis", "20000"), set("workerMetricsReporterFreqInMillis", "30000"),
	set("noOfPersistedMetricsPerWorkerMetrics", "10"), set("workerMetricsEMAAlpha", "0.5"),
}

var ways = []way{
	{name: "new IDs"},
	{name: "kept IDs", kept: true},
	{name: "new IDs, settled", settled: true},
	{name: "kept IDs, settled", kept: true, settled: true},
	{name: "new IDs, settled, leader last", settled: true, leaderLast: true},
	{name: "kept IDs, settled, leader last", kept: true, settled: true, leaderLast: true},
	{name: "surge, settled", surge: true, settled: true},
	{name: "surge, settled, leader last", surge: true, settled: true, leaderLast: true},
	{name: "new IDs, settled, killed", settled: true, killed: true},
	{name: "kept IDs, settled, killed", kept: true, settled: true, killed: true},
	{name: "new IDs, settled, KCL's own", settled: true, settings: kclsOwn},
	{name: "kept IDs, settled, KCL's own", kept: true, settled: true, settings: kclsOwn},
	{name: "new IDs, settled, failover 5 s", settled: true, settings: []stack.Setting{set("failoverTimeMillis", "5000")}},
	{name: "new IDs, settled, no handoff", settled: true, settings: []stack.Setting{set("isGracefulLeaseHandoffEnabled", "false")}},
	{name: "new IDs, settled, FANOUT", settled: true, settings: []stack.Setting{set("retrievalMode", "FANOUT")}},
	{name: "new IDs, settled, assignment 1 s", settled: true, settings: []stack.Setting{set("leaseAssignmentIntervalMillis", "1000")}},
}

// Three workers are replaced one after the other, in each way. The log has the table of
// processor/worker/README.md.
func TestRollingDeploy(t *testing.T) {
	testenv.Nightly(t)
	testenv.Java(t)
	testenv.Workspace(t)
	root, err := workspace.Find(t.Context(), ".")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := sample.Build(t.Context(), root, bin); err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	fmt.Fprintln(&table, "| way | longest without progress | of each shard, median | in all, a shard | longest lag |")
	for _, w := range ways {
		t.Run(strings.ReplaceAll(w.name, " ", "_"), func(t *testing.T) {
			row := deploy(t, bin, w)
			fmt.Fprintln(&table, row)
			t.Log(row)
		})
	}
	t.Logf("\n%s", &table)
}

// deploy replaces all workers, and returns a row of the table.
func deploy(t *testing.T, bin string, w way) string {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := &chaos{dir: t.TempDir(), started: time.Now()}
	c.say = func(format string, args ...any) {
		t.Logf("%5.1f s  %s", time.Since(c.started).Seconds(), fmt.Sprintf(format, args...))
	}
	c.progress = &progress{dir: c.dir, read: map[string]int64{}, shards: map[string]*shard{}}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	all := properties
	for _, s := range w.settings {
		all = append(slices.DeleteFunc(slices.Clone(all), func(of stack.Setting) bool { return of.Name == s.Name }), s)
	}
	c.cluster, err = cluster.Start(ctx, cluster.Config{
		Dir: c.dir, Bin: bin, Shards: deployShards, Workers: 2 * deployed, Consumer: self, Properties: all,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.cluster.Close()
	hosts, spare := c.cluster.Hosts[:deployed], c.cluster.Hosts[deployed:]
	for _, h := range spare {
		h.Hold()
		h.Kill()
	}
	c.cluster.Hosts = hosts // those that are to be ready
	defer func() { c.cluster.Hosts = append(hosts, spare...) }()
	if c.leases, err = journal.Open(journal.Leases(c.dir)); err != nil {
		t.Fatal(err)
	}
	producer, err := journal.NewProducer(c.dir, c.cluster.AWS.Kinesis.URL(), stack.Region, cluster.Name, 1)
	if err != nil {
		t.Fatal(err)
	}
	puts, endPuts := context.WithCancel(ctx)
	defer endPuts()
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel()
	background.Go(func() {
		if err := producer.Run(puts); err != nil {
			t.Error(err)
		}
	})
	background.Go(func() {
		for journal.Sleep(ctx, time.Second) {
			if err := c.snapshot(ctx, false); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	})
	if err := c.balanced(ctx, deployPatient); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	c.say("balanced")
	leader, _, err := c.leader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	order := slices.Clone(hosts)
	slices.SortStableFunc(order, func(a, b *cluster.Host) int {
		rank := func(h *cluster.Host) int {
			if (h == leader) == w.leaderLast {
				return 1
			}
			return 0
		}
		return rank(a) - rank(b)
	})
	for i, h := range order {
		if err := c.replace(ctx, w, h, spare[i]); err != nil {
			t.Fatal(err)
		}
	}
	over := time.Now()
	if err := c.balanced(ctx, time.Minute); err != nil {
		c.say("not balanced after a minute: %v", err)
	}
	if err := c.recovered(ctx, time.Now()); err != nil {
		t.Fatal(err)
	}
	end := time.Now()
	c.say("the deploy took %.0f s, and %.0f s more until all was balanced", over.Sub(begin).Seconds(), end.Sub(over).Seconds())
	endPuts()
	if err := c.rest(ctx); err != nil {
		t.Fatal(err)
	}
	cancel()
	background.Wait()
	return figures(t, c, w, begin, end)
}

// replace replaces a worker, as Kubernetes does: the next one has its turn when the new
// one is ready.
func (c *chaos) replace(ctx context.Context, w way, h, spare *cluster.Host) error {
	leader, _, err := c.leader(ctx)
	if err != nil {
		return err
	}
	what, fresh := h.Name, h
	if leader == h {
		what += ", the leader,"
	}
	if w.surge {
		fresh = spare
		c.cluster.Hosts = append(c.cluster.Hosts, spare)
		spare.Release()
		if err := c.await(ctx, "the new worker is ready", func() (bool, error) { return spare.Ready(), spare.Err() }); err != nil {
			return err
		}
		h.Hold()
		c.cluster.Hosts = slices.DeleteFunc(slices.Clone(c.cluster.Hosts), func(of *cluster.Host) bool { return of == h })
	} else if !w.kept {
		h.Renew()
	}
	begin, pid := time.Now(), h.PID()
	if w.killed {
		h.Kill()
	} else if err := cluster.Signal(h.PID(), syscall.SIGTERM); err != nil {
		return err
	}
	err = c.await(ctx, "the old worker has gone", func() (bool, error) { return h.PID() != pid || len(h.Processes()) == 0, nil })
	if err != nil {
		return err
	}
	gone := time.Since(begin)
	if err := c.await(ctx, "the new worker is ready", func() (bool, error) { return fresh.Ready(), fresh.Err() }); err != nil {
		return err
	}
	c.say("%s gone after %.1f s, the new one ready after %.1f s", what, gone.Seconds(), time.Since(begin).Seconds())
	if w.settled {
		return c.recovered(ctx, time.Now().Add(time.Second))
	}
	return nil
}

// balanced waits until each worker has its shards, has had them for a while, for KCL may
// be handing some over, and all go on.
func (c *chaos) balanced(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := c.recovered(ctx, time.Now()); err != nil {
		return err
	}
	const while = 4 * time.Second
	since := time.Now()
	return c.await(ctx, "each worker has its shards", func() (bool, error) {
		leases, err := c.cluster.Leases(ctx)
		of := make(map[string]int)
		for _, l := range leases {
			of[l.Owner]++
		}
		for _, h := range c.cluster.Hosts {
			if of[h.WorkerID()] != deployShards/deployed {
				since = time.Now()
			}
		}
		return time.Since(since) > while, err
	})
}

// figures checks the run, and returns a row of the table.
func figures(t *testing.T, c *chaos, w way, begin, end time.Time) string {
	r, err := check.Read(os.DirFS(c.dir))
	if err != nil {
		t.Fatal(err)
	}
	found := r.Check()
	for _, f := range found.Found {
		for _, breach := range f.Breaches {
			t.Errorf("%s: %s", f.Check, breach)
		}
	}
	const poll = 2500 * time.Millisecond // a shard that is read shows gaps of 1.5 s
	longest, total := make(map[string]time.Duration), make(map[string]time.Duration)
	lag := time.Duration(0)
	for _, gap := range r.Gaps(poll.Milliseconds()) {
		if gap.To < begin.UnixMilli() || gap.From > end.UnixMilli() {
			continue
		}
		took := time.Duration(gap.To-gap.From) * time.Millisecond
		longest[gap.Shard] = max(longest[gap.Shard], took)
		total[gap.Shard] += took
		lag = max(lag, time.Duration(gap.Lag)*time.Millisecond)
		c.say("%s: nothing for %.1f s, until %.1f s", gap.Shard, took.Seconds(), time.UnixMilli(gap.To).Sub(c.started).Seconds())
	}
	of := func(all map[string]time.Duration) (sorted []time.Duration) {
		for n := range deployShards {
			sorted = append(sorted, all[fmt.Sprintf("shardId-%012d", n)])
		}
		slices.Sort(sorted)
		return sorted
	}
	each, sums := of(longest), of(total)
	// Where the leader goes and no worker starts then, the others look for it every half
	// minute, and after two minutes where it was killed.
	leaderless := w.killed || w.surge && !w.leaderLast
	if most := each[len(each)-1]; most > moves && !leaderless && len(w.settings) == 0 {
		t.Errorf("a shard was without progress for %v, want at most %v", most, moves)
	}
	return fmt.Sprintf("| %s | %.1f s | %.1f s | %.1f to %.1f s | %.1f s |", w.name, each[len(each)-1].Seconds(), each[len(each)/2].Seconds(),
		sums[0].Seconds(), sums[len(sums)-1].Seconds(), lag.Seconds())
}
