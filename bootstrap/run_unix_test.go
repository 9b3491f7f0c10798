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
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap/internal/javaproperties"
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
	timeout := time.After(time.Minute)
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
func runArgs(ctx context.Context, args []string, options *RunOptions) error {
	return process{args: args, options: options.withDefaults()}.run(ctx)
}

func role(name string) []string { return append(os.Environ(), roleVariable+"="+name) }

// gone reports whether a process has ended; a zombie that its parent has not
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
		{"exit", "0", 0, "it ended without being asked to (status 0): its last lines say why"},
		{"exit", "7", 7, "it ended with status 7: its last lines say why"},
		{"exit", "143", 143, "it ended with status 143"},
		{"crash", "", 137, "it ended with status 137"},
	} {
		t.Run(tt.role+tt.arg, func(t *testing.T) {
			t.Parallel()
			err := runArgs(t.Context(), []string{os.Args[0], tt.arg}, &RunOptions{Env: role(tt.role), Output: io.Discard})
			var exit *ExitError
			if !errors.As(err, &exit) || exit.Code != tt.want || exit.Killed || !strings.HasPrefix(err.Error(), tt.text) {
				t.Errorf("%v, want status %d", err, tt.want)
			}
			if got := errors.Is(err, ErrUnexpectedExit); got != (tt.want == 0) {
				t.Errorf("errors.Is(err, ErrUnexpectedExit) = %t", got)
			}
		})
	}
}

func TestRunStreams(t *testing.T) {
	out := newTranscript()
	err := runArgs(t.Context(), []string{os.Args[0]}, &RunOptions{Env: role("streams"), Output: out})
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 3 {
		t.Errorf("%v, want status 3", err)
	}
	if got := out.String(); got != "input \"\" <nil>\nerror line\n" {
		t.Errorf("output %q", got)
	}
}

func TestRunDoesNotStart(t *testing.T) {
	if err := runArgs(t.Context(), []string{"/nowhere/java"}, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such file: error %v, want %v", err, fs.ErrNotExist)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("why")
	cancel(why)
	started := func(int) { t.Error("started") }
	if err := runArgs(ctx, []string{os.Args[0], "0"}, &RunOptions{Env: role("exit"), Started: started}); err != why {
		t.Errorf("%v, want the cause", err)
	}
}

// Guarantee: The daemon gets one SIGTERM when ctx ends.
func TestRunStops(t *testing.T) {
	out := newTranscript()
	ctx, cancel := context.WithCancel(t.Context())
	var pid int
	go func() { out.after(t, "ready "); cancel() }()
	err := runArgs(ctx, []string{os.Args[0]}, &RunOptions{Env: role("stoppable"), Output: out, Started: func(p int) { pid = p }})
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
	err := runArgs(ctx, []string{os.Args[0]}, &RunOptions{Env: role("unstoppable"), Output: out, Kill: kill})
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 137 || !exit.Killed {
		t.Errorf("%v, want that it was killed", err)
	}
}

// The exit status says whether a stop was complete.
//
// Guarantee: Run returns nil only if ctx has ended and Java's status is 0, 143 or 130.
func TestRunKnowsTheEnd(t *testing.T) {
	for status, want := range map[string]string{
		"143": "",
		"130": "",
		"0":   "",
		"1":   "it was asked to stop and did not complete it (status 1): its last lines say why",
	} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			out := newTranscript()
			ctx, cancel := context.WithCancel(t.Context())
			go func() { out.after(t, "ready "); cancel() }()
			err := runArgs(ctx, []string{os.Args[0], status}, &RunOptions{Env: role("stoppable"), Output: out})
			if got := fmt.Sprint(err); got != want && (err != nil || want != "") {
				t.Errorf("%v, want %q", err, want)
			}
		})
	}
}

func TestRunStopTimeout(t *testing.T) {
	out := newTranscript()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { out.after(t, "ready "); cancel() }()
	err := runArgs(ctx, []string{os.Args[0]}, &RunOptions{Env: role("unstoppable"), Output: out, StopTimeout: 50 * time.Millisecond})
	want := ExitError{Code: 137, Stopping: true, Reason: "it was killed after 50ms"}
	var exit *ExitError
	if !errors.As(err, &exit) || *exit != want {
		t.Errorf("%#v, want %#v", err, want)
	}
}

