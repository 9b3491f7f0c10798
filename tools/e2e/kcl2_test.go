//go:build unix

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/internal/subprocess"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// Amazon's daemon of KCL 2.5.4, with all of Maven's jars, works with the local services: it
// delivers records, checkpoints them at a stop, and the next daemon continues from there.
func TestDaemonOfKCL2(t *testing.T) {
	testenv.Nightly(t)
	t.Parallel()
	a := newApplication(t, 2, stack.Setting{Name: "AWSCredentialsProvider", Value: "EnvironmentVariableCredentialsProvider"})
	lock, err := filepath.Abs(filepath.Join("testdata", "kcl-2.5.4-full.lock"))
	if err != nil {
		t.Fatal(err)
	}
	command := a.run("kcl-bootstrap", "-p", a.properties, "--lock", lock)
	for _, part := range []string{"amazon-kinesis-client-2.5.4.jar", "schema-registry-common-", "software.amazon.kinesis.multilang.MultiLangDaemon"} {
		if !strings.Contains(command, part) {
			t.Fatalf("the command has no %s: %s", part, command)
		}
	}
	log, err := os.Create(filepath.Join(a.dir, "daemon.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	t.Cleanup(func() {
		if text := a.read("daemon.log"); t.Failed() {
			t.Logf("the daemon's log ends:\n%s", text[max(0, len(text)-8000):])
		}
	})
	for range 2 {
		a.produce(100)
		cmd := exec.Command("sh", "-c", "exec "+command)
		cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = a.dir, a.environ, log, log
		daemon, err := subprocess.Start(cmd)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { daemon.Stop(time.Second) })
		a.awaitRecords(nil)
		daemon.Stop(patience)
		if code := daemon.ExitCode(); code != 128+15 { // Java's status after SIGTERM
			t.Errorf("it ended with status %d", code)
		}
	}
	a.exactlyOnce()
	a.stoppedWithCheckpoints()
}
