//go:build unix

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/worker"
	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// workerPropertiesEnv tells the worker of these tests, the test binary, its
// properties file.
const workerPropertiesEnv = "E2E_WORKER_PROPERTIES"

func init() { children["worker"] = runWorker }

// runWorker is a worker whose processors note what they get, and fail when the
// test says so.
func runWorker() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	err := worker.Run(ctx, worker.Config{
		PropertiesFile: os.Getenv(workerPropertiesEnv),
		Restart:        bootstrap.RestartPolicy{Limit: 20, MinDelay: 100 * time.Millisecond, MaxDelay: time.Second},
		Log:            slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}, func(string) processor.RecordProcessor {
		n := &noter{}
		n.records = func(ctx context.Context, in processor.ProcessRecordsInput) error {
			// The file is there once: one processor fails.
			if len(in.Records) > 0 {
				switch {
				case os.Remove("fail") == nil:
					return errors.Join(note("events.txt", "failed %s", n.shardID), errors.New("told to"))
				case os.Remove("panic") == nil:
					note("events.txt", "failed %s", n.shardID)
					panic("told to")
				}
			}
			return n.save(ctx, in)
		}
		return n
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// A workerProcess is one that a test has started.
type workerProcess struct {
	a     *application
	cmd   *exec.Cmd
	log   string
	ended chan struct{}
}

// startWorker starts a worker; it is killed at the end of the test, if it still
// runs. variables are added to its environment.
func (a *application) startWorker(name string, variables ...string) *workerProcess {
	a.t.Helper()
	properties, err := os.ReadFile(a.properties)
	if err != nil {
		a.t.Fatal(err)
	}
	own := filepath.Join(a.dir, name+".properties")
	// Of two lines with one name, Java takes the last.
	if err := os.WriteFile(own, append(properties, "\nworkerId = "+name+"\n"...), 0o644); err != nil {
		a.t.Fatal(err)
	}
	variables = append([]string{childEnv + "=worker", workerPropertiesEnv + "=" + own}, variables...)
	return a.startProcess(name, exec.Command(os.Args[0]), variables...)
}

// startProcess starts a program that is a worker.
func (a *application) startProcess(name string, cmd *exec.Cmd, variables ...string) *workerProcess {
	a.t.Helper()
	p := &workerProcess{a: a, cmd: cmd, log: filepath.Join(a.dir, name+".log"), ended: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		a.t.Fatal(err)
	}
	defer log.Close()
	cmd.Dir, cmd.Stdout, cmd.Stderr = a.dir, log, log
	cmd.Env = append(slices.Clone(a.environ), variables...)
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	a.t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.ended
		if a.t.Failed() {
			text, _ := os.ReadFile(p.log)
			a.t.Logf("the log of %s ends:\n%s", name, text[max(0, len(text)-8000):])
		}
	})
	return p
}

var daemonStarted = regexp.MustCompile(`msg="daemon started".* pid=(\d+)`)

// javaPIDs returns the process IDs of the Javas that it has started, which lead
// their groups.
func (p *workerProcess) javaPIDs() (pids []int) {
	text, _ := os.ReadFile(p.log)
	for _, m := range daemonStarted.FindAllStringSubmatch(string(text), -1) {
		pid, _ := strconv.Atoi(m[1])
		pids = append(pids, pid)
	}
	return pids
}

// await waits until done says so, while the worker runs.
func (p *workerProcess) await(what string, done func() bool) {
	p.a.t.Helper()
	ctx, cancel := context.WithTimeoutCause(p.a.t.Context(), patience, fmt.Errorf("not so after %v", patience))
	defer cancel()
	err := sample.Await(ctx, nil, func() (bool, error) {
		if done() {
			return true, nil
		}
		select {
		case <-p.ended:
			return false, fmt.Errorf("the worker has ended: %v", p.cmd.ProcessState)
		default:
			return false, nil
		}
	})
	if err != nil {
		p.a.t.Fatalf("%s: %v", what, err)
	}
}

// awaitAll waits until the processors have noted every record.
func (p *workerProcess) awaitAll() {
	p.a.t.Helper()
	p.await(fmt.Sprintf("each of %d records", len(p.a.sent)), func() bool { return p.a.noted() >= len(p.a.sent) && p.a.missing() == 0 })
}

// stop stops it as a service manager does, and returns how long that took.
func (p *workerProcess) stop() time.Duration {
	p.a.t.Helper()
	return p.stopBy(syscall.SIGTERM)
}

func (p *workerProcess) stopBy(signal os.Signal) time.Duration {
	p.a.t.Helper()
	began := time.Now()
	p.cmd.Process.Signal(signal)
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.a.t.Fatalf("the worker still runs %v after a signal", patience)
	}
	if status := p.cmd.ProcessState.ExitCode(); status != 0 {
		p.a.t.Errorf("the worker ended with status %d", status)
	}
	return time.Since(began)
}

// kill kills it, and checks that nothing of it is left 5 s later.
func (p *workerProcess) kill() {
	p.a.t.Helper()
	p.cmd.Process.Kill()
	killed := time.Now()
	<-p.ended
	for _, java := range p.javaPIDs() {
		for syscall.Kill(-java, 0) == nil && !gone(java) || alive(-java) {
			if time.Since(killed) > 5*time.Second {
				p.a.t.Fatalf("processes of group %d are there 5 s after the worker was killed", java)
			}
			time.Sleep(10 * time.Millisecond) // no event tells of another's child
		}
	}
}

