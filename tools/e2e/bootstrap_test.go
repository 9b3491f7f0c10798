//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

var workerIDLine = regexp.MustCompile(`MultiLangDaemonConfig - Using workerId: (\S+)\n`)

// workerIDs returns the worker IDs of all daemons in the log.
func (a *application) workerIDs() (ids []string) {
	for _, m := range workerIDLine.FindAllStringSubmatch(a.read("daemon.log"), -1) {
		ids = append(ids, m[1])
	}
	return ids
}

// awaitLog waits until the daemon's log has the text n times.
func (a *application) awaitLog(d *sample.Daemon, text string, n int) {
	a.t.Helper()
	a.await(d, fmt.Sprintf("%q %d times in the log", text, n), func() bool {
		return strings.Count(a.read("daemon.log"), text) >= n
	})
}

// A killed daemon is started again with its worker ID and gets its leases immediately; with
// another ID it would take more than two minutes. No proxy is used for loopback addresses.
//
// Guarantee: A claim gets the first worker ID that is free: one daemon after another
// gets the same.
func TestRestartTakesItsLeasesOver(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newApplication(t, 2)
	a.environ = append(a.environ, deadProxy...)
	a.arguments = []string{"--restart", "--worker-id", "auto", "--state-dir", filepath.Join(a.dir, "state"), "--log-level", "info"}
	a.produce(100)
	d := a.start()
	a.awaitRecords(d)
	a.awaitLog(d, "holding 2 shards\n", 1)
	a.produce(100)
	begin := time.Now()
	if err := syscall.Kill(a.lastJava(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	a.awaitLog(d, "kcl-bootstrap: started ", 2)
	a.produce(100) // only the new daemon can process these
	a.awaitRecords(d)
	t.Logf("records again %.1f s after kill -9", time.Since(begin).Seconds())
	a.awaitLog(d, "kcl-bootstrap: ready: initialised, holding ", 2)
	ids := a.workerIDs()
	if len(ids) != 2 || ids[0] != ids[1] || strings.HasPrefix(ids[0], "worker-1") {
		t.Errorf("worker IDs %q, want one twice", ids)
	}
	a.stop(d)
}

// lastJava returns the process ID of the Java that was started last.
func (a *application) lastJava() int {
	a.t.Helper()
	log := a.read("daemon.log")
	_, rest, ok := strings.Cut(log[max(0, strings.LastIndex(log, "kcl-bootstrap: started ")):], "pid ")
	if !ok {
		a.t.Fatalf("no started line in %s", log)
	}
	pid, err := strconv.Atoi(rest[:strings.Index(rest, "\n")])
	if err != nil {
		a.t.Fatal(err)
	}
	return pid
}

// kcl-bootstrap is killed and Java is not. The next kcl-bootstrap starts no Java while that
// one lives, and then one with its worker ID.
//
// Guarantee: No two daemons have the worker ID of a claim at once, even if the
// process that claimed it is killed.
func TestKilledBootstrapLeavesOneDaemon(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newApplication(t, 2)
	a.environ = append(a.environ, deadProxy...)
	// The entry would end with kcl-bootstrap, even if it is paused.
	a.arguments = []string{"--stock", "--restart", "--worker-id", "auto", "--state-dir", filepath.Join(a.dir, "state")}
	a.produce(50)
	first := a.start()
	a.awaitRecords(first)
	java := first.JavaPID()
	for _, child := range childrenOf(t, java) {
		if files := openFiles(t, child); strings.Contains(files, a.dir+"/state") {
			t.Errorf("a record processor has the lock: %s", files)
		}
	}
	if files := openFiles(t, java); !strings.Contains(files, a.dir+"/state") {
		t.Errorf("Java does not have the lock: %s", files)
	}

	// Java is notified of its parent's end, but it is paused.
	if err := syscall.Kill(java, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(-java, syscall.SIGKILL)
	if err := syscall.Kill(parentOf(t, java), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	a.awaitEnd(first)
	a.produce(50)
	second := a.start()
	a.awaitLog(second, fmt.Sprintf("a kcl-bootstrap that was killed; kill it if it does not stop, pid %d\n", java), 1)
	select {
	case <-second.Started():
		t.Fatal("a second daemon was started while the first one lived")
	default:
	}
	if err := syscall.Kill(java, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	a.await(second, "the second daemon", func() bool {
		select {
		case <-second.Started():
			return true
		default:
			return false
		}
	})
	if !gone(java) {
		t.Error("the first daemon is still there")
	}
	a.produce(50) // the first one may have read the others when it continued
	a.awaitRecords(second)
	a.stop(second)
	if ids := a.workerIDs(); len(ids) != 2 || ids[0] != ids[1] {
		t.Errorf("worker IDs %q, want one twice", ids)
	}
	// The first one had no log any more, but stopped with its checkpoints.
	a.stoppedWithCheckpoints()
	a.exactlyOnce()
}

func parentOf(t *testing.T, pid int) int {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	// pid (name) state parent ...
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	parent, err := strconv.Atoi(fields[1])
	if err != nil || parent < 2 {
		t.Fatalf("parent %d of %d: %v", parent, pid, err)
	}
	return parent
}

func childrenOf(t *testing.T, pid int) (children []int) {
	t.Helper()
	names, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, _ := os.ReadFile(name) // the thread may have ended
		for _, field := range strings.Fields(string(text)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			children = append(children, child)
		}
	}
	if len(children) == 0 {
		t.Fatalf("%d has no children", pid)
	}
	return children
}

// openFiles returns the names of the files that a process has open.
func openFiles(t *testing.T, pid int) string {
	t.Helper()
	var names []string
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil || len(links) == 0 {
		t.Fatalf("process %d: %d files, %v", pid, len(links), err)
	}
	for _, link := range links {
		name, _ := os.Readlink(link)
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

// A terminal is a command in the foreground of a new terminal.
type terminal struct {
	t      *testing.T
	cmd    *exec.Cmd
	keys   *os.File
	closed chan struct{} // when no process has the terminal open

	mu   sync.Mutex
	text bytes.Buffer
}

func (a *application) terminal(variables []string, name string, args ...string) *terminal {
	a.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = a.dir, append(a.environ, variables...)
	keys, err := pty.Start(cmd)
	if err != nil {
		a.t.Fatal(err)
	}
	term := &terminal{t: a.t, cmd: cmd, keys: keys, closed: make(chan struct{})}
	go func() {
		defer close(term.closed)
		buffer := make([]byte, 4096)
		for {
			n, err := keys.Read(buffer)
			term.mu.Lock()
			term.text.Write(buffer[:n])
			term.mu.Unlock()
			if err != nil {
				return // EIO, when no process has it open
			}
		}
	}()
	a.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		keys.Close() // SIGHUP to the remaining processes
		if a.t.Failed() {
			a.t.Logf("the terminal shows:\n%s", term.shows())
		}
	})
	return term
}

func (term *terminal) shows() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	return strings.ReplaceAll(term.text.String(), "\r\n", "\n")
}

func (term *terminal) ctrlC() {
	term.t.Helper()
	if _, err := term.keys.Write([]byte{3}); err != nil {
		term.t.Fatal(err)
	}
}

// end waits until no process has the terminal open, and returns the status of the command.
func (term *terminal) end() int {
	term.t.Helper()
	select {
	case <-term.closed:
	case <-time.After(patience):
		term.t.Fatalf("something still has the terminal open")
	}
	term.cmd.Wait()
	return term.cmd.ProcessState.ExitCode()
}

// startedIn waits until a daemon has recorded 20 records and returns the process ID of
// Java.
func (a *application) startedIn(text func() string, records int) int {
	a.t.Helper()
	started := regexp.MustCompile(`kcl-bootstrap: started KCL \S+, pid (\d+)\n`)
	var java int
	a.await(nil, "a daemon", func() bool {
		m := started.FindStringSubmatch(text())
		if m != nil {
			java, _ = strconv.Atoi(m[1])
		}
		return m != nil && a.noted() >= records
	})
	a.t.Cleanup(func() { syscall.Kill(-java, syscall.SIGKILL) })
	return java
}

// wantCheckpoints checks that both shards were stopped with checkpoints, and that no
// process is left.
func (a *application) wantCheckpoints(java int, children []int) {
	a.t.Helper()
	events := a.read("events.txt")
	for _, event := range []string{"shutdownRequested", "leaseLost"} {
		if n := strings.Count(events, event); n != 2 {
			a.t.Errorf("%s %d times, want 2 (shards):\n%s", event, n, events)
		}
	}
	for _, pid := range append(children, java) {
		if !gone(pid) {
			a.t.Errorf("process %d is left", pid)
		}
	}
}

// Ctrl-C in a terminal stops the daemon with its checkpoints, ends with 0, and
// leaves no process.
//
// Guarantee: A stop lets each child end its conversation, whatever signals reach the
// terminal's process group.
func TestCtrlC(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newApplication(t, 2, childProperties)
	a.produce(20)
	term := a.terminal([]string{childEnv + "=note"}, sample.Command(shared.bin, "kcl-bootstrap"), "-e", "-p", a.properties)
	java := a.startedIn(term.shows, 20)
	children := childrenOf(t, parentOf(t, java))
	term.ctrlC()
	if status := term.end(); status != 0 || !strings.Contains(term.shows(), "kcl-bootstrap: stopped KCL 3.1.3 as asked\n") {
		t.Errorf("status %d, want 0", status)
	}
	a.wantCheckpoints(java, children)
}

// In a pipeline Ctrl-C ends tee immediately. kcl-bootstrap, whose output then has no
// reader, still stops the daemon in order.
func TestCtrlCInAPipeline(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newApplication(t, 2, childProperties)
	a.produce(20)
	term := a.terminal([]string{childEnv + "=note"}, "/bin/sh", "-c", "kcl-bootstrap -e -p '"+a.properties+"' 2>&1 | tee out.txt")
	java := a.startedIn(term.shows, 20)
	children := append(childrenOf(t, parentOf(t, java)), parentOf(t, java))
	term.ctrlC()
	term.end()
	a.await(nil, "no process of the pipeline", func() bool {
		for _, pid := range children {
			if !gone(pid) {
				return false
			}
		}
		return gone(java)
	})
	a.wantCheckpoints(java, children)
}

// A kill of the daemon reaches Java and its children, but not the pipeline around
// kcl-bootstrap.
//
// Guarantee: Nothing outside the daemon's process group is signalled.
func TestPipelineSurvivesAKill(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newApplication(t, 1, childProperties)
	a.produce(5)
	term := a.terminal([]string{childEnv + "=sleep"}, "/bin/sh", "-c",
		"kcl-bootstrap -e -p '"+a.properties+"' 2>&1 | tee out.txt; echo the pipeline has ended")
	java := a.startedIn(term.shows, 0)
	a.await(nil, "the child sleeps", func() bool { return strings.Contains(a.read("events.txt"), "sleeping") })
	bootstrap := parentOf(t, java)
	children := childrenOf(t, bootstrap)
	ended := false
	a.await(nil, "the end of the pipeline", func() bool {
		// The second one counts one second after the first.
		syscall.Kill(bootstrap, syscall.SIGTERM)
		select {
		case <-term.closed:
			ended = true
		default:
		}
		return ended
	})
	shows := term.shows()
	for _, want := range []string{
		"kcl-bootstrap: stopped KCL 3.1.3: it was killed before it had stopped (status 137)\n",
		"the pipeline has ended\n",
	} {
		if !strings.Contains(shows, want) {
			t.Errorf("the terminal does not show %q", want)
		}
	}
	for _, pid := range append(children, java) {
		if !gone(pid) {
			t.Errorf("process %d is left", pid)
		}
	}
}

// All output has a known form: a line for each entry of KCL's log, without values of
// properties; kcl-bootstrap's own lines; and once what a child writes to its standard
// error, or to its standard output besides the messages.
//
// Guarantee: What else a child prints is shown and does no harm.
func TestDaemonLog(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newApplication(t, 2, childProperties)
	a.arguments = []string{"--log-level", "info"}
	a.produce(20)
	// Also if the locale lacks the characters of a folder's name.
	folder := filepath.Join(a.dir, "größe 世")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	properties := filepath.Join(folder, "ä.properties")
	if err := os.Rename(a.properties, properties); err != nil {
		t.Fatal(err)
	}
	a.properties = properties
	// Java prints these options in a line.
	a.environ = slices.DeleteFunc(a.environ, func(v string) bool { return strings.HasPrefix(v, "JAVA_TOOL_OPTIONS=") })
	d := a.start(childEnv+"=stderr", "LC_ALL=POSIX")
	a.awaitNoted(d, 20)
	a.stop(d)
	log := a.read("daemon.log")
	for shard := range 2 {
		line := fmt.Sprintf("said on standard error by shardId-%012d\n", shard)
		if n := strings.Count(log, line); n != 1 || strings.Count(log, strings.TrimSpace(line)) != 1 {
			t.Errorf("%q %d times, want once", line, n)
		}
	}
	for _, want := range []string{
		" INFO  MultiLangDaemonConfig - Using workerId: worker-1\n",
		" INFO  Scheduler - Initialization complete. Starting worker loop.\n",
		"\npollution\n",
		"kcl-bootstrap: ready: initialised, holding ",
		"kcl-bootstrap: stopped KCL 3.1.3 as asked\n",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("no %q in the log", want)
		}
	}
	for _, not := range []string{"MessageWriter", "LineReaderTask", "MultiLangProtocol", "DrainChildSTDERRTask", "Processing (key="} {
		if strings.Contains(log, not) {
			t.Errorf("%q in the log", not)
		}
	}
	form := regexp.MustCompile(`^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\S+ (INFO |WARN |ERROR) \w+(\$\w+)? - .*|kcl-bootstrap: .*|said on standard error by .*|pollution)\n$`)
	for line := range strings.Lines(log) {
		if !form.MatchString(line) {
			t.Errorf("not of the form of the log: %q", line)
		}
	}
}
