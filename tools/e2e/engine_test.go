//go:build unix

package e2e

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/bootstrap/engine"
	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// For the child that runs an engine without a worker.
const (
	engineLockEnv  = "E2E_ENGINE_LOCK"  // a file; the default is the worker's lock
	enginePauseEnv = "E2E_ENGINE_PAUSE" // after each 4 MiB that it reads, and after each record
)

func init() { children["engine"] = runEngine }

// runEngine runs an engine until SIGTERM. Its processors are obedient, and start again
// immediately when they fail.
func runEngine() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	lock := bootstrap.DaemonLock()
	if name := os.Getenv(engineLockEnv); name != "" {
		text, err := os.ReadFile(name)
		if err == nil {
			lock, err = bootstrap.ParseLock(filepath.Base(name), text)
		}
		if err != nil {
			panic(err)
		}
	}
	pause, _ := time.ParseDuration(os.Getenv(enginePauseEnv))
	config, err := engineConfig(ctx, lock, os.Getenv(workerPropertiesEnv))
	if err != nil {
		panic(err)
	}
	config.StopGrace = time.Minute
	config.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	config.LogLevel = slog.LevelInfo
	config.Event = func(event engine.Event) {
		if r, ok := event.(engine.LogRecord); ok {
			config.Logger.Info(r.Message, "logger", r.Logger)
		}
	}
	var e *engine.Engine
	config.Serve = func(l *engine.Lease) error {
		n := obedient(l.ShardID)
		if pause > 0 {
			n.records = n.slowly(pause)
		}
		err := processor.Run(context.Background(), n, &pausing{r: l, pause: pause}, l, nil)
		if err != nil {
			l.Fail()
			e.Resume(l.LeaseKey)
		}
		return err
	}
	e = engine.New(config)
	if err := e.Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// engineConfig returns a configuration with Java, the jars of the lock, and the properties.
func engineConfig(ctx context.Context, lock *bootstrap.Lock, properties string) (c engine.Config, err error) {
	if c.Command.Java, err = bootstrap.FindOrFetchJava(ctx, "", engine.MinJava, nil); err != nil {
		return c, err
	}
	if c.Command.Properties, err = bootstrap.ReadProperties(properties); err != nil {
		return c, err
	}
	fetched, err := bootstrap.Fetch(ctx, lock, nil)
	if err != nil {
		return c, err
	}
	c.Command.Jars = fetched.Files
	return c, nil
}

// startEngine starts the child.
func (a *application) startEngine(variables ...string) *workerProcess {
	a.t.Helper()
	variables = append([]string{childEnv + "=engine", workerPropertiesEnv + "=" + a.properties}, variables...)
	return a.startProcess("engine", exec.Command(os.Args[0]), variables...)
}

// One jar of the entry works with all versions of KCL 2.5 and 3, on tables that kcl-infra
// creates and reads: it delivers records, a shard that fails starts again, and after a stop
// the leases are free.
func TestVersionsOfKCL(t *testing.T) {
	testenv.Nightly(t)
	t.Parallel()
	for _, of := range []struct{ version, credentials, layout, migration string }{
		{"2.5.4", "AWSCredentialsProvider", "kcl2", ""},
		{"3.5.1", "AwsCredentialsProvider", "kcl3.5", ""},
		{"3.5.1", "AwsCredentialsProvider", "kcl3", "INIT"}, // an application that 3.0 to 3.4 started
	} {
		t.Run(of.version+" "+of.layout, func(t *testing.T) {
			t.Parallel()
			version := of.version
			lock, err := filepath.Abs(filepath.Join("testdata", "kcl-"+version+".lock"))
			if err != nil {
				t.Fatal(err)
			}
			a := newApplication(t, 4, stack.Setting{Name: of.credentials, Value: "EnvironmentVariableCredentialsProvider"})
			a.kclInfra("delete", "--yes")
			a.kclInfra("create", "--layout", of.layout, "--seed-leases", "TRIM_HORIZON")
			e := a.startEngine(engineLockEnv + "=" + lock)
			a.produce(200)
			e.awaitAll()
			a.write("fail", "")
			a.produce(200)
			e.await("a failure", func() bool { return a.count("failed") == 1 })
			e.awaitAll()
			e.await("five processors", func() bool { return a.count("initialize") == 4+1 })
			if n := a.noted(); n != len(a.sent) {
				t.Errorf("%d records noted of %d: some came twice", n, len(a.sent))
			}
			if !strings.Contains(e.read(), "kcl="+version) {
				t.Errorf("it was not KCL %s", version)
			}
			a.readByInfra(e, of.layout, of.migration)
			e.stop()
			a.ownedBy("worker", false)

			// All of it again. kcl-infra waits until the worker's last report is old.
			a.kclInfra("rewind", "--to", "TRIM_HORIZON", "--yes")
			e = a.startEngine(engineLockEnv + "=" + lock)
			e.await("each record again", func() bool { return a.noted() >= 2*len(a.sent) })
			e.stop()
			if n := a.noted(); n != 2*len(a.sent) {
				t.Errorf("%d records noted, want each of %d twice", n, len(a.sent))
			}
		})
	}
}

