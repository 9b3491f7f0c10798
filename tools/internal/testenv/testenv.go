// Package testenv has helpers of the tools' tests: they skip tests that the machine cannot
// run, and remove the processes and files that tests leave.
package testenv

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/subprocess"
)

const (
	// runEnv is in the environment of each process of a test run. It is the folder of
	// the run's temporary files.
	runEnv = "TESTENV_RUN"
	// sweepEnv makes the test binary clean up after the run with this folder.
	sweepEnv = "TESTENV_SWEEP"
)

// endTime is how long the processes of a run may outlive its tests. A test shortens it.
var endTime = 10 * time.Second

// Main calls run, which runs a package's tests, and returns the status for [os.Exit]. It is
// for the TestMain of packages that start workers, JVMs or local services.
//
// On systems with /proc, a second process of the test binary waits for the end of the
// first, which may also be kill -9 or go test's time limit. Then it kills all processes with
// the run's environment and removes the run's temporary files. If the tests end normally
// and leave a process, the run fails.
func Main(run func() int) int {
	if dir := os.Getenv(sweepEnv); dir != "" {
		io.Copy(io.Discard, os.Stdin) // ends with the test binary
		sweep(dir)
		return 0
	}
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		return run()
	}
	dir, err := os.MkdirTemp("", "kcl-test-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	sweeper, err := startSweeper(dir)
	if err != nil {
		return fail(err)
	}
	defer sweeper.Close()
	os.Setenv(runEnv, dir)
	os.Setenv("TMPDIR", dir)
	status := run()
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) { // polls, because they may not be its children
		left := RunProcesses(dir)
		if len(left) == 0 {
			return status
		}
		if time.Since(begin) > endTime {
			return fail(fmt.Errorf("the tests left processes behind: %q", left))
		}
	}
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "testenv:", err)
	return 1
}

// startSweeper starts the process that cleans up, and returns the other end of its standard
// input, which only this process has open.
func startSweeper(dir string) (io.Closer, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	sweeper := exec.Command(exe)
	// It belongs to no run, not even to one that has started this process.
	sweeper.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, runEnv+"=") })
	sweeper.Env = append(sweeper.Env, sweepEnv+"="+dir)
	sweeper.SysProcAttr = newSession() // Ctrl-C does not reach it
	input, err := sweeper.StdinPipe()
	if err != nil {
		return nil, err
	}
	return input, sweeper.Start()
}

func sweep(dir string) {
	for range 100 { // more may start while some are killed
		left := RunProcesses(dir)
		if len(left) == 0 {
			break
		}
		for pid := range left {
			if p, err := os.FindProcess(pid); err == nil {
				p.Signal(syscall.SIGKILL)
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	os.RemoveAll(dir)
}

// RunProcesses returns the processes of the run with this folder, as [subprocess.Processes]
// does.
func RunProcesses(dir string) map[int]string { return subprocess.Processes(runEnv + "=" + dir) }
