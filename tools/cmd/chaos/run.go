//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/cmd/chaos/internal/cluster"
	"github.com/seed96110120/kinesis-client-go/tools/cmd/chaos/internal/journal"
	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

const (
	workers, bootstraps, shards = 2, 1, 4

	// consumerName is the name under which kcl-bootstrap finds this program.
	consumerName = "chaos-consumer"

	// patience is how long it may take until all goes on after a fault: longer than
	// until KCL has another leader.
	patience = 4 * time.Minute
)

// properties are those that consumer-sample/sample.properties recommends, and KCL's own
// failover time.
var properties = []stack.Setting{
	{Name: "executableName", Value: consumerName},
	{Name: "applicationName", Value: cluster.Name},
	{Name: "streamName", Value: cluster.Name},
	{Name: "regionName", Value: stack.Region},
	{Name: "AwsCredentialsProvider", Value: "DefaultCredentialsProvider"},
	{Name: "initialPositionInStream", Value: "TRIM_HORIZON"},
	{Name: "retrievalMode", Value: "POLLING"},
	{Name: "callProcessRecordsEvenForEmptyRecordList", Value: "true"},
	{Name: "shutdownGraceMillis", Value: "10000"},
	{Name: "metricsLevel", Value: "NONE"},
	{Name: "failoverTimeMillis", Value: fmt.Sprint(failover.Milliseconds())},
	{Name: "leaseAssignmentIntervalMillis", Value: "2000"},
	{Name: "workerMetricsReporterFreqInMillis", Value: "3000"},
	{Name: "noOfPersistedMetricsPerWorkerMetrics", Value: "40"},
	{Name: "workerMetricsEMAAlpha", Value: "0.07"},
	{Name: "timeoutInSeconds", Value: fmt.Sprint(timeout.Seconds())},
}

// chaos is a run.
type chaos struct {
	options
	dir      string
	small    *cluster.Host // whose disk is small; nil without one
	cluster  *cluster.Cluster
	progress *progress
	leases   *journal.Log
	started  time.Time
	say      func(format string, args ...any)

	mu     sync.Mutex // of a snapshot
	now    string     // the fault that there is
	faults []done
}

// done is a fault that has happened.
type done struct {
	kind               *kind
	target             string
	ofLeader           bool
	lock               string    // its version before
	begin, over, ended time.Time // injected, no longer there, all goes on
}

// run is a whole run; its report may come beside an error.
func run(ctx context.Context, o options, stderr io.Writer) (_ *report, err error) {
	c := &chaos{options: o, started: time.Now(), now: "none"}
	c.say = func(format string, args ...any) {
		fmt.Fprintf(stderr, "chaos: %5.1f s  %s\n", time.Since(c.started).Seconds(), fmt.Sprintf(format, args...))
	}
	if c.dir, err = makeDir(o.folder); err != nil {
		return nil, err
	}
	defer func() {
		if c.cluster == nil && o.folder == "" {
			err = errors.Join(err, os.RemoveAll(c.dir))
		}
	}()
	root, err := workspace.Find(ctx, ".")
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "kcl-chaos-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	if os.Geteuid() != 0 {
		c.say("left out for want of root: disk-full")
		c.kinds = slices.DeleteFunc(c.kinds, func(k *kind) bool { return k.root })
	}
	c.say("seed %d; building the commands", c.seed)
	bin := filepath.Join(temp, "bin")
	if err := sample.Build(ctx, root, bin); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := os.Symlink(self, filepath.Join(bin, consumerName)); err != nil {
		return nil, err
	}
	r := &report{chaos: c}
	return r, c.live(ctx, bin, filepath.Base(temp), r)
}

// makeDir makes the run's folder, which must be empty.
func makeDir(name string) (string, error) {
	if name == "" {
		return os.MkdirTemp("", "kcl-chaos-run-")
	}
	name, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(name, 0o755); err != nil {
		return "", err
	}
	if entries, err := os.ReadDir(name); err != nil || len(entries) > 0 {
		return "", errors.Join(err, fmt.Errorf("%s is not empty: name a new folder", name))
	}
	return name, nil
}

// live runs the cluster and disturbs it.
func (c *chaos) live(ctx context.Context, bin, mark string, r *report) (err error) {
	if c.leases, err = journal.Open(journal.Leases(c.dir)); err != nil {
		return err
	}
	defer c.leases.Close()
	unmount := func() error { return nil }
	if os.Geteuid() == 0 {
		if unmount, err = mountSmall(filepath.Join(c.dir, "worker-1", "data")); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, unmount()) }()
	}
	c.say("starting Kinesis, DynamoDB, %d workers and %d kcl-bootstrap", workers, bootstraps)
	c.cluster, err = cluster.Start(ctx, cluster.Config{
		Dir: c.dir, Bin: bin, Shards: shards, Workers: workers, Bootstraps: bootstraps,
		Consumer: filepath.Join(bin, consumerName), Properties: properties, Mark: mark,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.cluster.Close()) }()
	if os.Geteuid() == 0 {
		c.small = c.cluster.Hosts[0]
	}
	c.progress = &progress{dir: c.dir, read: map[string]int64{}, shards: map[string]*shard{}}
	producer, err := journal.NewProducer(c.dir, c.cluster.AWS.Kinesis.URL(), stack.Region, cluster.Name, c.seed)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel(nil)
	puts, endPuts := context.WithCancel(ctx)
	defer endPuts()
	produced := make(chan struct{})
	all.Go(func() {
		defer close(produced)
		if err := producer.Run(puts); err != nil {
			cancel(err)
		}
	})
	all.Go(func() {
		if err := c.watch(ctx); err != nil {
			cancel(err)
		}
	})
	if err := c.disturb(ctx); err != nil {
		return err
	}
	c.say("coming to rest")
	endPuts()
	<-produced
	if err := c.rest(ctx); err != nil {
		return err
	}
	cancel(nil)
	all.Wait()
	return r.check()
}