// readByInfra checks that kcl-infra reads the tables of a running worker. Those of KCL 2
// have only leases.
func (a *application) readByInfra(e *workerProcess, layout, migration string) {
	a.t.Helper()
	var s infraStatus
	e.await("a report, and a migration", func() bool {
		s = infraStatus{}
		if err := json.Unmarshal([]byte(a.kclInfra("status", "--json")), &s); err != nil {
			a.t.Fatal(err)
		}
		return (len(s.Workers) == 1 || layout == "kcl2") && (len(s.Migrations) == 1 || migration == "")
	})
	leader, tables := "worker-1", 1
	switch layout {
	case "kcl2":
		leader = ""
	case "kcl3":
		tables = 3
	}
	if s.Layout != layout || len(s.Tables) != tables || s.Leases.Total != 4 || s.Leases.Owned != 4 || s.Leases.Blocked != 0 || s.Leader != leader || len(s.Migrations) > 0 && s.Migrations[0].State != migration {
		a.t.Errorf("status %+v", s)
	}
	for _, l := range a.leases() {
		if l.Owner != "worker-1" || l.LagSeconds == nil || l.Arrival.IsZero() || len(l.BlockedBy) > 0 || l.Expired || l.Problem != "" {
			a.t.Errorf("lease %+v", l)
		}
	}
	cmd := exec.Command(sample.Command(shared.bin, "kcl-infra"), "delete", "--yes", "--application", a.name, "--stream-name", a.name)
	cmd.Env = a.environ
	if text, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(text), "the application is running") {
		a.t.Errorf("%v: %s", err, text)
	}
}

// If KCL lacks a class that the entry needs, an error names its version and the supported
// ones before KCL does anything.
func TestKCLLacks(t *testing.T) {
	testenv.Long(t)
	require(t)
	t.Parallel()
	const class = "software.amazon.kinesis.coordinator.Scheduler"
	for name, change := range map[string]func(t *testing.T, jar string) (changed []string){
		"the jar":   func(*testing.T, string) []string { return nil },
		"one class": func(t *testing.T, jar string) []string { return []string{without(t, jar, class)} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			properties := filepath.Join(t.TempDir(), "p.properties")
			if err := os.WriteFile(properties, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			config, err := engineConfig(t.Context(), bootstrap.DaemonLock(), properties)
			if err != nil {
				t.Fatal(err)
			}
			jars := config.Command.Jars
			at := slices.IndexFunc(jars, func(jar string) bool {
				return strings.HasPrefix(filepath.Base(jar), "amazon-kinesis-client-"+bootstrap.DaemonVersion)
			})
			config.Command.Jars = slices.Replace(slices.Clone(jars), at, at+1, change(t, jars[at])...)
			config.Serve = func(*engine.Lease) error { panic("a conversation") }
			config.Event = func(e engine.Event) {
				if _, ok := e.(engine.LogRecord); !ok {
					t.Errorf("it went on: %#v", e)
				}
			}
			err = engine.New(config).Run(t.Context())
			var unlinked *engine.IncompatibleError
			if !errors.As(err, &unlinked) || !strings.HasPrefix(unlinked.Member, "software.amazon.kinesis.") ||
				!strings.Contains(err.Error(), "kcl-bootstrap --stock") || name == "one class" && unlinked.Member != class {
				t.Errorf("%v", err)
			}
		})
	}
}

