//go:build unix

package subprocess

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary plays the parent that is killed.
const parentEnv = "SUBPROCESS_TEST_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(parentEnv) != "" {
		os.Exit(parent())
	}
	os.Exit(m.Run())
}

func parent() int {
	cmd := exec.Command("/bin/sh", "-c", "echo $$; sleep 300 & wait")
	cmd.Stdout = os.Stdout
	p, err := Start(cmd)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	<-p.Done()
	return 0
}

func TestKilledParentTakesItsChildAlong(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), parentEnv+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	line, err := r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if _, err := strconv.Atoi(strings.TrimSpace(line)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// The shell and its sleep have the pipe open; it ends when both have ended.
	ended := make(chan error, 1)
	go func() { _, err := io.Copy(io.Discard, r); ended <- err }()
	select {
	case err := <-ended:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the child of a killed parent is still there")
	}
	_ = cmd.Wait()
}

func start(t *testing.T, script string) (*Process, *bufio.Reader) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", script)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	cmd.Stdout = w
	p, err := Start(cmd)
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop(0) })
	return p, bufio.NewReader(r)
}

func TestStop(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		signal syscall.Signal // 0: an exit status
		status int
	}{
		"ends when asked":       {script: "trap 'exit 7' TERM; echo up; while :; do sleep 0.01; done", status: 7},
		"does not heed SIGTERM": {script: "trap '' TERM; echo up; while :; do sleep 0.01; done", signal: syscall.SIGKILL},
		"the default":           {script: "echo up; exec sleep 300", signal: syscall.SIGTERM},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, out := start(t, c.script)
			if line, err := out.ReadString('\n'); err != nil {
				t.Fatal(line, err)
			}
			grace := 200 * time.Millisecond
			if c.signal == 0 {
				grace = 10 * time.Second
			}
			p.Stop(grace)
			p.Stop(grace) // the second call is a no-op
			var exit *exec.ExitError
			if !errors.As(p.Err(), &exit) {
				t.Fatalf("ended with %v", p.Err())
			}
			ws := exit.Sys().(syscall.WaitStatus)
			if c.signal != 0 && ws.Signal() != c.signal || c.signal == 0 && p.ExitCode() != c.status {
				t.Fatalf("ended with %v", exit)
			}
			if rest, err := io.ReadAll(out); err != nil || len(rest) > 0 { // nobody holds the pipe
				t.Fatal(rest, err)
			}
		})
	}
}

func TestExitCode(t *testing.T) {
	p, _ := start(t, "exit 3")
	<-p.Done()
	if p.ExitCode() != 3 {
		t.Fatalf("status %d, error %v; want status 3", p.ExitCode(), p.Err())
	}
	p.Stop(time.Minute) // returns at once
}

func TestStartFails(t *testing.T) {
	if _, err := Start(exec.Command("/no/such/program")); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("error %v, want %v", err, os.ErrNotExist)
	}
}
