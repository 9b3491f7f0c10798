//go:build unix

package bootstrap

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A transcript collects lines, and tells when one with a given start comes.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
	news chan struct{}
}

func newTranscript() *transcript { return &transcript{news: make(chan struct{}, 1)} }

func (tr *transcript) Write(p []byte) (int, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	select {
	case tr.news <- struct{}{}:
	default:
	}
	return tr.text.Write(p)
}

func (tr *transcript) String() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.text.String()
}

// after waits for a whole line with this start and returns its rest.
func (tr *transcript) after(t *testing.T, start string) string {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		for line := range strings.Lines(tr.String()) {
			if rest, ok := strings.CutPrefix(line, start); ok && strings.HasSuffix(rest, "\n") {
				return strings.TrimSpace(rest)
			}
		}
		select {
		case <-tr.news:
		case <-timeout:
			t.Fatalf("no line %q in: %s", start, tr)
		}
	}
}

func (tr *transcript) pid(t *testing.T, start string) int {
	t.Helper()
	pid, err := strconv.Atoi(tr.after(t, start))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// runArgs runs a command of which only the status is known.
func runArgs(ctx context.Context, args []string, options RunOptions) error {
	return process{args: args, options: options}.run(ctx)
}

func role(name string) []string { return append(os.Environ(), roleVariable+"="+name) }

// gone tells whether a process has ended; a zombie that its parent has not
// collected has.
func gone(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && bytes.Contains(stat, []byte(") Z "))
}

func TestRunStatus(t *testing.T) {
	for _, tt := range []struct {
		role, arg string
		want      int
		text      string
	}{
		{"exit", "0", 0, "it ended though nobody had asked it to (status 0): its last lines say why"},
		{"exit", "7", 7, "it ended with status 7: its last lines say why"},
		{"exit", "143", 143, "it ended with status 143"},
		{"crash", "", 137, "it ended with status 137"},
	} {
		t.Run(tt.role+tt.arg, func(t *testing.T) {
			t.Parallel()
			err := runArgs(t.Context(), []string{os.Args[0], tt.arg}, RunOptions{Env: role(tt.role), Output: io.Discard})
			var exit *ExitError
			if !errors.As(err, &exit) || exit.Code != tt.want || exit.Killed || !strings.HasPrefix(err.Error(), tt.text) {
				t.Errorf("%v, want status %d", err, tt.want)
			}
			if got := errors.Is(err, ErrNotAsked); got != (tt.want == 0) {
				t.Errorf("errors.Is(err, ErrNotAsked) = %t", got)
			}
		})
	}
}

func TestRunStreams(t *testing.T) {
	out := newTranscript()
	err := runArgs(t.Context(), []string{os.Args[0]}, RunOptions{Env: role("streams"), Output: out})
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 3 {
		t.Errorf("%v, want status 3", err)
	}
	if got := out.String(); got != "input \"\" <nil>\nerror line\n" {
		t.Errorf("output %q", got)
	}
}

func TestRunDoesNotStart(t *testing.T) {
	if err := runArgs(t.Context(), []string{"/nowhere/java"}, RunOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such file: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("why")
	cancel(why)
	started := func(int) { t.Error("started") }
	if err := runArgs(ctx, []string{os.Args[0], "0"}, RunOptions{Env: role("exit"), Started: started}); err != why {
		t.Errorf("%v, want the cause", err)
	}
}

func TestRunStops(t *testing.T) {
	out := newTranscript()
	ctx, cancel := context.WithCancel(t.Context())
	var pid int
	go func() { out.after(t, "ready "); cancel() }()
	err := runArgs(ctx, []string{os.Args[0]}, RunOptions{Env: role("stoppable"), Output: out, Started: func(p int) { pid = p }})
	if err != nil {
		t.Errorf("%v, want nil", err)
	}
	if got := out.after(t, "signals "); got != "1" {
		t.Errorf("%s times SIGTERM, want one", got)
	}
	if got := out.pid(t, "ready "); got != pid {
		t.Errorf("Started got pid %d, want %d", pid, got)
	}
}

func TestRunKills(t *testing.T) {
	out := newTranscript()
	ctx, cancel := context.WithCancel(t.Context())
	kill := make(chan struct{})
	go func() { out.after(t, "ready "); cancel(); close(kill) }()
	err := runArgs(ctx, []string{os.Args[0]}, RunOptions{Env: role("unstoppable"), Output: out, Kill: kill})
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 137 || !exit.Killed {
		t.Errorf("%v, want that it was killed", err)
	}
}

func TestRunOrphanEndsOnEOF(t *testing.T) {
	out := newTranscript()
	var log bytes.Buffer
	err := runArgs(t.Context(), []string{os.Args[0], "ends on EOF"},
		RunOptions{Env: role("parent"), Output: out, Log: slog.New(slog.NewTextHandler(&log, nil))})
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 5 {
		t.Errorf("%v, want status 5", err)
	}
	if !gone(out.pid(t, "child ready ")) {
		t.Error("the child is still there")
	}
	if !strings.Contains(out.String(), "saw EOF") || strings.Contains(log.String(), "killing") {
		t.Errorf("the child was not left to end by itself: %s\n%s", out, &log)
	}
}

func TestRunOrphanIsKilled(t *testing.T) {
	out := newTranscript()
	var log bytes.Buffer
	err := runArgs(t.Context(), []string{os.Args[0], "unstoppable"}, RunOptions{
		Env: role("parent"), Output: out, OrphanGrace: 50 * time.Millisecond, Log: slog.New(slog.NewTextHandler(&log, nil))})
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 5 {
		t.Errorf("%v, want status 5", err)
	}
	if !gone(out.pid(t, "child ready ")) {
		t.Error("the child is still there")
	}
	if !strings.Contains(log.String(), "killing") {
		t.Errorf("not in the log: %s", &log)
	}
}

// supervise is a process that uses Run, and that a test kills.
func supervise() {
	err := runArgs(context.Background(), []string{os.Args[0]}, RunOptions{Env: role("stoppable"), Output: os.Stdout})
	fmt.Println("supervisor ended", err)
}

// On Linux the command stops when the process that runs it is killed.
func TestRunSurvivesNotItsParent(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells a process that its parent has gone")
	}
	supervisor := exec.Command(os.Args[0])
	supervisor.Env = role("supervisor")
	stdout, err := supervisor.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := supervisor.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "ready ") {
		t.Fatalf("%q, %v", lines.Text(), lines.Err())
	}
	supervisor.Process.Kill()
	// Linux sends one for each thread of the parent that was its parent for a
	// moment; Java takes no notice of a second one.
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "signals ") {
		t.Errorf("%q, %v, want that it was asked to stop", lines.Text(), lines.Err())
	}
	if lines.Scan() {
		t.Errorf("more output: %q", lines.Text())
	}
	supervisor.Wait()
}
