//go:build unix

package differential

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/internal/subprocess"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// The end-to-end tests would also pass with other emulators: the real daemon delivers each
// record, after a restart and a reshard too.
func TestCoreRunsOnTheirServices(t *testing.T) {
	testenv.Long(t)
	testenv.Java(t)
	root := testenv.Workspace(t)
	t.Parallel()
	at := stack.Endpoints{KinesisURL: kinesisLocal(t).url, DynamoDBURL: moto(t).url}
	dir, bin := t.TempDir(), t.TempDir()
	if err := sample.Build(t.Context(), root, bin); err != nil {
		t.Fatal(err)
	}
	// The daemon lives for seconds: optimising compilation would not pay.
	environ := append(sample.Environ(at.Environ(os.Environ()), bin), "JAVA_TOOL_OPTIONS=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
	properties := filepath.Join(dir, "core.properties")
	// With the same worker ID the second daemon takes its leases immediately.
	if err := sample.WriteProperties(root, properties, append(at.Properties(), stack.Setting{Name: "workerId", Value: "worker-1"})); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) *bytes.Buffer {
		t.Helper()
		var out bytes.Buffer
		cmd := exec.Command(sample.Command(bin, name), args...)
		cmd.Env, cmd.Stdout, cmd.Stderr = environ, &out, os.Stderr
		if err := subprocess.Run(t.Context(), cmd, time.Second); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return &out
	}
	var sent []sample.Key
	produce := func() {
		t.Helper()
		keys, err := sample.Receipts(run("producer", "--records", "50"))
		if err != nil {
			t.Fatal(err)
		}
		sent = append(sent, keys...)
	}
	files := sample.NewShardFiles(filepath.Join(dir, "data"))
	start := func() *sample.Daemon {
		t.Helper()
		d, err := sample.StartDaemon(sample.DaemonConfig{Bin: bin, Dir: dir, Environ: environ, Properties: properties, Log: filepath.Join(dir, "daemon.log")})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	await := func(d *sample.Daemon) {
		t.Helper()
		err := sample.Await(t.Context(), d, func() (bool, error) {
			err := files.Read()
			return files.Missing(sent) == 0, err
		})
		if err != nil {
			t.Fatalf("%v; the daemon's last lines:\n%s", err, d.Tail())
		}
	}
	stop := func(d *sample.Daemon) {
		t.Helper()
		if err := d.Stop(); err != nil {
			t.Fatalf("%v; the daemon's last lines:\n%s", err, d.Tail())
		}
	}

	// Seeded leases save two minutes, the interval at which KCL looks for new shards.
	run("kcl-infra", "create", "--shards", "1", "--seed-leases", "TRIM_HORIZON")
	produce()
	d := start()
	await(d)
	stop(d)
	produce()
	d = start()
	await(d)
	s := newSession(t, at.KinesisURL)
	name := aws.String("kclgosample")
	if _, err := s.client.UpdateShardCount(t.Context(), &kinesis.UpdateShardCountInput{StreamName: name, TargetShardCount: aws.Int32(2), ScalingType: types.ScalingTypeUniformScaling}); err != nil {
		t.Fatal(err)
	}
	s.active(*name)
	produce()
	await(d)
	stop(d)
	if err := files.Read(); err != nil {
		t.Fatal(err)
	}
	if files.Shards < 2 || files.Duplicates > 0 {
		t.Errorf("%d shards, %d duplicates", files.Shards, files.Duplicates)
	}
}
