//go:build unix

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/npm"
	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// Amazon's client for Node.js, under Amazon's own main class, shares an application with a
// worker. Each takes leases from the other and continues at its checkpoints.
func TestFleetWithNode(t *testing.T) {
	testenv.Nightly(t)
	testenv.Command(t, "node", "npm")
	t.Parallel()
	modules, err := npm.InstallKCL(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	app, err := os.ReadFile(filepath.Join("testdata", "app.js"))
	if err != nil {
		t.Fatal(err)
	}
	a := newApplication(t, 4, stack.Setting{Name: "executableName", Value: "node app.js"})
	a.write("app.js", string(app))
	a.arguments = []string{"--stock"}
	node := func() *sample.Daemon { return a.start("NODE_PATH=" + modules) }

	d := node()
	a.produce(200)
	a.awaitNoted(d, len(a.sent))
	w := a.startWorker("worker-2")
	a.shares(fmt.Sprintf(" pid=%d\n", w.cmd.Process.Pid), 1)
	a.stop(d)
	a.produce(500)
	w.awaitAll()
	d = node()
	a.shares(" node\n", a.count("initialize")-strings.Count(a.read("events.txt"), " pid=")+1)
	w.stopInTime()
	a.produce(500)
	a.await(d, "each record", func() bool { return a.missing() == 0 })
	a.stop(d)
	if strings.Contains(a.read("events.txt"), "refused") {
		t.Errorf("a checkpoint was refused:\n%s", a.read("events.txt"))
	}
	t.Logf("%d records noted of %d", a.noted(), len(a.sent))
}

// shares puts records until events.txt has n lines that end so. KCL balances throughput;
// without any it moves no leases.
func (a *application) shares(end string, n int) {
	a.t.Helper()
	for deadline := time.Now().Add(patience); strings.Count(a.read("events.txt"), end) < n; a.produce(100) {
		if time.Now().After(deadline) {
			a.t.Fatalf("%q has not come %d times after %v:\n%s", end, n, patience, a.read("events.txt"))
		}
	}
}

// lastWithShims is the last commit whose worker ran a shim process per shard.
const lastWithShims = "f666d62"

// An application changes from the worker with shims to this one. Leases and checkpoints are
// kept, and no record is delivered twice.
func TestWorkerTakesOverFromShims(t *testing.T) {
	testenv.Nightly(t)
	t.Parallel()
	a := newApplication(t, 4)
	old := t.TempDir()
	archive := filepath.Join(old, "tree.tar")
	if err := exec.Command("git", "-C", shared.root, "archive", "-o", archive, lastWithShims).Run(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("there is no commit %s here: %v", lastWithShims, err)
		}
		t.Skipf("there is no commit %s here: %v", lastWithShims, err)
	}
	if out, err := exec.Command("tar", "-xf", archive, "-C", old).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	bin := filepath.Join(old, "bin")
	if err := sample.Build(context.Background(), old, bin); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{bin, shared.bin} {
		d, err := sample.StartDaemon(sample.DaemonConfig{
			Bin: dir, Dir: a.dir, Environ: sample.Environ(a.environ, dir), Properties: a.properties,
			Log: filepath.Join(a.dir, "daemon.log"), Worker: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Stop() })
		a.produce(300)
		a.awaitRecords(d)
		a.stop(d)
	}
	a.exactlyOnce()
	a.stoppedWithCheckpoints()
	if n := len(a.starts()); n != 2*4 {
		t.Errorf("%d processors, want 8", n)
	}
}
