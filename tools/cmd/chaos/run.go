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

	// consumerName is the name by which kcl-bootstrap finds this program on PATH.
	consumerName = "chaos-consumer"

	// patience is the longest time until all shards make progress after a fault: longer
	// than KCL takes to elect another leader.
	patience = 4 * time.Minute
)

// properties are those that consumer-sample/sample.properties recommends, with KCL's
// default failover time.
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

// chaos is one run.
type chaos struct {
	options
	dir      string
	cluster  *cluster.Cluster
	progress *progress
	leases   *journal.Log
	started  time.Time
	logf     func(format string, args ...any)
	current  atomic.Value // a string: the fault that is shown

	mu     sync.Mutex // held during a snapshot
	final  bool       // the last snapshot was taken
	held   leaderLock // as the snapshots have it
	faults []occurrence
}

// An occurrence is a fault that was injected.
type occurrence struct {
	kind               *kind
	target             string
	ofLeader           bool
	lock               string    // the version of the leader's lock before
	begin, over, ended time.Time // of the fault: its begin, its end, and when all shards made progress
}

// run runs all. It may return a report together with an error.
func run(ctx context.Context, o options, stderr io.Writer) (_ *report, err error) {
	c := &chaos{options: o, started: time.Now()}
	c.current.Store("none")
	c.logf = func(format string, args ...any) {
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
	if needsSmallDisk := func(k *kind) bool { return k.smallDisk }; slices.ContainsFunc(c.kinds, needsSmallDisk) {
		keep, refused := mountSmallDisk(filepath.Join(c.dir, "worker-1", "data"))
		switch {
		case refused == nil:
			defer func() { err = errors.Join(err, keep()) }()
		case !errors.Is(refused, syscall.EPERM) || len(c.kinds) == 1:
			return r, refused
		default:
			c.logf("disk-full is skipped: %v", refused)
			c.kinds = slices.DeleteFunc(c.kinds, needsSmallDisk)
		}
	}
	c.logf("seed %d; building the commands", c.seed)
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
	return r, c.runCluster(ctx, temp, r)
}

// makeDir makes the folder of the run, or checks that it is empty.
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

// mountSmallDisk makes dir a link to a small disk. keep replaces the link by a folder with
// the files. The disk is detached from the file tree, so that it disappears when this
// process ends in whatever way.
func mountSmallDisk(dir string) (keep func() error, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256m"); err != nil {
		return nil, fmt.Errorf("cannot mount a small disk, which needs root: %w", err)
	}
	disk, err := os.Open(dir)
	if err = errors.Join(err, syscall.Unmount(dir, syscall.MNT_DETACH)); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), disk.Fd())
	keep = func() error { return errors.Join(os.Remove(dir), os.CopyFS(dir, os.DirFS(name)), disk.Close()) }
	return keep, errors.Join(os.Remove(dir), os.Symlink(name, dir))
}

// runCluster runs the cluster, disturbs it and checks the files.
func (c *chaos) runCluster(ctx context.Context, bin string, r *report) (err error) {
	if c.leases, err = journal.Open(journal.Leases(c.dir)); err != nil {
		return err
	}
	defer c.leases.Close()
	c.logf("starting Kinesis, DynamoDB, %d workers and %d kcl-bootstrap", workers, bootstraps)
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
	noProgress := c.disturb(ctx)
	if noProgress != nil && !errors.Is(noProgress, errNoProgress) {
		return noProgress
	}
	c.logf("waiting until all records are written")
	endPuts()
	producing.Wait()
	if err := c.drain(ctx); err != nil {
		return errors.Join(noProgress, err)
	}
	cancel(nil)
	watching.Wait()
	return errors.Join(noProgress, r.check())
}

// disturb injects one fault after the other until the time is over.
func (c *chaos) disturb(ctx context.Context) error {
	if err := c.awaitRecovery(ctx, time.Now()); err != nil {
		return fmt.Errorf("the first start: %w", err)
	}
	begin := time.Now()
	for next := range schedule(c.seed, c.kinds) {
		if !journal.Sleep(ctx, next.pause) || time.Since(begin) >= c.duration {
			return context.Cause(ctx)
		}
		d := &disturbance{chaos: c, random: rand.New(rand.NewPCG(next.random, 0)), occurrence: occurrence{kind: next.kind, begin: time.Now()}}
		if err := c.snapshot(ctx, false); err != nil {
			return err
		}
		c.current.Store(next.kind.name)
		err := next.kind.inject(ctx, d)
		if err == nil {
			err = c.snapshot(ctx, false)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, errNoProcess) {
			c.logf("%s is skipped: %v", next.kind.name, err)
			c.current.Store("none")
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", next.kind.name, err)
		}
		d.over = time.Now()
		c.current.Store("after " + next.kind.name)
		err = c.awaitRecovery(ctx, d.over.Add(time.Second))
		if d.ofLeader && err == nil {
			err = c.awaitLeader(ctx, d.lock)
		}
		if err != nil {
			return fmt.Errorf("after %s of %s: %w", next.kind.name, d.target, err)
		}
		d.ended = time.Now()
		c.faults = append(c.faults, d.occurrence)
		c.logf("%s %s: %.1f s, then %.1f s until all shards made progress", next.kind.name, d.target, d.over.Sub(d.begin).Seconds(), d.ended.Sub(d.over).Seconds())
		c.current.Store("none")
	}
	return nil
}

