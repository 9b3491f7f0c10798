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
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/worker"
	"github.com/seed96110120/kinesis-client-go/processor/worker/monitor"
	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
)

// workerPropertiesEnv is the properties file of the worker of these tests, the test binary.
const workerPropertiesEnv = "E2E_WORKER_PROPERTIES"

// These are fields of its Config, and the address of its monitor.
const (
	workerHTTPEnv    = "E2E_WORKER_HTTP"
	workerSilenceEnv = "E2E_WORKER_SILENCE"
	workerReturnEnv  = "E2E_WORKER_RETURN_GRACE"
)

// workerBatchesEnv, if set, makes the processors record the time of each batch.
const workerBatchesEnv = "E2E_WORKER_BATCHES"

func init() { children["worker"] = runWorker }

// runWorker runs a worker with obedient processors.
func runWorker() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	config := worker.Config{
		PropertiesFile: os.Getenv(workerPropertiesEnv),
		Java:           worker.JavaOptions{Restart: bootstrap.RestartPolicy{Limit: 20, MinDelay: 100 * time.Millisecond, MaxDelay: time.Second}},
		Logger:         slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	var err error
	for name, field := range map[string]*time.Duration{workerSilenceEnv: &config.Java.Silence, workerReturnEnv: &config.Processors.ReturnGrace} {
		if text := os.Getenv(name); text != "" {
			if *field, err = time.ParseDuration(text); err != nil {
				panic(err)
			}
		}
	}
	w := worker.New(config, func(shard worker.ShardInfo) (processor.RecordProcessor, error) {
		return obedient(shard.ShardID), nil
	})
	err = monitor.Run(ctx, w, os.Getenv(workerHTTPEnv))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// obedient returns a processor that notes what it gets, and does what files in
// the test's folder say:
//
//	fail, panic   one processor that gets records fails, and the file goes
//	poison        names a shard, whose processors fail as long as it is there
//	hang          names a shard, whose processor hangs until the file goes, and
//	              then asks for a checkpoint
func obedient(shardID string) *noter {
	n := &noter{}
	n.records = func(ctx context.Context, in processor.ProcessRecordsInput) error {
		if os.Getenv(workerBatchesEnv) != "" {
			note("batches.txt", "%s %d", shardID, time.Now().UnixMilli())
		}
		if len(in.Records) > 0 {
			if err := n.told(shardID, in); err != nil {
				return errors.Join(note("events.txt", "failed %s", n.shardID), err)
			}
		}
		return n.save(ctx, in)
	}
	return n
}

// told fails as the files say.
func (n *noter) told(shardID string, in processor.ProcessRecordsInput) error {
	named := func(name string) bool {
		text, err := os.ReadFile(name)
		return err == nil && string(text) == shardID
	}
	switch {
	case os.Remove("fail") == nil || named("poison"):
		return errors.New("told to")
	case os.Remove("panic") == nil:
		note("events.txt", "failed %s", shardID)
		panic("told to")
	case named("hang"):
		note("events.txt", "hangs %s", shardID)
		for named("hang") {
			time.Sleep(10 * time.Millisecond) // another process removes it
		}
		err := in.Checkpointer.Checkpoint(context.Background())
		return note("events.txt", "woke %s %v", shardID, err)
	}
	return nil
}

// A workerProcess is a worker of a test.
type workerProcess struct {
	a     *application
	cmd   *exec.Cmd
	log   string
	ended chan struct{}
}

// startWorker starts a worker, which is killed at the end of the test. variables are added
// to its environment.
func (a *application) startWorker(name string, variables ...string) *workerProcess {
	a.t.Helper()
	properties, err := os.ReadFile(a.properties)
	if err != nil {
		a.t.Fatal(err)
	}
	own := filepath.Join(a.dir, name+".properties")
	// Of two lines with one name, Java takes the last. On a machine with all these
	// tests a lease of 3 s is lost now and then; KCL's own is of 10 s.
	if err := os.WriteFile(own, append(properties, "\nworkerId = "+name+"\nfailoverTimeMillis = 10000\n"...), 0o644); err != nil {
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

// javaPIDs returns the process IDs of the Javas that the worker has started, which lead
// their process groups.
func (p *workerProcess) javaPIDs() (pids []int) {
	text, _ := os.ReadFile(p.log)
	for _, m := range daemonStarted.FindAllStringSubmatch(string(text), -1) {
		pid, _ := strconv.Atoi(m[1])
		pids = append(pids, pid)
	}
	return pids
}

// await waits until done returns true, while the worker runs.
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

// awaitAll waits until the processors have recorded each record.
func (p *workerProcess) awaitAll() {
	p.a.t.Helper()
	p.await(fmt.Sprintf("each of %d records", len(p.a.sent)), func() bool { return p.a.noted() >= len(p.a.sent) && p.a.missing() == 0 })
}

// stop stops the worker as a service manager does and returns how long that took.
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

// kill kills the worker and checks that no process of it is left 2 s later.
func (p *workerProcess) kill() {
	p.a.t.Helper()
	p.cmd.Process.Kill()
	killed := time.Now()
	<-p.ended
	for _, java := range p.javaPIDs() {
		for syscall.Kill(-java, 0) == nil && !gone(java) || alive(-java) {
			if time.Since(killed) > 2*time.Second+slack {
				p.a.t.Fatalf("processes of group %d are there %v after the worker was killed", java, time.Since(killed))
			}
			time.Sleep(10 * time.Millisecond) // polls, because it is not this process's child
		}
	}
	p.a.inTime("Java is gone after a kill", time.Since(killed), 2*time.Second)
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

// missing returns the number of sent records that no processor has recorded.
func (a *application) missing() int { return a.missingFrom("") }

// missingFrom is missing without one shard.
func (a *application) missingFrom(leftOut string) int {
	got := make(map[string]bool)
	for line := range strings.Lines(a.read("records.txt")) {
		got[strings.TrimSuffix(line, "\n")] = true
	}
	missing := 0
	for _, key := range a.sent {
		if key.ShardID != leftOut && !got[key.ShardID+" "+key.SequenceNumber] {
			missing++
		}
	}
	return missing
}

func (a *application) count(event string) int { return strings.Count(a.read("events.txt"), event+" ") }
