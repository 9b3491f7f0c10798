//go:build unix

package processor_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	. "github.com/seed96110120/kinesis-client-go/processor" // processortest depends on it
	"github.com/seed96110120/kinesis-client-go/processor/processortest"
	"github.com/seed96110120/kinesis-client-go/protocol"
)

// The tests here run Main for real: they start this test binary again, as a
// child named by childEnv, and play its daemon over pipes.
const childEnv = "PROCESSOR_TEST_CHILD"

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		children[name]()
		os.Exit(99) // Main does not return
	}
	status := m.Run()
	if status == 0 {
		status = leaked()
	}
	os.Exit(status)
}

// leaked reports runs that outlive the tests. They need a moment to see that
// their pipes are closed.
func leaked() int {
	for range 200 {
		if !bytes.Contains(goroutines(), []byte("processor.(*runner)")) {
			return 0
		}
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Fprintf(os.Stderr, "goroutines are left behind:\n%s", goroutines())
	return 1
}

func goroutines() []byte {
	var text bytes.Buffer
	pprof.Lookup("goroutine").WriteTo(&text, 2)
	return text.Bytes()
}

// shortGrace has a child not wait 3 s for its method.
func shortGrace() {
	if os.Getenv("LONG_TESTS") == "" {
		SetHandlerGrace(100 * time.Millisecond)
	}
}

// forever is a method that does not care for its context.
func forever(context.Context, ProcessRecordsInput) error {
	fmt.Fprintln(os.Stderr, "working")
	select {}
}

var children = map[string]func(){
	"plain": func() { Main(funcs{}) },
	"log":   func() { MainWithOptions(funcs{}, &Options{Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}) },
	"lease": func() {
		MainWithOptions(funcs{initialize: func(_ context.Context, in InitializeInput) error {
			fmt.Fprintf(os.Stderr, "[%s] %s", in.Lease.Stream(), in.Lease.Key())
			return nil
		}}, &Options{Host: HostOptions{Stream: "another", LeaseKey: "another"}})
	},
	"pollution": func() {
		fmt.Print("before Main, without a line end")
		Main(funcs{processRecords: func(ctx context.Context, in ProcessRecordsInput) error {
			fmt.Print(`{"action":"status","responseFor":"leaseLost"}`)
			syscall.Write(1, []byte("raw\n{\"action\":\"nonsense\"}"))
			grandchild := exec.Command("sh", "-c", `echo "grandchild prints"; cat; for fd in 3 4 5 6 7 8 9; do echo leaked >&$fd; done 2>/dev/null; true`)
			grandchild.Stdin, grandchild.Stdout = os.Stdin, os.Stdout // as somebody would who knows no better
			if err := grandchild.Run(); err != nil {
				return err
			}
			return in.Checkpointer.Checkpoint(ctx)
		}})
	},
	// replaced has let go of os.Stdin and os.Stdout; were they collected, their
	// finalizers would close the descriptors.
	"replaced": func() {
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			panic(err)
		}
		os.Stdin, os.Stdout = null, null
		Main(funcs{processRecords: func(context.Context, ProcessRecordsInput) error {
			for range 3 {
				runtime.GC()
			}
			_, err := syscall.Write(1, []byte("still there\n"))
			return err
		}})
	},
	"panic": func() {
		Main(funcs{processRecords: func(context.Context, ProcessRecordsInput) error { panic("at the disco") }})
	},
	"error": func() {
		Main(funcs{processRecords: func(context.Context, ProcessRecordsInput) error { return errors.New("disk full") }})
	},
	"shutdown": func() {
		Main(funcs{processRecords: func(ctx context.Context, in ProcessRecordsInput) error { return in.Checkpointer.Checkpoint(ctx) }})
	},
	"forever": func() {
		shortGrace()
		Main(funcs{processRecords: forever})
	},
	"busy": func() {
		shortGrace()
		Main(funcs{processRecords: func(context.Context, ProcessRecordsInput) error {
			fmt.Fprintln(os.Stderr, "working")
			for i := 0; ; i++ {
			}
		}})
	},
	"signals": func() {
		own := make(chan os.Signal, 8)
		signal.Notify(own, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		Main(funcs{processRecords: func(ctx context.Context, in ProcessRecordsInput) error {
			fmt.Fprintln(os.Stderr, "working")
			<-in.Lease.Stopping()
			for range 3 {
				fmt.Fprintln(os.Stderr, "own handler:", <-own)
			}
			return in.Checkpointer.Checkpoint(ctx)
		}})
	},
	// fail fails while its checkpoint is not answered.
	"fail": func() {
		shortGrace()
		Main(funcs{processRecords: func(ctx context.Context, in ProcessRecordsInput) error {
			short, cancel := context.WithTimeout(ctx, time.Millisecond)
			defer cancel()
			if err := in.Checkpointer.Checkpoint(short); !errors.Is(err, context.DeadlineExceeded) {
				return fmt.Errorf("a checkpoint with a deadline: %w", err)
			}
			fmt.Fprintln(os.Stderr, "working")
			go func() { <-in.Lease.Stopping(); in.Lease.Fail(errors.New("disk full")) }()
			in.Checkpointer.Checkpoint(ctx)
			if ctx.Err() == nil {
				fmt.Fprintln(os.Stderr, "the lease is held")
			}
			return nil
		}})
	},
	"dead stderr": func() {
		Main(funcs{processRecords: func(ctx context.Context, in ProcessRecordsInput) error {
			for range 3 {
				if _, err := fmt.Fprintln(os.Stderr, "anybody there?"); !errors.Is(err, syscall.EPIPE) {
					return fmt.Errorf("stderr: %v", err)
				}
				if _, err := fmt.Println("or there?"); !errors.Is(err, syscall.EPIPE) {
					return fmt.Errorf("stdout: %v", err)
				}
			}
			return in.Checkpointer.Checkpoint(ctx)
		}})
	},
}

// child is a process that runs Main, and the daemon that is played to it.
type child struct {
	*processortest.Daemon
	t      *testing.T
	cmd    *exec.Cmd
	stderr *lines
	stdin  *os.File
	stdout io.Reader
	raw    *bytes.Buffer // all of standard output; read it after wait
}

func start(t *testing.T, name string, variables ...string) *child {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{t: t, cmd: exec.Command(exe), stderr: newLines(), raw: &bytes.Buffer{}}
	c.cmd.Env = append(append(os.Environ(), childEnv+"="+name), variables...)
	c.cmd.Stderr = c.stderr
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.cmd.Process.Kill(); c.cmd.Wait() })
	c.stdout = io.TeeReader(stdout, c.raw)
	c.stdin = stdin.(*os.File)
	c.Daemon = new(processortest.Shard).Connect(t, stdin, c.stdout)
	return c
}