// disturb has one fault after the other until the time is over.
func (c *chaos) disturb(ctx context.Context) error {
	if err := c.recovered(ctx, time.Now()); err != nil {
		return fmt.Errorf("the first start: %w", err)
	}
	begin := time.Now()
	for next := range schedule(c.seed, c.kinds) {
		if !c.sleep(ctx, next.pause) || time.Since(begin) >= c.duration {
			return context.Cause(ctx)
		}
		d := &disturbance{chaos: c, random: rand.New(rand.NewPCG(next.random, 0)), done: done{kind: next.kind, begin: time.Now()}}
		if err := c.snapshot(ctx, false); err != nil {
			return err
		}
		c.setNow(next.kind.name)
		err := next.kind.inject(ctx, d)
		if err == nil {
			err = c.snapshot(ctx, false)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", next.kind.name, err)
		}
		d.over = time.Now()
		c.setNow("after " + next.kind.name)
		err = c.recovered(ctx, d.over.Add(time.Second))
		if d.ofLeader && err == nil {
			err = c.led(ctx, d.lock)
		}
		if err != nil {
			return fmt.Errorf("after %s of %s: %w", next.kind.name, d.target, err)
		}
		d.ended = time.Now()
		c.faults = append(c.faults, d.done)
		c.say("%s %s: %.1f s, then %.1f s until all went on", next.kind.name, d.target, d.over.Sub(d.begin).Seconds(), d.ended.Sub(d.over).Seconds())
		c.setNow("none")
	}
	return nil
}

func (c *chaos) setNow(fault string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = fault
}

// recovered waits until all hosts are ready, and all shards have gone on after since.
func (c *chaos) recovered(ctx context.Context, since time.Time) error {
	shards, err := c.cluster.OpenShards(ctx)
	if err != nil {
		return err
	}
	var open []string
	for _, s := range shards {
		open = append(open, *s.ShardId)
	}
	return c.await(ctx, "all goes on", func() (bool, error) {
		for _, h := range c.cluster.Hosts {
			if err := h.Err(); err != nil || !h.Ready() {
				return false, err
			}
		}
		return c.progress.caughtUp(open, since), nil
	})
}

// await waits until done says so.
func (c *chaos) await(ctx context.Context, what string, done func() (bool, error)) error {
	for begin := time.Now(); ; {
		if err := c.progress.update(); err != nil {
			return err
		}
		if ok, err := done(); ok || err != nil {
			return err
		}
		if time.Since(begin) > patience {
			return fmt.Errorf("%w: not so after %v: %s", errStuck, patience, what)
		}
		if !c.sleep(ctx, 100*time.Millisecond) { // a file has no event that tells
			return context.Cause(ctx)
		}
	}
}

var errStuck = errors.New("no progress")

// rest waits until all is written and checkpointed, and stops the hosts.
func (c *chaos) rest(ctx context.Context) error {
	err := c.await(ctx, "each record is in a file", func() (bool, error) {
		_, _, waiting, _ := c.progress.figures()
		return waiting == 0, nil
	})
	if err != nil && !errors.Is(err, errStuck) {
		return err // what is missing is the check's to say
	}
	c.cluster.Stop()
	return c.snapshot(ctx, true)
}

// watch takes a snapshot of the lease table and shows a line each second.
func (c *chaos) watch(ctx context.Context) error {
	for c.sleep(ctx, time.Second) {
		if err := c.snapshot(ctx, false); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if err := c.progress.update(); err != nil {
			return err
		}
		acked, written, waiting, longest := c.progress.figures()
		c.mu.Lock()
		now := c.now
		c.mu.Unlock()
		c.say("put %d, written %d, waiting %d, longest wait %.1f s, fault: %s", acked, written, waiting, longest.Seconds(), now)
	}
	return nil
}

// snapshot writes the lease table down, and after that how long the files are.
func (c *chaos) snapshot(ctx context.Context, rest bool) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := journal.Snapshot{Rest: rest}
	if s.Leases, err = c.cluster.Leases(ctx); err != nil {
		return err
	}
	if s.Leader, _, err = c.cluster.Leader(ctx); err != nil {
		return err
	}
	s.At = time.Now().UnixMilli()
	if s.Files, err = journal.Sizes(c.dir); err != nil {
		return err
	}
	return c.leases.Append(s)
}

// leader returns the host that is the leader, nil without one, and its lock's version.
func (c *chaos) leader(ctx context.Context) (*cluster.Host, string, error) {
	id, version, err := c.cluster.Leader(ctx)
	if err != nil || id == "" {
		return nil, "", err
	}
	return c.cluster.HostOf(id), version, nil
}

// led waits until the lock of the leader has another version: it lives, or there is
// another one. Until then a lease that nobody holds is dealt to nobody.
func (c *chaos) led(ctx context.Context, before string) error {
	return c.await(ctx, "there is a leader", func() (bool, error) {
		_, version, err := c.leader(ctx)
		return version != "" && version != before, err
	})
}

// sleep reports false when ctx ends first.
func (c *chaos) sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// mountSmall mounts a small disk. What it returns takes it away, and leaves the files.
func mountSmall(dir string) (unmount func() error, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256m"); err != nil {
		return nil, fmt.Errorf("cannot mount a small disk at %s: %w", dir, err)
	}
	return func() error {
		kept := dir + ".kept"
		err := os.CopyFS(kept, os.DirFS(dir))
		if err = errors.Join(err, syscall.Unmount(dir, 0)); err != nil {
			return err
		}
		return errors.Join(os.Remove(dir), os.Rename(kept, dir))
	}, nil
}
