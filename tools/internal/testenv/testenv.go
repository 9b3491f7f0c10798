// Package testenv is what the tests of the tools share: which of them run on
// this machine, and that none leaves a process or a file behind.
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
	// runEnv is in the environment of every process of a test run: the folder of
	// its temporary files, which no other run has.
	runEnv = "TESTENV_RUN"
	// sweepEnv, also a run's folder, has the test binary sweep up after that run.
	sweepEnv = "TESTENV_SWEEP"
)

// endTime is how long the processes of a run may take to end by themselves once
// its tests have ended. A test shortens it.
var endTime = 10 * time.Second

// Main calls run, which runs the tests of a package that starts workers, JVMs or
// local services, and returns the status for [os.Exit]. TestMain calls it.
//
// Where there is a /proc, a second process of the test binary waits for the end
// of the first, by kill -9 or go test's time limit as well. It then kills
// every process that inherited the run's environment and removes the run's
// temporary files. A process that is left after tests which ended by themselves
// fails the run.
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
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) { // no event tells of another's child
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

// startSweeper starts the process that outlives this one, and returns the other
// end of its standard input, which only this one has.
func startSweeper(dir string) (io.Closer, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	sweeper := exec.Command(exe)
	// It is of no run, not even of one that has started this one.
	sweeper.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, runEnv+"=") })
	sweeper.Env = append(sweeper.Env, sweepEnv+"="+dir)
	sweeper.SysProcAttr = newSession() // a Ctrl-C is not for it
	input, err := sweeper.StdinPipe()
	if err != nil {
		return nil, err
	}
	return input, sweeper.Start()
}

func sweep(dir string) {
	for range 100 { // others start while some are killed
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

// RunProcesses returns the processes that the run with this folder has started,
// as [subprocess.Processes] does.
func RunProcesses(dir string) map[int]string { return subprocess.Processes(runEnv + "=" + dir) }