// wait waits for the end of the child and checks its status.
func (c *child) wait(status int) {
	c.t.Helper()
	io.Copy(io.Discard, c.stdout)
	c.cmd.Wait()
	if got := c.cmd.ProcessState.ExitCode(); got != status {
		c.t.Errorf("exit status %d, want %d; stderr:\n%s", got, status, c.stderr)
	}
}

// lines is a standard error that can be waited on.
type lines struct {
	mu   sync.Mutex
	cond *sync.Cond
	text bytes.Buffer
}

func newLines() *lines {
	l := &lines{}
	l.cond = sync.NewCond(&l.mu)
	return l
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cond.Broadcast()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// await blocks until text was printed; the test's own time-out bounds it.
func (l *lines) await(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !strings.Contains(l.text.String(), text) {
		l.cond.Wait()
	}
}

func TestMainEndsWell(t *testing.T) {
	c := start(t, "plain")
	c.Do(initialize)
	c.Do(batch("1"))
	c.Do(protocol.LeaseLost{})
	c.Close()
	c.wait(0)
	if c.stderr.String() != "" {
		t.Errorf("stderr: %s; want nothing", c.stderr)
	}
}

// That the shard starts at LATEST is said, and of no other start.
func TestMainStartsAtLatest(t *testing.T) {
	for position, want := range map[string]int{protocol.Latest: 1, protocol.TrimHorizon: 0, "1": 0} {
		c := start(t, "log")
		c.Do(protocol.Initialize{ShardID: "s", Position: at(position)})
		c.Do(batch("2"))
		c.Close()
		c.wait(0)
		const text = "level=WARN msg=\"a shard without a checkpoint starts at the newest record"
		if got := c.stderr.String(); strings.Count(got, text) != want || strings.Count(got, "shardId=s") != want {
			t.Errorf("%s: stderr: %s; want %d warnings", position, got, want)
		}
	}
}

// The environment says which lease it is; Amazon's own main class does not.
//
// Guarantee: Shards of several streams that have the same ID are told apart.
func TestMainLease(t *testing.T) {
	for want, variables := range map[string][]string{
		"[] s":                  {"KCL_STREAM_NAME=", "KCL_LEASE_KEY="},
		"[orders] s":            {"KCL_STREAM_NAME=orders", "KCL_LEASE_KEY=s"},
		"[orders] 1:orders:2:s": {"KCL_STREAM_NAME=orders", "KCL_LEASE_KEY=1:orders:2:s"},
	} {
		c := start(t, "lease", variables...)
		c.Do(protocol.Initialize{ShardID: "s"})
		c.Close()
		c.wait(0)
		if got := c.stderr.String(); got != want {
			t.Errorf("%q: got %s, want %s", variables, got, want)
		}
	}
}

// What anybody prints lands on standard error, before Main, too, without harm.
//
// Guarantee: What the program or its child processes print cannot disturb the
// protocol.
func TestMainKeepsStdoutForTheProtocol(t *testing.T) {
	c := start(t, "pollution")
	c.Send(protocol.Initialize{ShardID: "s"})
	c.Expect(protocol.Status{ResponseFor: "initialize"})
	c.Send(batch("1"))
	c.Expect(protocol.Checkpoint{Position: at("1")})
	c.Send(protocol.Checkpoint{Position: at("1")})
	c.Expect(processed)
	c.Do(protocol.LeaseLost{})
	c.Close()
	c.wait(0)
	for _, text := range []string{"grandchild prints", "raw\n", "nonsense", `"responseFor":"leaseLost"}raw`} {
		if !strings.Contains(c.stderr.String(), text) {
			t.Errorf("stderr lacks %q:\n%s", text, c.stderr)
		}
	}
	if out := c.raw.String(); strings.Count(out, "leaseLost") != 1 || strings.Contains(out, "raw") || strings.Contains(out, "leaked") || !strings.HasPrefix(out, "before Main, without a line end\n") {
		t.Errorf("stdout, want only messages after what was printed before Main:\n%s", out)
	}
}

func TestMainWithReplacedStreams(t *testing.T) {
	c := start(t, "replaced")
	c.Do(initialize)
	c.Do(batch("1"))
	c.Close()
	c.wait(0)
	if c.stderr.String() != "still there\n" {
		t.Errorf("stderr: %q, want %q", c.stderr, "still there\n")
	}
}

// Guarantee: If a method fails or panics, its action is not answered, so the daemon does
// not go past records that were not processed.
//
// Guarantee: Records appear in no error and no log, with one exception: Main prints
// the value of a panic, as Go does.
func TestMainFails(t *testing.T) {
	for name, want := range map[string]string{
		"panic": "processor: shardId-000000000000: processRecords failed: panic with a value of type string\npanic: at the disco\n\ngoroutine ",
		"error": "processor: shardId-000000000000: processRecords failed: disk full\n",
	} {
		c := start(t, name)
		c.Do(initialize)
		c.Send(batch("1"))
		c.wait(1)
		if !strings.HasPrefix(c.stderr.String(), want) {
			t.Errorf("%s: stderr:\n%s\nwant it to begin with:\n%s", name, c.stderr, want)
		}
		if name == "panic" && !strings.Contains(c.stderr.String(), "main_test.go") {
			t.Errorf("no stack:\n%s", c.stderr)
		}
		if strings.Contains(c.raw.String(), "processRecords") {
			t.Errorf("%s: a status was sent", name)
		}
	}
}

// A Fail ends the process while a checkpoint waits for its answer. With one answer, that
// call reads the answer itself; without, it waits for the call before.
func TestMainFailsDuringACheckpoint(t *testing.T) {
	for _, answers := range []int{0, 1} {
		c := start(t, "fail")
		c.Do(initialize)
		c.Send(batch("1"))
		c.Expect(protocol.Checkpoint{Position: at("1")})
		c.stderr.await("working")
		if answers > 0 {
			c.Send(protocol.Checkpoint{Position: at("1")})
			c.Expect(protocol.Checkpoint{Position: at("1")})
		}
		c.cmd.Process.Signal(syscall.SIGTERM)
		c.wait(1)
		if got := c.stderr.String(); !strings.Contains(got, "disk full") || strings.Contains(got, "the lease is held") {
			t.Errorf("%d answers: stderr %q, want the failure, after the end of the lease", answers, got)
		}
	}
}

// Guarantee: If a method returns ErrLeaseLost, its action is answered, so the loss of a
// lease does not end the daemon.
func TestMainSurvivesTheLossOfTheLease(t *testing.T) {
	c := start(t, "shutdown")
	c.Do(initialize)
	c.Send(batch("1"))
	c.Expect(protocol.Checkpoint{Position: at("1")})
	c.Send(protocol.Checkpoint{Position: at("1"), Error: "ShutdownException"})
	c.Expect(processed)
	c.Do(protocol.LeaseLost{})
	c.Close()
	c.wait(0)
}

// The child of a dead daemon is gone within 5 s, whatever its method does. Only
// the long tests take these seconds.
//
// Guarantee: A child ends within 5 seconds of its daemon, whatever its processor does.
func TestMainDoesNotOutliveItsDaemon(t *testing.T) {
	for _, name := range []string{"forever", "busy"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t, name)
			c.Do(initialize)
			c.Send(batch("1"))
			c.stderr.await("working")
			begin := time.Now()
			c.Close()
			c.wait(1)
			if took := time.Since(begin); took > 5*time.Second && os.Getenv("LONG_TESTS") != "" {
				t.Errorf("it took %v, want 5s at most", took)
			}
			if !strings.Contains(c.stderr.String(), "processRecords did not return within") {
				t.Errorf("stderr, want a method that did not return:\n%s", c.stderr)
			}
		})
	}
}

