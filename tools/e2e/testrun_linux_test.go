package e2e

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// A killed run of these tests leaves no process and no file 10 s later. For the cleanup all
// ends are the same, such as go test's time limit; the tests of testenv try each.
func TestKilledRunLeavesNothing(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	require(t)
	temp := t.TempDir()
	run := exec.Command(os.Args[0], "-test.run=^TestHang$", "-test.v")
	run.Env = append(os.Environ(), hangEnv+"=1", "TMPDIR="+temp)
	stdout, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	defer run.Process.Kill()
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && lines.Text() != hangs {
	}
	dirs, err := filepath.Glob(filepath.Join(temp, "kcl-test-*"))
	if err != nil || len(dirs) != 1 {
		t.Fatalf("the run's folder: %v, %v", dirs, err)
	}
	// The worker and Java.
	if found := testenv.RunProcesses(dirs[0]); len(found) < 2 {
		t.Errorf("the run has %d processes: %q", len(found), found)
	}
	run.Process.Kill()
	run.Wait()
	for ended := time.Now(); ; time.Sleep(20 * time.Millisecond) { // polls, because it is not a child of this process
		files, _ := os.ReadDir(temp)
		left := testenv.RunProcesses(dirs[0])
		if len(files) == 0 && len(left) == 0 {
			return
		}
		if time.Since(ended) > 10*time.Second {
			t.Fatalf("10 s after the end: processes %q, files %v", left, files)
		}
	}
}

const (
	hangEnv = "E2E_HANG"
	hangs   = "the test hangs"
)

// TestHang is killed by the other test: it hangs while a worker runs.
func TestHang(t *testing.T) {
	if os.Getenv(hangEnv) == "" {
		t.Skip("TestKilledRunLeavesNothing runs this one")
	}
	a := newApplication(t, 2)
	w := a.startWorker("worker")
	a.produce(20)
	w.awaitAll()
	os.Stdout.WriteString("\n" + hangs + "\n")
	select {}
}