// without returns a copy of a jar that lacks a class.
func without(t *testing.T, jar, class string) (copied string) {
	t.Helper()
	from, err := zip.OpenReader(jar)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	var text bytes.Buffer
	to := zip.NewWriter(&text)
	found := false
	for _, file := range from.File {
		if file.Name == strings.ReplaceAll(class, ".", "/")+".class" {
			found = true
		} else if err := to.Copy(file); err != nil {
			t.Fatal(err)
		}
	}
	copied = filepath.Join(t.TempDir(), "kcl.jar")
	if err := errors.Join(to.Close(), os.WriteFile(copied, text.Bytes(), 0o600)); err != nil || !found {
		t.Fatal(found, err)
	}
	return copied
}

// A reader pauses within batches of 14 MB and checkpoints each record, and is stopped
// meanwhile. Nothing hangs, and no record is lost. On Java 17 the streams of a socket would
// hang, because a write waits for a read.
func TestLargeBatches(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newApplication(t, 1)
	a.putLarge(30)
	e := a.startEngine(enginePauseEnv + "=1s")
	e.await("a pause in the second batch", func() bool { return strings.HasSuffix(a.read("events.txt"), "batch 10\npause 4\n") })
	if took := e.stop(); took > 5*time.Second+slack { // four of them for pauses
		t.Errorf("the stop took %v", took)
	}
	a.ownedBy("worker", false)
	if a.missing() == 0 {
		t.Error("nothing is left for after the stop")
	}
	e = a.startEngine()
	e.awaitAll()
	if n := a.noted(); n != len(a.sent) {
		t.Errorf("%d records noted of %d: some came twice", n, len(a.sent))
	}
	e.stop()
}

// putLarge puts n records of 1 MiB. A read returns 10 of them.
func (a *application) putLarge(n int) {
	a.t.Helper()
	client := a.kinesis()
	for range n {
		out, err := client.PutRecord(a.t.Context(), &kinesis.PutRecordInput{
			StreamName: &a.name, PartitionKey: aws.String("key"), Data: make([]byte, 1<<20-3),
		})
		if err != nil {
			a.t.Fatal(err)
		}
		a.sent = append(a.sent, sample.Key{ShardID: *out.ShardId, SequenceNumber: *out.SequenceNumber})
	}
}

// A pausing reader pauses after each 4 MiB and records that.
type pausing struct {
	r      io.Reader
	pause  time.Duration
	n      int
	pauses int
}

func (p *pausing) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if p.n += n; p.n > 4<<20 && p.pause > 0 {
		p.n = 0
		p.pauses++
		note("events.txt", "pause %d", p.pauses)
		time.Sleep(p.pause)
	}
	return n, err
}

// slowly records and checkpoints each record separately, and pauses in the middle of a
// batch.
func (n *noter) slowly(pause time.Duration) func(context.Context, processor.ProcessRecordsInput) error {
	return func(ctx context.Context, in processor.ProcessRecordsInput) error {
		if len(in.Records) > 0 {
			note("events.txt", "batch %d", len(in.Records))
		}
		for i, r := range in.Records {
			if i == len(in.Records)/2 {
				time.Sleep(pause)
			}
			if err := errors.Join(note("records.txt", "%s %s", n.shardID, r.SequenceNumber), in.Checkpointer.CheckpointAt(ctx, r.Position())); err != nil {
				return err
			}
		}
		return nil
	}
}