// alive reports whether a process of a group is left that has not ended.
func alive(group int) bool {
	if syscall.Kill(group, 0) != nil {
		return false
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return true
	}
	for _, e := range entries {
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue
		}
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) > 2 && fields[2] == strconv.Itoa(-group) && fields[0] != "Z" && fields[0] != "X" {
			return true
		}
	}
	return false
}

// missing counts the records sent that no processor has noted.
func (a *application) missing() int {
	got := make(map[string]bool)
	for line := range strings.Lines(a.read("records.txt")) {
		got[strings.TrimSuffix(line, "\n")] = true
	}
	missing := 0
	for _, key := range a.sent {
		if !got[key.ShardID+" "+key.SequenceNumber] {
			missing++
		}
	}
	return missing
}

func (a *application) count(event string) int { return strings.Count(a.read("events.txt"), event+" ") }

// kills is how often the long tests kill something in a row. Once is enough to
// see that it works.
func kills() int {
	if testenv.IsLong() {
		return 10
	}
	return 1
}

// 16 shards, one process: every record comes, SIGTERM stops it within 10 s, every
// shard checkpointed, and a reshard is followed. How it stops after a reshard is
// not looked at: KCL may then wait for an ended shard until its grace is over.
func TestWorkerServesAllShards(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	const shards = 16
	a := newApplication(t, shards)
	w := a.startWorker("worker")
	a.produce(20_000)
	w.awaitAll()
	if took := w.stop(); took > 10*time.Second {
		t.Errorf("the stop took %v", took)
	}
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

	client := a.kinesis()
	if _, err := client.SplitShard(t.Context(), &kinesis.SplitShardInput{
		StreamName: &a.name, ShardToSplit: aws.String(firstShard), NewStartingHashKey: aws.String("1000000000000000000000000000000000000"),
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.MergeShards(t.Context(), &kinesis.MergeShardsInput{
		StreamName: &a.name, ShardToMerge: aws.String("shardId-000000000008"), AdjacentShardToMerge: aws.String("shardId-000000000009"),
	}); err != nil {
		t.Fatal(err)
	}
	a.produce(2_000)
	w.awaitAll()
	w.await("the end of each parent", func() bool { return a.count("shardEnded") == 3 })
	w.await("the children", func() bool { return a.count("initialize") == 2*shards+3 })
	w.kill()
}

// A second worker gets its share, and what the first had done does not come
// again.
func TestWorkersShareTheShards(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newApplication(t, 4)
	first := a.startWorker("worker-1")
	a.produce(100)
	first.awaitAll()
	second := a.startWorker("worker-2")
	pid := fmt.Sprintf(" pid=%d\n", second.cmd.Process.Pid)
	// KCL balances throughput: without any it leaves the leases where they are.
	for deadline := time.Now().Add(patience); !strings.Contains(a.read("events.txt"), pid); a.produce(100) {
		if time.Now().After(deadline) {
			t.Fatalf("the second worker has no shard after %v:\n%s", patience, a.read("events.txt"))
		}
	}
	a.produce(500)
	second.awaitAll()
	if a.count("leaseLost") == 0 {
		t.Errorf("no processor was told that its lease is lost:\n%s", a.read("events.txt"))
	}
	second.stop()
	a.produce(500)
	first.awaitAll()
	first.stop()
}

// The worker is killed: its daemon and all shims are gone within 5 s, and the
// next worker goes on.
func TestWorkerIsKilled(t *testing.T) {
	t.Parallel()
	a := newApplication(t, 4)
	for range kills() {
		w := a.startWorker("worker")
		a.produce(200)
		w.awaitAll()
		a.produce(200) // in work, or not yet read
		w.kill()
	}
	w := a.startWorker("worker")
	w.awaitAll()
	w.stop()
}

// Java is killed: the worker starts it again.
func TestWorkersDaemonIsKilled(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newApplication(t, 4)
	w := a.startWorker("worker")
	for n := range kills() {
		a.produce(200)
		w.awaitAll()
		a.produce(200)
		if err := syscall.Kill(w.javaPIDs()[n], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		w.await("another Java", func() bool { return len(w.javaPIDs()) == n+2 })
	}
	w.awaitAll()
	w.stop()
	for _, java := range w.javaPIDs() {
		if alive(-java) {
			t.Errorf("processes of group %d are left", java)
		}
	}
}

// A processor fails or panics: the other shards stop with their checkpoints, the
// daemon is started again, and nothing is lost or, on the other shards, done
// twice.
func TestWorkersProcessorFails(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newApplication(t, 4, stack.Setting{Name: "shutdownGraceMillis", Value: "30000"})
	w := a.startWorker("worker")
	for n := range 4 {
		a.produce(200)
		w.awaitAll()
		if err := os.WriteFile(filepath.Join(a.dir, []string{"fail", "panic"}[n%2]), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		a.produce(200)
		w.await("a failure", func() bool { return a.count("failed") == n+1 })
		w.await("another Java", func() bool { return len(w.javaPIDs()) == n+2 })
		if asked := a.count("shutdownRequested"); asked != 3*(n+1) {
			t.Errorf("after %d failures %d processors were asked to stop, want 3 each time:\n%s", n+1, asked, a.read("events.txt"))
		}
	}
	w.awaitAll()
	w.stop()
	if n := a.noted(); n != len(a.sent) {
		t.Errorf("%d records noted of %d: some came twice", n, len(a.sent))
	}
}