// Guarantee: SIGTERM, SIGINT and SIGHUP do not end a child before its checkpoint.
func TestMainCatchesSignals(t *testing.T) {
	c := start(t, "signals")
	c.Do(initialize)
	c.Send(batch("1"))
	c.stderr.await("working")
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		c.cmd.Process.Signal(s)
		c.stderr.await("own handler: " + s.String())
	}
	c.Expect(protocol.Checkpoint{Position: at("1")})
	c.cmd.Process.Signal(syscall.SIGQUIT)
	c.stderr.await("processor.(*Checkpointer).Checkpoint")
	c.Send(protocol.Checkpoint{Position: at("1")})
	c.Expect(processed)
	c.Do(protocol.LeaseLost{})
	c.Close()
	c.wait(0)
}

// A daemon that died took the reader of our standard error with it; a method
// that prints goes on all the same.
//
// Guarantee: A child can still checkpoint when nobody reads its standard error any
// more.
func TestMainSurvivesDeadStderr(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"=dead stderr")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	d := new(processortest.Shard).Connect(t, stdin, stdout)
	d.Do(initialize)
	stderr.Close()
	d.Send(batch("1"))
	d.Expect(protocol.Checkpoint{Position: at("1")})
	d.Send(protocol.Checkpoint{Position: at("1")})
	d.Expect(processed)
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("the child ended with %v, want success", err)
	}
}

// Started by hand on a terminal: one line says what to do. The terminal here
// is a device that is one as far as Main looks.
func TestMainOnATerminal(t *testing.T) {
	tty, err := os.Open("/dev/zero")
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"=plain")
	cmd.Stdin = tty
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || bytes.Count(out, []byte("\n")) != 1 || !bytes.Contains(out, []byte("kcl-bootstrap -e -p")) {
		t.Errorf("error %v, want status 2; output, want one line that names kcl-bootstrap:\n%s", err, out)
	}
	cmd = exec.Command(exe) // the null device is none: the input ends, that is all
	cmd.Env = append(os.Environ(), childEnv+"=plain")
	if out, err := cmd.CombinedOutput(); err != nil || len(out) != 0 {
		t.Errorf("error %v, want none; output, want none:\n%s", err, out)
	}
}
