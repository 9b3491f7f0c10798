//go:build unix

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// A worker of 16 shards gets every record. SIGTERM stops it in time, and the next worker
// continues. No proxy is used for loopback addresses.
//
// Guarantee: Each shard is served in this process, by its own goroutines, and Java has no
// child processes.
//
// Guarantee: When ctx ends, each shard is told, makes its checkpoint and gives its lease
// back.
func TestWorkerServesAllShards(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	const shards = 16
	a := newApplication(t, shards)
	a.environ = append(a.environ, deadProxy...)
	w := a.startWorker("worker")
	a.produce(20_000)
	w.awaitAll()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", w.javaPIDs()[0]))
	if err != nil || len(threads) == 0 {
		t.Errorf("no threads of Java: %v", err)
	}
	for _, thread := range threads {
		if children, _ := os.ReadFile(thread); len(children) > 0 {
			t.Errorf("Java has child processes: %s", children)
		}
	}
	w.stopInTime()
	if n := a.count("shutdownRequested"); n != shards {
		t.Errorf("%d shards were asked to stop, want %d:\n%s", n, shards, a.read("events.txt"))
	}
	for line := range strings.Lines(a.read("events.txt")) {
		if strings.HasPrefix(line, "initialize") && !strings.HasSuffix(line, fmt.Sprintf(" pid=%d\n", w.cmd.Process.Pid)) {
			t.Errorf("not in the worker's process: %s", line)
		}
	}
	a.produce(500)
	w = a.startWorker("worker")
	w.awaitAll()
	if n := a.noted(); n != len(a.sent) {
		t.Errorf("%d records noted of %d: some came twice", n, len(a.sent))
	}
	w.stopInTime()
}

// The worker follows a split and a merge, and stops in time after them. The next worker
// also gets the parents' leases, at their ends, and does not report them.
func TestWorkerStopsAfterReshard(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	for _, mode := range []string{"POLLING", "FANOUT"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			a := newApplication(t, 4, stack.Setting{Name: "retrievalMode", Value: mode})
			w := a.startWorker("worker")
			a.produce(500)
			w.awaitAll()
			a.split(0)
			a.merge(2, 3)
			a.produce(500)
			w.awaitAll()
			w.await("the end of each parent", func() bool { return a.count("shardEnded") == 3 })
			w.await("the children", func() bool { return a.count("initialize") == 4+3 })
			w.stopInTime()
			if n := a.count("initialize"); n != 4+3 {
				t.Errorf("%d processors began, want 7: some during the stop", n)
			}
			next := a.startWorker("next")
			next.await("the children again", func() bool { return a.count("initialize") == 4+3+4 })
			next.await("the leases", func() bool { return strings.Contains(next.read(), "leases changed") })
			for line := range strings.Lines(next.read()) {
				for _, parent := range []int{0, 2, 3} {
					if strings.Contains(line, "leases changed") && strings.Contains(line, fmt.Sprintf("shardId-%012d", parent)) {
						t.Errorf("told of a shard that had ended: %s", line)
					}
				}
			}
			next.stopInTime()
		})
	}
}

// A second worker gets its share, and no record that the first has processed is delivered
// again. When one stops, the other takes over immediately.
func TestWorkersShareTheShards(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newApplication(t, 4)
	first := a.startWorker("worker-1")
	a.produce(100)
	first.awaitAll()
	second := a.startWorker("worker-2")
	a.shares(fmt.Sprintf(" pid=%d\n", second.cmd.Process.Pid), 1)
	a.produce(500)
	second.awaitAll()
	if a.count("leaseLost") == 0 {
		t.Errorf("no processor was told that its lease is lost:\n%s", a.read("events.txt"))
	}
	// KCL may just be handing a lease over to it.
	second.stopInTime()
	// The first is the leader, which assigns the leases.
	stopped := time.Now()
	a.produce(500)
	first.awaitAll()
	a.inTime("the leader goes on after the other's stop", time.Since(stopped), 5*time.Second)
	first.stopInTime()
}

// The leader stops. The other takes over when it has become the leader, which it tries
// every 30 s.
func TestWorkersLeaderStops(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newApplication(t, 2)
	leader := a.startWorker("worker-1")
	a.produce(100)
	leader.awaitAll()
	other := a.startWorker("worker-2")
	other.await("the other worker", func() bool { return strings.Contains(other.read(), "daemon ready") })
	leader.stopInTime()
	stopped := time.Now()
	a.produce(100)
	other.awaitAll()
	a.inTime("another worker goes on after the leader's stop", time.Since(stopped), 40*time.Second)
	other.stopInTime()
}

// Java is gone within 2 s, and the next worker continues.
//
// Guarantee: If the worker is killed, its Java process ends too.
func TestWorkerIsKilled(t *testing.T) {
	t.Parallel()
	a := newApplication(t, 4)
	w := a.startWorker("worker")
	a.produce(200)
	w.awaitAll()
	a.produce(200) // in work, or not yet read
	w.kill()
	w = a.startWorker("worker")
	w.awaitAll()
	w.stopInTime()
}

