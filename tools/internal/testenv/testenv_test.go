//go:build linux

package testenv

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// playEnv makes the test binary play a run of tests; its value says how that ends.
const playEnv = "TESTENV_TEST_PLAY"

func TestMain(m *testing.M) {
	if os.Getenv(playEnv) != "" {
		endTime = 100 * time.Millisecond
	}
	os.Exit(Main(m.Run))
}

// TestPlay is the only test of the played run. It starts a process that would stay, and
// prints the run's folder.
func TestPlay(t *testing.T) {
	play := os.Getenv(playEnv)
	if play == "" {
		t.Skip("the other tests run this one")
	}
	stays := exec.Command("sleep", "300")
	stays.SysProcAttr = newSession()
	if err := stays.Start(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(os.TempDir()+"/file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	os.Stdout.WriteString(os.Getenv(runEnv) + "\n")
	if play == "ends" {
		stays.Process.Kill()
		stays.Wait()
	}
	if play == "killed" || play == "time limit" {
		select {}
	}
}

// No process and no file of a run is left, however it ends. A process that is left fails the
// run.
func TestNothingIsLeft(t *testing.T) {
	for play, status := range map[string]int{"ends": 0, "leaves": 1, "killed": -1, "time limit": 2} {
		t.Run(play, func(t *testing.T) {
			t.Parallel()
			temp := t.TempDir()
			limit := "1m"
			if play == "time limit" {
				limit = "300ms"
			}
			run := exec.Command(os.Args[0], "-test.run=^TestPlay$", "-test.timeout="+limit)
			run.Env = append(os.Environ(), playEnv+"="+play, "TMPDIR="+temp)
			stdout, err := run.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := run.Start(); err != nil {
				t.Fatal(err)
			}
			out := bufio.NewReader(stdout)
			dir, err := out.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			dir = strings.TrimSpace(dir)
			if play == "killed" {
				if got := RunProcesses(dir); len(got) != 1 {
					t.Errorf("processes %v, want one", got)
				}
				run.Process.Kill()
			}
			out.WriteTo(os.Stderr)
			run.Wait()
			ended := time.Now()
			if got := run.ProcessState.ExitCode(); got != status {
				t.Errorf("status %d, want %d", got, status)
			}
			for {
				files, _ := os.ReadDir(temp)
				left := RunProcesses(dir)
				if len(files) == 0 && len(left) == 0 {
					break
				}
				if time.Since(ended) > 10*time.Second {
					t.Fatalf("10 s after the end: processes %v, files %v", left, files)
				}
				time.Sleep(10 * time.Millisecond) // there is no event for either
			}
		})
	}
}