// awaitRecovery waits until all hosts are ready, and records of all open shards were
// written after since.
func (c *chaos) awaitRecovery(ctx context.Context, since time.Time) error {
	shards, err := c.cluster.OpenShards(ctx)
	if err != nil {
		return err
	}
	var open []string
	for _, s := range shards {
		open = append(open, *s.ShardId)
	}
	return c.await(ctx, "all shards make progress", func() (bool, error) {
		for _, h := range c.cluster.Hosts {
			if err := h.Err(); err != nil || !h.Ready() {
				return false, err
			}
		}
		return c.progress.caughtUp(open, since), nil
	})
}

// await waits until done returns true.
func (c *chaos) await(ctx context.Context, what string, done func() (bool, error)) error {
	for begin := time.Now(); ; {
		if err := c.progress.update(); err != nil {
			return err
		}
		if ok, err := done(); ok || err != nil {
			return err
		}
		if time.Since(begin) > patience {
			return fmt.Errorf("%w: waited %v until %s", errNoProgress, patience, what)
		}
		if !journal.Sleep(ctx, 100*time.Millisecond) { // polls, because it reads files
			return context.Cause(ctx)
		}
	}
}

var errNoProgress = errors.New("no progress")

// drain waits until all records are written, and stops the hosts.
func (c *chaos) drain(ctx context.Context) error {
	err := c.await(ctx, "each record is in a file", func() (bool, error) {
		_, _, waiting, _ := c.progress.figures()
		return waiting == 0, nil
	})
	if err != nil && !errors.Is(err, errNoProgress) {
		return err // the check reports missing records
	}
	c.cluster.Stop()
	return c.snapshot(ctx, true)
}

// watch takes a snapshot and logs the figures every second.
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
		c.logf("put %d, written %d, waiting %d, longest wait %.1f s, fault: %s", acked, written, waiting, longest.Seconds(), c.current.Load())
	}
	return nil
}

// snapshot records the lease table, and then the sizes of the shard files.
func (c *chaos) snapshot(ctx context.Context, rest bool) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.final {
		return nil
	}
	s := check.Snapshot{Rest: rest}
	if s.Leases, err = c.cluster.Leases(ctx); err != nil {
		return err
	}
	var version string
	if s.Leader, version, err = c.cluster.Leader(ctx); err != nil {
		return err
	}
	now := time.Now()
	c.held.seen(version, now)
	s.At = now.UnixMilli()
	if s.Files, err = journal.Sizes(c.dir); err != nil {
		return err
	}
	c.final = rest
	return c.leases.Append(s)
}

// leaderLock tells whether a leader renews its lock, which it does every 30 s.
//
// KCL's leader gives the lock up, but leaves it in the table, when the answer to a renewal
// is lost: the AWS SDK sends the renewal again, and its condition on the version fails,
// as it would if another worker had the lock. Until the lock expires, 2 minutes after that
// renewal, nobody leads.
type leaderLock struct {
	version string
	since   time.Time
}

func (l *leaderLock) seen(version string, now time.Time) {
	if version != l.version {
		l.version, l.since = version, now
	}
}

func (l *leaderLock) stale(now time.Time) bool {
	return l.version != "" && now.Sub(l.since) > 45*time.Second
}

// unled reports whether nobody renews the leader's lock.
func (c *chaos) unled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held.stale(time.Now())
}

// leader returns the leader, nil if there is none, and the version of its lock.
func (c *chaos) leader(ctx context.Context) (*cluster.Host, string, error) {
	id, version, err := c.cluster.Leader(ctx)
	if err != nil || id == "" {
		return nil, "", err
	}
	return c.cluster.HostOf(id), version, nil
}

// awaitLeader waits until the version of the leader's lock has changed, so that a leader
// is alive. Without one, free leases are not assigned.
func (c *chaos) awaitLeader(ctx context.Context, before string) error {
	return c.await(ctx, "a leader is elected", func() (bool, error) {
		_, version, err := c.leader(ctx)
		return version != "" && version != before, err
	})
}
