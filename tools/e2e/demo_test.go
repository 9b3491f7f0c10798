//go:build unix

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/subprocess"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// buildDemo builds the demo, once.
var buildDemo = sync.OnceValues(func() (string, error) {
	demo := sample.Command(shared.bin, "demo")
	cmd := exec.Command("go", "build", "-o", demo, "./tools/cmd/demo")
	cmd.Dir = shared.root
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return demo, nil
})

// demo returns a command that runs the demo, with its own folder for temporary files, whose
// name has a space.
func demo(t *testing.T, args ...string) (cmd *exec.Cmd, temp string) {
	t.Helper()
	require(t)
	path, err := buildDemo()
	if err != nil {
		t.Fatal(err)
	}
	temp = filepath.Join(t.TempDir(), "with a space")
	if err := os.Mkdir(temp, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(path, args...)
	cmd.Dir = shared.root
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	return cmd, temp
}

var lastLine = regexp.MustCompile(`\Ademo: sent=(\d+) received=(\d+) missing=0 duplicates=\d+ shards=(\d+) first_record_s=\d+\.\d total_s=\d+\.\d\n\z`)

// The records in the shard files are the lines of the file.
func TestDemoOfAFile(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	for name, args := range map[string][]string{"children": nil, "worker": {"--worker"}} {
		t.Run(name, func(t *testing.T) {
			if name == "children" {
				testenv.Nightly(t) // TestREADMECommands runs the demo with children
			}
			t.Parallel()
			demoOfAFile(t, args...)
		})
	}
}

func demoOfAFile(t *testing.T, args ...string) {
	require(t)
	text, err := os.ReadFile(filepath.Join(shared.root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	// Add what a README does not have: invalid UTF-8, a carriage return, and no newline at
	// the end.
	text = append(text, "\xff\xfe\x00\r\nlast"...)
	file, dir := filepath.Join(t.TempDir(), "lines"), filepath.Join(t.TempDir(), "out put")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	want := strings.Split(string(text), "\n")

	cmd, temp := demo(t, append(args, "--file", file, "--dir", dir, "--shards", "3")...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	m := lastLine.FindStringSubmatch(stdout.String())
	if n := fmt.Sprint(len(want)); m == nil || m[1] != n || m[2] != n || m[3] != "3" {
		t.Errorf("%d lines, and standard output: %s", len(want), &stdout)
	}
	files := sample.NewShardFiles(filepath.Join(dir, "data"))
	if err := files.Read(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, data := range files.Records {
		got = append(got, data)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d lines came, %d were sent, and they differ", len(got), len(want))
	}
	if left, _ := os.ReadDir(temp); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// The README's quick start works on a machine with only git and Go, where nothing was
// fetched yet.
func TestDemoWithoutJava(t *testing.T) {
	testenv.Nightly(t)
	require(t)
	path, cache := t.TempDir(), t.TempDir()
	for _, name := range []string{"git", "go"} {
		command, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(command, filepath.Join(path, name)); err != nil {
			t.Fatal(err)
		}
	}
	built, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{nil, {"--worker"}} {
		cmd, _ := demo(t, append(args, "--records", "500")...)
		// Clear the variables of this process that name another Java.
		cmd.Env = append(cmd.Env, "PATH="+path, "JAVA_HOME=", "XDG_CACHE_HOME="+cache, "GOCACHE="+strings.TrimSpace(string(built)))
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v\n%s", err, &stderr)
		}
		if m := lastLine.FindStringSubmatch(stdout.String()); m == nil || m[1] != "500" || m[2] != "500" {
			t.Errorf("%q: %s", args, &stdout)
		}
		if fetched := strings.Contains(stderr.String(), "kcl-bootstrap: fetching Java "); fetched != (args == nil) {
			t.Errorf("%q: Java is fetched once: %v\n%s", args, fetched, &stderr)
		}
	}
}

// Ctrl-C at any time leaves no process and no file.
func TestDemoInterrupted(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	for _, tc := range []struct {
		step    string
		args    []string
		nightly bool // a moment between two others
	}{
		{step: "building the commands"},
		{step: "starting the local Kinesis", nightly: true},
		{step: "putting 20 records", nightly: true},
		{step: "running the consumer"},
		{step: "running the consumer", args: []string{"--worker"}, nightly: true},
		{step: "stopping the daemon", nightly: true},
		{step: "stopping the daemon", args: []string{"--worker"}},
	} {
		step := tc.step
		t.Run(step+strings.Join(tc.args, ""), func(t *testing.T) {
			if tc.nightly {
				testenv.Nightly(t)
			}
			t.Parallel()
			cmd, temp := demo(t, append(tc.args, "--records", "20")...)
			mark := "E2E_DEMO_MARK=" + filepath.Base(filepath.Dir(temp)) + t.Name()
			cmd.Env = append(cmd.Env, mark)
			// Like a terminal, to the whole foreground group.
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			var stdout, stderr bytes.Buffer
			cmd.Stdout = &stdout
			cmd.Stderr = writerFunc(func(p []byte) (int, error) {
				if bytes.Contains(p, []byte(step)) {
					syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
				}
				return stderr.Write(p)
			})
			begin := time.Now()
			err := cmd.Run()
			if took := time.Since(begin); took > patience {
				t.Errorf("it took %v", took)
			}
			interrupted := cmd.ProcessState.ExitCode() == 1 && strings.Contains(stderr.String(), "demo: interrupted")
			// By then all records may have been received, and the demo ends with status 0.
			late := step == "stopping the daemon"
			if !interrupted && !(late && err == nil && lastLine.Match(stdout.Bytes())) {
				t.Errorf("%v\n%s%s", err, &stderr, &stdout)
			}
			if left := subprocess.Processes(mark); len(left) > 0 {
				t.Errorf("processes are left behind: %q", left)
			}
			if left, _ := os.ReadDir(temp); len(left) > 0 {
				t.Errorf("files are left behind: %v", left)
			}
		})
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
