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

// A deployment is a way to replace three workers, one after the other.
type deployment struct {
	name       string
	keepIDs    bool // the new worker has the ID of the old one
	surge      bool // the new worker is ready before the old one stops
	killed     bool // the old worker is killed
	settled    bool // the next worker is replaced when all shards make progress, not when the new worker is ready
	leaderLast bool // the leader is replaced last, not first
	settings   []stack.Setting
}

func set(name, value string) stack.Setting { return stack.Setting{Name: name, Value: value} }

var deployments = []deployment{
	{name: "new IDs"},
	{name: "kept IDs", keepIDs: true},
	{name: "new IDs, settled", settled: true},
	{name: "kept IDs, settled", keepIDs: true, settled: true},
	{name: "new IDs, settled, leader last", settled: true, leaderLast: true},
	{name: "kept IDs, settled, leader last", keepIDs: true, settled: true, leaderLast: true},
	{name: "surge, settled", surge: true, settled: true},
	{name: "surge, settled, leader last", surge: true, settled: true, leaderLast: true},
	{name: "new IDs, settled, killed", settled: true, killed: true},
	{name: "kept IDs, settled, killed", keepIDs: true, settled: true, killed: true},
	{name: "new IDs, settled, failover 5 s", settled: true, settings: []stack.Setting{set("failoverTimeMillis", "5000")}},
	{name: "new IDs, settled, no handoff", settled: true, settings: []stack.Setting{set("isGracefulLeaseHandoffEnabled", "false")}},
	{name: "new IDs, settled, FANOUT", settled: true, settings: []stack.Setting{set("retrievalMode", "FANOUT")}},
	{name: "new IDs, settled, assignment 1 s", settled: true, settings: []stack.Setting{set("leaseAssignmentIntervalMillis", "1000")}},
}

// Three workers are replaced one after the other, in each way. The test logs the table in
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
	fmt.Fprintln(&table, "| deployment | longest without progress | of each shard, median | total of a shard | longest lag |")
	for _, w := range deployments {
		t.Run(strings.ReplaceAll(w.name, " ", "_"), func(t *testing.T) {
			row := deploy(t, bin, w)
			fmt.Fprintln(&table, row)
			t.Log(row)
		})
	}
	t.Logf("\n%s", &table)
}

// deploy replaces all workers, and returns a row of the table.
func deploy(t *testing.T, bin string, w deployment) string {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := &chaos{dir: t.TempDir(), started: time.Now()}
	c.logf = func(format string, args ...any) {
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
	c.cluster.Hosts = hosts // that must be ready
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
	if err := c.awaitBalance(ctx, deployPatient); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	c.logf("balanced")
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
	if err := c.awaitBalance(ctx, time.Minute); err != nil {
		c.logf("not balanced after a minute: %v", err)
	}
	if err := c.awaitRecovery(ctx, time.Now()); err != nil {
		t.Fatal(err)
	}
	end := time.Now()
	c.logf("the deploy took %.0f s, and %.0f s more until all was balanced", over.Sub(begin).Seconds(), end.Sub(over).Seconds())
	endPuts()
	if err := c.drain(ctx); err != nil {
		t.Fatal(err)
	}
	cancel()
	background.Wait()
	return figures(t, c, w, begin, end)
}

// replace replaces a worker, as Kubernetes does, and returns when the new one is ready.
func (c *chaos) replace(ctx context.Context, w deployment, h, spare *cluster.Host) error {
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
	} else if !w.keepIDs {
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
	c.logf("%s gone after %.1f s, the new one ready after %.1f s", what, gone.Seconds(), time.Since(begin).Seconds())
	if w.settled {
		return c.awaitRecovery(ctx, time.Now().Add(time.Second))
	}
	return nil
}

// awaitBalance waits until all shards make progress, and each worker has had its share of
// them for a while: KCL may still hand some over.
func (c *chaos) awaitBalance(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := c.awaitRecovery(ctx, time.Now()); err != nil {
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
func figures(t *testing.T, c *chaos, w deployment, begin, end time.Time) string {
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
	const poll = 2500 * time.Millisecond // a shard that is being read has gaps of 1.5 s
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
		c.logf("%s: nothing for %.1f s, until %.1f s", gap.Shard, took.Seconds(), time.UnixMilli(gap.To).Sub(c.started).Seconds())
	}
	of := func(all map[string]time.Duration) (sorted []time.Duration) {
		for n := range deployShards {
			sorted = append(sorted, all[fmt.Sprintf("shardId-%012d", n)])
		}
		slices.Sort(sorted)
		return sorted
	}
	each, sums := of(longest), of(total)
	// If the leader ends and no worker starts then, the others notice that within half a
	// minute, or two minutes if it was killed.
	leaderless := w.killed || w.surge && !w.leaderLast
	if most := each[len(each)-1]; most > takeoverLimit && !leaderless && len(w.settings) == 0 {
		t.Errorf("a shard was without progress for %v, want at most %v", most, takeoverLimit)
	}
	return fmt.Sprintf("| %s | %.1f s | %.1f s | %.1f to %.1f s | %.1f s |", w.name, each[len(each)-1].Seconds(), each[len(each)/2].Seconds(),
		sums[0].Seconds(), sums[len(sums)-1].Seconds(), lag.Seconds())
}
