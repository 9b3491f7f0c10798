//go:build unix

package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/subprocess"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// newSampleRun makes the sample application with one process for all shards.
func newSampleRun(t *testing.T, shards int) *application {
	a := newApplication(t, shards)
	a.worker = true
	return a
}

// One process serves all shards. It is stopped and started again, and its Java is killed.
// No record is lost or written twice, and the stop has checkpointed.
func TestSampleRun(t *testing.T) {
	t.Parallel()
	a := newSampleRun(t, 4)
	a.produce(400)
	d := a.start()
	a.awaitRecords(d)
	a.stop(d)
	if want := "stopped, 400 records written"; !strings.Contains(d.Tail(), want) {
		t.Errorf("its last lines do not say %q:\n%s", want, d.Tail())
	}

	a.produce(400)
	d = a.start()
	a.awaitRecords(d)
	a.stoppedWithCheckpoints()
	first := d.JavaPID()
	killGroup(t, first, syscall.SIGKILL)
	a.produce(400)
	a.awaitRecords(d)
	if d.JavaPID() == first {
		t.Error("nobody said that Java was started again")
	}
	a.await(d, "it tells of its progress", func() bool { return strings.Contains(d.Tail(), "800 records written so far, ") })
	a.stop(d)
	a.exactlyOnce()
	// There is one log for all shards, with the shard in each line.
	for _, line := range strings.Split(a.read("application.log"), "\n") {
		if strings.Contains(line, "msg=processRecords") && strings.Count(line, "shardId=") != 1 {
			t.Errorf("a line without its shard: %s", line)
		}
	}
}

// A second signal leaves no process.
//
// Guarantee: A second signal ends consumer-sample run and all that it started at once.
func TestSampleRunSecondSignal(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newSampleRun(t, 1)
	a.produce(10)
	mark := "E2E_RUN_MARK=" + t.Name()
	d := a.start(mark)
	a.awaitRecords(d)
	// Pause Java, because a stop would be immediate otherwise.
	if err := syscall.Kill(d.JavaPID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	interrupt(t, d.PID())
	a.await(nil, "it has heard of the stop", func() bool { return strings.Contains(d.Tail(), "another signal after a second") })
	second := time.NewTimer(1100 * time.Millisecond) // the command ignores it earlier
	select {
	case <-d.Done():
		t.Fatalf("it stopped within a second: there is no second signal to try\n%s", d.Tail())
	case <-second.C:
	}
	begin := time.Now()
	interrupt(t, d.PID())
	if status := a.awaitEnd(d); status != 1 || !strings.Contains(d.Tail(), "ended at once") {
		t.Errorf("status %d\n%s", status, d.Tail())
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	a.await(nil, "nothing is left", func() bool { return len(subprocess.Processes(mark)) == 0 })
	if took := time.Since(begin); took > 7*time.Second {
		t.Errorf("the last process left %v after the signal", took)
	}
}

func interrupt(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
}
