package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
)

// patience is the longest time for a step on a busy machine. A test that passes does not
// wait for it.
const patience = 3 * time.Minute

// application is a KCL application of one test: stream, tables, seeded leases, properties,
// and the working directory of its daemons.
type application struct {
	t          *testing.T
	name       string
	dir        string
	environ    []string
	properties string
	worker     bool     // consumer-sample run, not kcl-bootstrap
	arguments  []string // of the command, beside -e or run, and -p
	sent       []sample.Key
	files      *sample.ShardFiles
}

// newApplication makes an application. The settings follow those of the stack.
func newApplication(t *testing.T, shards int, settings ...stack.Setting) *application {
	t.Helper()
	return newApplicationAt(t, local(t).KinesisURL, shards, settings...)
}

// newApplicationAt makes an application with another Kinesis than the stack's.
func newApplicationAt(t *testing.T, kinesisURL string, shards int, settings ...stack.Setting) *application {
	t.Helper()
	name := strings.ReplaceAll(t.Name(), "/", "-")
	a := configure(t, name, kinesisURL, append([]stack.Setting{{Name: "streamName", Value: name}}, settings...)...)
	a.run("kcl-infra", "create", "--application", a.name, "--stream-name", a.name,
		"--shards", fmt.Sprint(shards), "--seed-leases", "TRIM_HORIZON")
	return a
}

// configure makes an application that has only its name, its folder and its properties.
func configure(t *testing.T, name, kinesisURL string, settings ...stack.Setting) *application {
	t.Helper()
	l := local(t)
	a := &application{t: t, name: name, dir: t.TempDir()}
	a.files = sample.NewShardFiles(filepath.Join(a.dir, "data"))
	a.environ = append(sample.Environ(l.Environ(os.Environ()), shared.bin), "AWS_ENDPOINT_URL_KINESIS="+kinesisURL)
	all := append(l.Properties(),
		stack.Setting{Name: "kinesisEndpoint", Value: kinesisURL},
		stack.Setting{Name: "applicationName", Value: name},
		// A daemon that replaces a killed one gets its leases in seconds only with the same
		// worker ID.
		stack.Setting{Name: "workerId", Value: "worker-1"},
	)
	a.properties = filepath.Join(a.dir, "test.properties")
	if err := sample.WriteProperties(shared.root, a.properties, append(all, settings...)); err != nil {
		t.Fatal(err)
	}
	return a
}

// run runs one of the commands and returns its standard output.
func (a *application) run(name string, args ...string) string {
	a.t.Helper()
	cmd := exec.Command(sample.Command(shared.bin, name), args...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = a.dir, a.environ, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		a.t.Fatalf("%s: %v: %s", name, err, &stderr)
	}
	return stdout.String()
}

// kclInfra runs a command of kcl-infra for the application and its stream.
func (a *application) kclInfra(command string, args ...string) string {
	a.t.Helper()
	return a.run("kcl-infra", append([]string{command, "--application", a.name, "--stream-name", a.name}, args...)...)
}

// leases returns the leases by shard.
func (a *application) leases() []infraLease {
	a.t.Helper()
	var l infraLeases
	if err := json.Unmarshal([]byte(a.kclInfra("leases", "--json")), &l); err != nil {
		a.t.Fatal(err)
	}
	return l.Shards
}

// kinesis returns a client of the local Kinesis with HTTP/2: over HTTP/1.1, smithy-go
// 1.28.8 sometimes truncates fast answers and puts the records again.
func (a *application) kinesis() *kinesis.Client {
	a.t.Helper()
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	return kinesis.New(kinesis.Options{
		HTTPClient:   &http.Client{Transport: &http.Transport{Protocols: &protocols}},
		BaseEndpoint: aws.String(local(a.t).KinesisURL), Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	})
}

// produce puts n records.
func (a *application) produce(n int) {
	a.t.Helper()
	receipts, err := sample.Receipts(strings.NewReader(a.run("producer", "--stream", a.name, "--records", fmt.Sprint(n))))
	if err != nil {
		a.t.Fatal(err)
	}
	if len(receipts) != n {
		a.t.Fatalf("%d receipts for %d records", len(receipts), n)
	}
	a.sent = append(a.sent, receipts...)
}