// Java is killed.
//
// Guarantee: If Java ends or is silent, it is started again with the same worker ID, as
// Java.Restart allows.
func TestWorkersDaemonIsKilled(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newApplication(t, 4)
	w := a.startWorker("worker")
	a.produce(200)
	w.awaitAll()
	a.produce(200)
	if err := syscall.Kill(w.javaPIDs()[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	w.await("another Java", func() bool { return len(w.javaPIDs()) == 2 })
	w.awaitAll()
	w.stopInTime()
	for _, java := range w.javaPIDs() {
		if alive(-java) {
			t.Errorf("processes of group %d are left", java)
		}
	}
}

// SIGSTOP pauses the worker for longer than it may be silent. Java gives its leases up and
// ends, another worker takes over, and the first one starts another Java when it continues.
func TestWorkerIsSilent(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	silentWorker(t, 6*time.Second, 0, workerSilenceEnv+"=6s")
}

// The same with the default limit of silence.
func TestWorkerIsSilentForLong(t *testing.T) {
	testenv.Nightly(t)
	t.Parallel()
	silentWorker(t, time.Minute, 90*time.Second)
}

// silentWorker pauses a worker that may be silent for so long, for at least this time.
// variables are added to the worker's environment.
func silentWorker(t *testing.T, silence, least time.Duration, variables ...string) {
	a := newApplication(t, 2)
	w := a.startWorker("worker-1", variables...)
	a.produce(100)
	w.awaitAll()
	java := w.javaPIDs()[0]
	w.cmd.Process.Signal(syscall.SIGSTOP)
	stopped := time.Now()
	for alive(-java) {
		if time.Since(stopped) > 2*silence+slack {
			t.Fatal("Java still runs, though its worker is silent")
		}
		time.Sleep(50 * time.Millisecond) // polls, because it is not a child of this process
	}
	t.Logf("Java ended %v after the worker was stopped", time.Since(stopped))
	a.leasesAreFree()
	a.produce(100)
	other := a.startWorker("worker-2")
	other.awaitAll()
	time.Sleep(least - time.Since(stopped))
	w.cmd.Process.Signal(syscall.SIGCONT)
	w.await("another Java", func() bool { return len(w.javaPIDs()) == 2 })
	a.produce(100)
	w.awaitAll()
	other.stopInTime()
	w.stopInTime()
}

// SIGSTOP pauses Java. It is killed and started again.
func TestWorkersDaemonIsSilent(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newApplication(t, 2)
	w := a.startWorker("worker", workerSilenceEnv+"=6s")
	a.produce(100)
	w.awaitAll()
	java := w.javaPIDs()[0]
	syscall.Kill(java, syscall.SIGSTOP)
	w.await("another Java", func() bool { return len(w.javaPIDs()) == 2 })
	if alive(-java) {
		t.Error("the silent Java still runs")
	}
	a.produce(100)
	w.awaitAll()
	w.stopInTime()
}

// An application changes from Amazon's daemon with a child per shard to a worker and back.
// Leases and checkpoints are kept.
func TestWorkerTakesOverFromDaemon(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newApplication(t, 4, childProperties)
	a.arguments = []string{"--stock"}
	serve := func() {
		d := a.start(childEnv + "=note")
		a.produce(200)
		a.awaitNoted(d, len(a.sent))
		a.stop(d)
	}
	serve()
	w := a.startWorker("worker-1")
	a.produce(200)
	w.awaitAll()
	w.stopInTime()
	serve()
	if n := a.noted(); n != len(a.sent) {
		t.Errorf("%d records noted of %d: some came twice", n, len(a.sent))
	}
}

// slack is added to limits, because six of these tests may run at once.
const slack = 5 * time.Second

// inTime logs how long something took and fails the test if it was too long.
func (a *application) inTime(what string, took, limit time.Duration) {
	a.t.Helper()
	a.t.Logf("%s: %v, at most %v", what, took.Round(time.Millisecond), limit)
	if took > limit+slack {
		a.t.Errorf("%s: %v, want at most %v", what, took, limit)
	}
}

// stopInTime stops the worker. It checks that this takes at most 2 s with processors that
// answer immediately, and that no lease has an owner.
func (p *workerProcess) stopInTime() {
	p.a.t.Helper()
	p.a.inTime("a stop", p.stop(), 2*time.Second)
	for line := range strings.Lines(p.read()) {
		if strings.Contains(line, "level=ERROR") {
			p.a.t.Errorf("logged: %s", line)
			break
		}
	}
	p.a.ownedBy(strings.TrimSuffix(filepath.Base(p.log), ".log"), false)
}

// read returns the worker's log.
func (p *workerProcess) read() string {
	text, _ := os.ReadFile(p.log)
	return string(text)
}

// leasesAreFree checks that no lease has an owner.
func (a *application) leasesAreFree() {
	a.t.Helper()
	a.ownedBy("worker", false)
}

// ownedBy reports whether leases have an owner whose name begins so.
func (a *application) ownedBy(worker string, want bool) {
	a.t.Helper()
	leases := a.leases()
	if got := slices.ContainsFunc(leases, func(l infraLease) bool { return strings.HasPrefix(l.Owner, worker) }); got != want {
		a.t.Errorf("leases owned by %s: %v, want %v:\n%+v", worker, got, want, leases)
	}
}

func (a *application) split(shard int) {
	a.t.Helper()
	_, err := a.kinesis().SplitShard(a.t.Context(), &kinesis.SplitShardInput{
		StreamName: &a.name, ShardToSplit: shardID(shard), NewStartingHashKey: aws.String("1000000000000000000000000000000000000"),
	})
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *application) merge(shard, next int) {
	a.t.Helper()
	_, err := a.kinesis().MergeShards(a.t.Context(), &kinesis.MergeShardsInput{
		StreamName: &a.name, ShardToMerge: shardID(shard), AdjacentShardToMerge: shardID(next),
	})
	if err != nil {
		a.t.Fatal(err)
	}
}

func shardID(n int) *string { return aws.String(fmt.Sprintf("shardId-%012d", n)) }