// A run has files of its own, which say what the file and the options say, and
// which are gone afterwards.
func TestCommandRun(t *testing.T) {
	dir, temp := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", temp)
	t.Setenv("LC_ALL", "POSIX")
	text := "streamName = orders\nworkerId = old\nlast = one\\"
	properties := filepath.Join(dir, "p.properties")
	if err := os.WriteFile(properties, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := ReadProperties(properties)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"workerId": "naïve 世 𝄞", "=:#! \n": "\\ = ", "last": ""} {
		p.Set(name, value)
	}
	out := newTranscript()
	command := Command{
		Java: os.Args[0], Jars: []string{"/a.jar"}, Properties: p,
		JavaOptions: []string{"-Xmx1g"}, ClassPath: []string{"/more"},
	}
	env := append(role("shows"), "http_proxy=", "HTTP_PROXY=", "HTTPS_PROXY=user:secret@proxy", "NO_PROXY=.corp")
	err = command.Run(t.Context(), &RunOptions{Env: env, Output: out})
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 9 || exit.Proxy != "http://proxy of HTTPS_PROXY" {
		t.Fatalf("%v, want status 9 and the proxy", err)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	got := out.String()
	for _, want := range []string{
		"arg -Dfile.encoding=UTF-8\n", "arg -Xmx1g\narg -cp\narg /a.jar:" + dir + ":/more\n",
		"\narg --log-configuration\narg " + temp + "/", string(logConfigurationFor(slog.LevelInfo)),
		"http_proxy http://user:secret@proxy:80\n", "no_proxy .corp,localhost,127.*,*.corp\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if want := "LC_CTYPE C.UTF-8\n"; runtime.GOOS == "linux" && !strings.Contains(got, want) {
		t.Errorf("no %q in\n%s", want, got)
	}
	_, given, _ := strings.Cut(got, "run.properties\n")
	given, _, _ = strings.Cut(given, "arg --log-configuration")
	list, err := javaproperties.Parse([]byte(given))
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[string]string)
	for _, p := range list {
		values[p.Key] = p.Value
	}
	want := map[string]string{"streamName": "orders", "workerId": "naïve 世 𝄞", "=:#! \n": "\\ = ", "last": ""}
	if !maps.Equal(values, want) {
		t.Errorf("the daemon's properties are %q, want %q", values, want)
	}
	if read, err := os.ReadFile(properties); err != nil || string(read) != text {
		t.Errorf("the file is now %q, %v", read, err)
	}
	if args, err := command.Args(); err == nil {
		t.Errorf("Args with properties that were set: %q", args)
	}
}

// An entry's run has its files in the folder that it is given, and a standard
// input.
func TestCommandRunEntry(t *testing.T) {
	dir, stdin := t.TempDir(), filepath.Join(t.TempDir(), "stdin")
	for file, text := range map[string]string{filepath.Join(dir, "p"): "a = b\n", stdin: "what it reads"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	in, err := os.Open(stdin)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	properties, err := ReadProperties(filepath.Join(dir, "p"))
	if err != nil {
		t.Fatal(err)
	}
	properties.Set("c", "d")
	out := newTranscript()
	var given string
	err = Command{
		Java: os.Args[0], Jars: []string{"/a.jar"}, Properties: properties,
		Entry: &Entry{Class: "Main", Jar: "/e.jar", Dir: dir, Args: func(properties string) []string { given = properties; return nil }},
	}.Run(t.Context(), &RunOptions{Env: role("streams"), Output: out, Stdin: in})
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 3 {
		t.Errorf("%v, want status 3", err)
	}
	if got := out.String(); got != "input \"what it reads\" <nil>\nerror line\n" {
		t.Errorf("output %q", got)
	}
	if text, err := os.ReadFile(given); err != nil || filepath.Dir(given) != dir || !strings.HasSuffix(string(text), "\nc=d\n") {
		t.Errorf("properties %s, %q, %v", given, text, err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 2 {
		t.Errorf("the folder has %q, %v, want the properties alone", left, err)
	}
}

// The default limit of a stop follows the daemon's own.
func TestShutdownGrace(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"":                             0,
		"shutdownGraceMillis = 10000 ": 10 * time.Second,
		"shutdownGraceMillis = -1":     0,
		"shutdownGraceMillis = x":      0,
	} {
		p := readProperties(t, text)
		if got := p.shutdownGrace(); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
		p.Set("shutdownGraceMillis", "70")
		if got := p.shutdownGrace(); got != 70*time.Millisecond {
			t.Errorf("%q overridden: %v, want 70ms", text, got)
		}
	}
}

// Java opens all jars, and says of too few files only that a JNI error has occurred.
func TestRunNeedsFiles(t *testing.T) {
	for limit, refused := range map[string]bool{"64": true, "127": true, "128": false, "1024": false} {
		cmd := exec.Command("sh", "-c", `ulimit -n "$0" && exec "$@"`, limit, os.Args[0], "78")
		cmd.Env, cmd.Dir = role("files"), t.TempDir()
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatal(err, string(out))
		}
		want := "this process may open " + limit + " files, but Java needs 128 to start"
		if got := strings.Contains(string(out), want); got != refused {
			t.Errorf("ulimit -n %s: %s", limit, out)
		}
	}
}

func TestRunOrphanEndsOnEOF(t *testing.T) {
	out := newTranscript()
	var log bytes.Buffer
	err := runArgs(t.Context(), []string{os.Args[0], "ends on EOF"},
		&RunOptions{Env: role("parent"), Output: out, Logger: slog.New(slog.NewTextHandler(&log, nil))})
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

// Guarantee: No process of the group is left when Run returns, however it ended, or
// the error is ErrSurvivors.
func TestRunOrphanIsKilled(t *testing.T) {
	out := newTranscript()
	var log bytes.Buffer
	err := runArgs(t.Context(), []string{os.Args[0], "unstoppable"}, &RunOptions{
		Env: role("parent"), Output: out, OrphanGrace: 50 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
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
	err := runArgs(context.Background(), []string{os.Args[0]}, &RunOptions{Env: role("stoppable"), Output: os.Stdout})
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
