//go:build unix

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// Of two workers with the defaults of package worker, the one that is not the leader dies
// with its Java process.
//
// Guarantee: The shards of a worker that died are read again within 20 s, unless it was
// the leader, the worker that assigns the leases.
func TestFailover(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a, leader, other := twoWorkers(t)
	took := failover(a, other, leader)
	t.Logf("the leader read on after %v", took)
	if took > 20*time.Second {
		t.Errorf("the leader read the shards of the dead after %v", took)
	}
}

// The leader dies. Its lock lasts for two more minutes; workers try to take it every 30 s.
func TestFailoverOfLeader(t *testing.T) {
	testenv.Nightly(t)
	t.Parallel()
	a, leader, other := twoWorkers(t)
	took := failover(a, leader, other)
	t.Logf("the other read on after %v", took)
	if took > 150*time.Second+slack {
		t.Errorf("the other read the shards of the dead leader after %v", took)
	}
}

// twoWorkers starts two workers and returns when both read shards.
func twoWorkers(t *testing.T) (a *application, leader, other *workerProcess) {
	t.Helper()
	a = newApplication(t, 3)
	// The stack's intervals are too short for AWS.
	a.withoutProperties("leaseAssignmentIntervalMillis", "inMemoryWorkerMetricsCaptureFrequencyMillis",
		"workerMetricsReporterFreqInMillis", "noOfPersistedMetricsPerWorkerMetrics", "workerMetricsEMAAlpha", "failoverTimeMillis", "idleTimeBetweenReadsInMillis")
	leader = a.startWorker("worker-1")
	a.produce(100)
	leader.awaitAll()
	other = a.startWorker("worker-2")
	pid := fmt.Sprintf(" pid=%d\n", other.cmd.Process.Pid)
	for deadline := time.Now().Add(patience); !strings.Contains(a.read("events.txt"), pid); a.produce(100) {
		if time.Now().After(deadline) {
			t.Fatalf("the second worker has no shard after %v:\n%s", patience, a.read("events.txt"))
		}
	}
	a.produce(100)
	other.awaitAll()
	return a, leader, other
}

// failover kills a worker and returns how long no record of its shards was delivered. The
// survivor's shards are busy and those of the dead worker are not, so that KCL assigns them
// to the dead worker again as long as it believes that it is alive.
func failover(a *application, dies, survives *workerProcess) time.Duration {
	a.t.Helper()
	ctx, stop := context.WithCancel(a.t.Context())
	defer stop()
	var busy sync.WaitGroup
	defer busy.Wait()
	defer stop()
	put := a.load(strings.TrimSuffix(filepath.Base(survives.log), ".log"))
	const before = 20 // in 10 s KCL renews the leases, with their throughput, three times
	loaded := make(chan struct{})
	busy.Go(func() {
		for n := 0; ; n++ {
			if n == before {
				close(loaded)
			}
			select {
			case <-time.After(500 * time.Millisecond):
				put(ctx)
			case <-ctx.Done():
				return
			}
		}
	})
	<-loaded
	dies.kill()
	died := time.Now()
	a.produce(30)
	survives.awaitAll()
	return time.Since(died)
}

// load returns a function that puts a record into each shard of a worker.
func (a *application) load(worker string) func(context.Context) {
	a.t.Helper()
	client := a.kinesis()
	shards, err := client.ListShards(a.t.Context(), &kinesis.ListShardsInput{StreamName: &a.name})
	if err != nil {
		a.t.Fatal(err)
	}
	var keys []*string
	for _, lease := range a.leases() {
		for _, shard := range shards.Shards {
			if lease.Owner == worker && lease.ShardID == *shard.ShardId {
				keys = append(keys, shard.HashKeyRange.StartingHashKey)
			}
		}
	}
	if len(keys) == 0 || len(keys) == len(shards.Shards) {
		a.t.Fatalf("%s has %d shards of %d", worker, len(keys), len(shards.Shards))
	}
	return func(ctx context.Context) {
		for _, key := range keys {
			_, err := client.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: &a.name, PartitionKey: aws.String("busy"), ExplicitHashKey: key, Data: make([]byte, 10_000)})
			if err != nil && ctx.Err() == nil {
				a.t.Error(err)
			}
		}
	}
}

// withoutProperties removes properties that newApplication has set.
func (a *application) withoutProperties(names ...string) {
	a.t.Helper()
	text, err := os.ReadFile(a.properties)
	if err != nil {
		a.t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^(` + strings.Join(names, "|") + `)\s*=.*\n`)
	if err := os.WriteFile(a.properties, lines.ReplaceAll(text, nil), 0o644); err != nil {
		a.t.Fatal(err)
	}
}

// A live leader keeps its lock. When it is dead, unlock releases the lock and its leases,
// and the survivor continues when it checks the lock next, every 30 s.
func TestUnlockAfterTheLeaderIsKilled(t *testing.T) {
	testenv.Nightly(t)
	t.Parallel()
	a, leader, other := twoWorkers(t)
	out, status := a.infra("unlock", "--yes")
	if status != 1 || !strings.Contains(out, "worker worker-1 is the leader, it renewed the lock just now") {
		t.Errorf("with a live leader: status %d: %s", status, out)
	}
	// The leader has just renewed the lock. The survivor would take it two minutes after it
	// has noticed that.
	leader.kill()
	died := time.Now()
	a.produce(30)
	out, status = a.infra("unlock", "--yes")
	released := time.Now()
	switch {
	case status == 0 && strings.Contains(out, "released the leader lock of worker worker-1") && strings.Contains(out, "released lease shardId-"):
	case status == 1 && strings.Contains(out, "worker worker-2 is the leader"):
		t.Log("the survivor was faster")
	default:
		t.Errorf("status %d: %s", status, out)
	}
	t.Log(out)
	other.awaitAll()
	t.Logf("unlock ended %v after the leader's death", released.Sub(died))
	a.inTime("the survivor reads on", time.Since(released), 35*time.Second)

	// When no worker is left, the next one reads immediately, not after two minutes.
	other.kill()
	out, status = a.infra("unlock", "--yes")
	if status != 0 || !strings.Contains(out, "released the leader lock of worker worker-2") {
		t.Errorf("status %d: %s", status, out)
	}
	a.produce(30)
	started := time.Now()
	a.startWorker("worker-3").awaitAll()
	a.inTime("another worker reads", time.Since(started), 15*time.Second)
}
