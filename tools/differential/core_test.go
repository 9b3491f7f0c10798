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

// What the end-to-end tests see with our services is so with those of others:
// the real daemon brings each record, after a restart and a reshard too. It is
// nightly: it takes one to three minutes, and CI has 20 for all.
func TestCoreRunsOnTheirServices(t *testing.T) {
	testenv.Nightly(t)
	testenv.Java(t)
	root := testenv.Workspace(t)
	t.Parallel()
	at := stack.At(kinesisLocal(t), moto(t))
	dir, bin := t.TempDir(), t.TempDir()
	if err := sample.Build(t.Context(), root, bin); err != nil {
		t.Fatal(err)
	}
	environ := sample.Environ(at.Environ(os.Environ()), bin)
	properties := filepath.Join(dir, "core.properties")
	if err := sample.WriteProperties(root, properties, at.Properties()); err != nil {
		t.Fatal(err)
	}
	var sent []sample.Key
	produce := func() {
		t.Helper()
		var out bytes.Buffer
		cmd := exec.Command(sample.Command(bin, "producer"), "--records", "50", "--shards", "1")
		cmd.Env, cmd.Stdout, cmd.Stderr = environ, &out, os.Stderr
		if err := subprocess.Run(t.Context(), cmd, time.Second); err != nil {
			t.Fatal(err)
		}
		keys, err := sample.Receipts(&out)
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

	produce()
	d := start()
	await(d)
	stop(d)
	produce()
	d = start()
	await(d)
	s := newSession(t, at.KinesisURL())
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
