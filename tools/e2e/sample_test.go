//go:build unix

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// After two restarts, a graceful one and one after kill -9, with records put in between, no
// record is lost or written twice, and the stop has checkpointed.
func TestRestartsLoseNothing(t *testing.T) {
	t.Parallel()
	a := newApplication(t, 2)
	a.produce(200)
	d := a.start()
	a.awaitRecords(d)
	a.stop(d)

	a.produce(200)
	d = a.start()
	a.awaitRecords(d)
	a.stoppedWithCheckpoints()
	a.produce(200) // in progress when Java dies, or not yet read
	killGroup(t, d.JavaPID(), syscall.SIGKILL)
	if status := a.awaitEnd(d); status == 0 {
		t.Error("kcl-bootstrap reports success for a daemon that was killed")
	}

	a.produce(200)
	d = a.start()
	a.awaitRecords(d)
	a.stop(d)
	a.exactlyOnce()
}

func killGroup(t *testing.T, pgid int, s syscall.Signal) {
	t.Helper()
	if pgid < 2 {
		t.Fatalf("%d is no process group", pgid)
	}
	if err := syscall.Kill(-pgid, s); err != nil {
		t.Fatal(err)
	}
}

// Whatever a processor prints, the daemon continues and delivers each record once.
//
// Guarantee: What else a child prints is shown and does no harm.
func TestPollutionDoesNoHarm(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newApplication(t, 1, childProperties)
	a.produce(30)
	d := a.start(childEnv + "=pollute")
	a.awaitNoted(d, 30)
	a.stop(d)
	if n := a.noted(); n != 30 {
		t.Errorf("%d records, want 30", n)
	}
	if log := a.read("daemon.log"); !strings.Contains(log, "from a grandchild") {
		t.Error("what a grandchild printed is not in the daemon's log")
	}
}

// A processor that returns ErrLeaseLost loses its shard, not the daemon.
func TestErrLeaseLostLeavesTheDaemonUp(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newApplication(t, 2, childProperties)
	a.produce(40)
	d := a.start(childEnv + "=shutdown")
	others := func() (n int) {
		for _, key := range a.sent {
			if key.ShardID != firstShard {
				n++
			}
		}
		return n
	}
	done := func() bool {
		return strings.Contains(a.read("events.txt"), "refused") && a.noted() >= others()
	}
	a.await(d, "one shard refused, the other read", done)
	a.produce(40)
	a.await(d, "the other shard goes on", done)
	a.stop(d)
	if n := strings.Count(a.read("events.txt"), "refused"); n != 1 {
		t.Errorf("the processor saw %d batches after the loss of its lease", n-1)
	}
	if strings.Contains(a.read("records.txt"), firstShard) {
		t.Error("records of the first shard were processed")
	}
	// Nothing of it was checkpointed, so that the next processor gets all of it.
	d = a.start(childEnv + "=pollute")
	a.awaitNoted(d, len(a.sent))
	a.stop(d)
}

// A processor that panics is replaced by another one that gets the same records, so that
// none is skipped.
func TestPanicPassesNothingOver(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newApplication(t, 1, childProperties)
	a.produce(30)
	d := a.start(childEnv + "=panic")
	a.awaitNoted(d, 30)
	a.stop(d)
	log := a.read("daemon.log")
	for _, want := range []string{"panic: once", "children_test.go", "kcl-bootstrap: a record processor has failed, "} {
		if !strings.Contains(log, want) {
			t.Errorf("no %q in the log", want)
		}
	}
	if n := a.count("initialize"); n != 2 || a.noted() != 30 {
		t.Errorf("%d processors, %d records noted, want 2 and 30", n, a.noted())
	}
}

// A child whose daemon was killed during a batch ends within 5 s, so that the next daemon's
// child is the only writer.
func TestChildOfAKilledDaemonGoes(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newApplication(t, 1, childProperties)
	a.produce(5)
	d := a.start(childEnv + "=sleep")
	var pid int
	a.await(d, "the child sleeps", func() bool {
		m := regexp.MustCompile(`sleeping pid=(\d+)`).FindStringSubmatch(a.read("events.txt"))
		if m != nil {
			pid, _ = strconv.Atoi(m[1])
		}
		return m != nil
	})
	begin := time.Now()
	if err := syscall.Kill(d.JavaPID(), syscall.SIGKILL); err != nil { // only Java, not its group
		t.Fatal(err)
	}
	a.await(nil, "the child is gone", func() bool { return gone(pid) })
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	a.awaitEnd(d)
}

// gone reports whether a process has ended, even if it was not waited for.
func gone(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(stat[strings.LastIndex(string(stat), ")"):]), " Z ")
}

// In a reshard each parent ends with its checkpoint, all records of the children are
// delivered, and a stop stays quick.
func TestReshard(t *testing.T) {
	t.Parallel()
	a := newApplication(t, 2)
	a.produce(100)
	d := a.start()
	a.awaitRecords(d)
	client := a.kinesis()
	if _, err := client.UpdateShardCount(t.Context(), &kinesis.UpdateShardCountInput{
		StreamName: &a.name, TargetShardCount: aws.Int32(4), ScalingType: types.ScalingTypeUniformScaling,
	}); err != nil {
		t.Fatal(err)
	}
	a.produce(200)
	a.awaitRecords(d)
	log := a.read("application.log")
	if n := strings.Count(log, "msg=shardEnded"); n != 2 {
		t.Errorf("shardEnded %d times, want 2:\n%s", n, log)
	}
	began := time.Now()
	a.stop(d)
	a.inTime("a stop", time.Since(began), 2*time.Second)
	a.exactlyOnce()
	if files, _ := filepath.Glob(filepath.Join(a.dir, "data", "*.jsonl")); len(files) != 6 {
		t.Errorf("%d shard files, want 6: %v", len(files), files)
	}
}
