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
	"sync/atomic"
	"syscall"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/cmd/chaos/internal/check"
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
	cluster  *cluster.Cluster
	progress *progress
	leases   *journal.Log
	started  time.Time
	say      func(format string, args ...any)
	now      atomic.Value // a string: the fault that there is

	mu     sync.Mutex // of a snapshot
	rested bool       // the last one was taken
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
	c := &chaos{options: o, started: time.Now()}
	c.now.Store("none")
	c.say = func(format string, args ...any) {
		fmt.Fprintf(stderr, "chaos: %5.1f s  %s\n", time.Since(c.started).Seconds(), fmt.Sprintf(format, args...))
	}
	if c.dir, err = makeDir(o.folder); err != nil {
		return nil, err
	}
	r := &report{chaos: c}
	root, err := workspace.Find(ctx, ".")
	if err != nil {
		return r, err
	}
	temp, err := os.MkdirTemp("", "kcl-chaos-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	if isSmall := func(k *kind) bool { return k.small }; slices.ContainsFunc(c.kinds, isSmall) {
		keep, refused := smallDisk(filepath.Join(c.dir, "worker-1", "data"))
		switch {
		case refused == nil:
			defer func() { err = errors.Join(err, keep()) }()
		case !errors.Is(refused, syscall.EPERM) || len(c.kinds) == 1:
			return r, refused
		default:
			c.say("disk-full is left out: %v", refused)
			c.kinds = slices.DeleteFunc(c.kinds, isSmall)
		}
	}
	c.say("seed %d; building the commands", c.seed)
	if err := sample.Build(ctx, root, temp); err != nil {
		return r, err
	}
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	if err := os.Symlink(self, filepath.Join(temp, consumerName)); err != nil {
		return r, err
	}
	return r, c.live(ctx, temp, r)
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

// smallDisk has dir lead to a small disk, until the function that it returns puts a folder
// with the files in its place. The disk is mounted nowhere, so that it goes with this
// process, however that ends.
func smallDisk(dir string) (keep func() error, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256m"); err != nil {
		return nil, fmt.Errorf("cannot mount a small disk, for which one must be root: %w", err)
	}
	disk, err := os.Open(dir)
	if err = errors.Join(err, syscall.Unmount(dir, syscall.MNT_DETACH)); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), disk.Fd())
	keep = func() error { return errors.Join(os.Remove(dir), os.CopyFS(dir, os.DirFS(name)), disk.Close()) }
	return keep, errors.Join(os.Remove(dir), os.Symlink(name, dir))
}

// live runs the cluster and disturbs it.
func (c *chaos) live(ctx context.Context, bin string, r *report) (err error) {
	if c.leases, err = journal.Open(journal.Leases(c.dir)); err != nil {
		return err
	}
	defer c.leases.Close()
	c.say("starting Kinesis, DynamoDB, %d workers and %d kcl-bootstrap", workers, bootstraps)
	c.cluster, err = cluster.Start(ctx, cluster.Config{
		Dir: c.dir, Bin: bin, Shards: shards, Workers: workers, Bootstraps: bootstraps,
		Consumer: filepath.Join(bin, consumerName), Properties: properties,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.cluster.Close()) }()
	c.progress = &progress{dir: c.dir, read: map[string]int64{}, shards: map[string]*shard{}}
	producer, err := journal.NewProducer(c.dir, c.cluster.AWS.Kinesis.URL(), stack.Region, cluster.Name, c.seed)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	puts, endPuts := context.WithCancel(ctx)
	var producing, watching sync.WaitGroup
	defer func() {
		endPuts()
		cancel(nil)
		producing.Wait()
		watching.Wait()
	}()
	producing.Go(func() {
		if err := producer.Run(puts); err != nil {
			cancel(err)
		}
	})
	watching.Go(func() {
		if err := c.watch(ctx); err != nil {
			cancel(err)
		}
	})
	stuck := c.disturb(ctx)
	if stuck != nil && !errors.Is(stuck, errStuck) {
		return stuck
	}
	c.say("coming to rest")
	endPuts()
	producing.Wait()
	if err := c.rest(ctx); err != nil {
		return errors.Join(stuck, err)
	}
	cancel(nil)
	watching.Wait()
	return errors.Join(stuck, r.check())
}

// disturb has one fault after the other until the time is over.
func (c *chaos) disturb(ctx context.Context) error {
	if err := c.recovered(ctx, time.Now()); err != nil {
		return fmt.Errorf("the first start: %w", err)
	}
	begin := time.Now()
	for next := range schedule(c.seed, c.kinds) {
		if !journal.Sleep(ctx, next.pause) || time.Since(begin) >= c.duration {
			return context.Cause(ctx)
		}
		d := &disturbance{chaos: c, random: rand.New(rand.NewPCG(next.random, 0)), done: done{kind: next.kind, begin: time.Now()}}
		if err := c.snapshot(ctx, false); err != nil {
			return err
		}
		c.now.Store(next.kind.name)
		err := next.kind.inject(ctx, d)
		if err == nil {
			err = c.snapshot(ctx, false)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, errNobody) {
			c.say("%s is left out: %v", next.kind.name, err)
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", next.kind.name, err)
		}
		d.over = time.Now()
		c.now.Store("after " + next.kind.name)
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
		c.now.Store("none")
	}
	return nil
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
		if !journal.Sleep(ctx, 100*time.Millisecond) { // a file has no event that tells
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
	for journal.Sleep(ctx, time.Second) {
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
		c.say("put %d, written %d, waiting %d, longest wait %.1f s, fault: %s", acked, written, waiting, longest.Seconds(), c.now.Load())
	}
	return nil
}

// snapshot writes the lease table down, and after that how long the files are.
func (c *chaos) snapshot(ctx context.Context, rest bool) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rested {
		return nil
	}
	s := check.Snapshot{Rest: rest}
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
	c.rested = rest
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