// start starts a daemon, which is stopped at the end of the test at the latest. The
// variables are added to the environment of the daemon and its children.
func (a *application) start(variables ...string) *sample.Daemon {
	a.t.Helper()
	log := filepath.Join(a.dir, "daemon.log")
	arguments := a.arguments
	if java := os.Getenv("DAEMON_JAVA"); java != "" {
		arguments = append([]string{"--java", java}, arguments...)
	}
	d, err := sample.StartDaemon(sample.DaemonConfig{
		Bin: shared.bin, Dir: a.dir, Environ: append(a.environ, variables...), Properties: a.properties, Log: log, Worker: a.worker, Args: arguments,
	})
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() {
		d.Stop()
		if a.t.Failed() {
			text, _ := os.ReadFile(log)
			a.t.Logf("the daemon's log ends:\n%s", text[max(0, len(text)-8000):])
		}
	})
	return d
}

// await waits until done returns true, while d runs.
func (a *application) await(d *sample.Daemon, what string, done func() bool) {
	a.t.Helper()
	ctx, cancel := context.WithTimeoutCause(context.Background(), patience, fmt.Errorf("not so after %v", patience))
	defer cancel()
	if err := sample.Await(ctx, d, func() (bool, error) { return done(), nil }); err != nil {
		a.t.Fatalf("%s: %v", what, err)
	}
}

// awaitRecords waits until all sent records are in the shard files.
func (a *application) awaitRecords(d *sample.Daemon) {
	a.t.Helper()
	a.await(d, "every record in a shard file", func() bool {
		if err := a.files.Read(); err != nil {
			a.t.Fatal(err)
		}
		return a.files.Missing(a.sent) == 0
	})
}

// exactlyOnce checks that the shard files have each sent record once, in the order of its
// shard.
func (a *application) exactlyOnce() {
	a.t.Helper()
	if err := a.files.Read(); err != nil {
		a.t.Fatal(err)
	}
	if missing := a.files.Missing(a.sent); missing != 0 || len(a.files.Records) != len(a.sent) || a.files.Duplicates != 0 || a.files.Disordered != 0 {
		a.t.Errorf("%d records sent, %d received, %d missing, %d twice, %d out of order",
			len(a.sent), len(a.files.Records), missing, a.files.Duplicates, a.files.Disordered)
	}
}

// start is the sample's log entry of one of its starts.
type start struct {
	last     string // record in the shard file, "none" where there is none
	position string // where it starts: the checkpoint
}

// atCheckpoint reports whether no record is delivered again: the previous processor had
// checkpointed all that it wrote.
func (s start) atCheckpoint() bool { return s.last == "none" || s.last == s.position }

var startLine = regexp.MustCompile(`msg="shard file open" last=(\S+) position=(\S+)`)

func (a *application) starts() (starts []start) {
	for _, m := range startLine.FindAllStringSubmatch(a.read("application.log"), -1) {
		starts = append(starts, start{last: m[1], position: m[2]})
	}
	return starts
}

// stoppedWithCheckpoints checks that each processor so far started at the checkpoint of its
// file's last record. The files do not show that, because repeated records are skipped.
func (a *application) stoppedWithCheckpoints() {
	a.t.Helper()
	for _, s := range a.starts() {
		if !s.atCheckpoint() {
			a.t.Errorf("a processor started at %s, its file goes to %s: the one before stopped without its checkpoint", s.position, s.last)
		}
	}
}

// awaitNoted waits until the processors of children_test.go have recorded n records.
func (a *application) awaitNoted(d *sample.Daemon, n int) {
	a.t.Helper()
	a.await(d, fmt.Sprintf("%d records noted", n), func() bool { return a.noted() >= n })
}

// noted returns the number of records that those processors have recorded.
func (a *application) noted() int { return strings.Count(a.read("records.txt"), "\n") }

// stop stops a daemon gracefully.
func (a *application) stop(d *sample.Daemon) {
	a.t.Helper()
	if err := d.Stop(); err != nil {
		a.t.Errorf("%v; its last lines:\n%s", err, d.Tail())
	}
}

// awaitEnd waits until the daemon has ended by itself and returns its status.
func (a *application) awaitEnd(d *sample.Daemon) int {
	a.t.Helper()
	select {
	case <-d.Done():
	case <-time.After(patience):
		a.t.Fatalf("the daemon still runs after %v; its last lines:\n%s", patience, d.Tail())
	}
	return d.ExitCode()
}

// read returns the text of a file in the application's folder, "" if it does not exist.
func (a *application) read(name string) string {
	text, _ := os.ReadFile(filepath.Join(a.dir, name))
	return string(text)
}
