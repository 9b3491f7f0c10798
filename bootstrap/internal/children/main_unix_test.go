//go:build unix

package children

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap/engine"
	"github.com/seed96110120/kinesis-client-go/bootstrap/internal/lifeline"
)

// The children are this binary with the name of a role as its argument.
func TestMain(m *testing.M) {
	lifeline.Tie()
	if len(os.Args) > 1 {
		if role := roles[os.Args[1]]; role != nil {
			in := bufio.NewReaderSize(os.Stdin, 1<<20)
			fmt.Fprintln(os.Stderr, "pid", os.Getpid())
			role(func() string {
				line, err := in.ReadString('\n')
				if err != nil {
					fmt.Fprintln(os.Stderr, "end of input")
					os.Exit(0)
				}
				return line
			})
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

const status = `{"action":"status","responseFor":"x"}`

// roles are called with a function that returns the next message, and ends the process
// at the end of the input.
var roles = map[string]func(next func() string){
	// answers each message with its length.
	"answers": func(next func() string) {
		for {
			line := next()
			fmt.Printf("\n{\"action\":\"status\",\"length\":%d}\n", len(line))
		}
	},
	"shows": func(next func() string) {
		for _, name := range []string{"KCL_STREAM_NAME", "KCL_LEASE_KEY", "KCL_STREAM_ARN"} {
			fmt.Fprintln(os.Stderr, name, os.Getenv(name))
		}
		fmt.Fprintln(os.Stderr, "args", os.Args[2:])
		fmt.Println("printed")
		fmt.Print("\r\n{\"action\":\"initialize\"}\r\n")
		fmt.Println(strings.Repeat("x", 14<<20))
		next()
		fmt.Println(`{"action":"checkpoint","sequenceNumber":"1"}`)
		next()
		fmt.Println(status)
		fmt.Fprint(os.Stderr, "no line end")
		next()
		fmt.Println(status)
		next()
	},
	"exits":        func(next func() string) { next(); os.Exit(3) },
	"exits unread": func(func() string) { os.Exit(4) },
	"leaves":       func(next func() string) { next(); fmt.Println(status) },
	"is killed":    func(next func() string) { next(); syscall.Kill(os.Getpid(), syscall.SIGKILL); select {} },
	"is silent":    func(next func() string) { next(); select {} },
	"is late": func(next func() string) {
		next()
		fmt.Println(status)
		next()
		select {}
	},
	"freezes":           func(next func() string) { next(); fmt.Println(status); select {} },
	"closes its output": func(next func() string) { next(); os.Stdout.Close(); select {} },
	"closes its input":  func(func() string) { os.Stdin.Close(); select {} },
	"stays": func(next func() string) {
		signal.Ignore(syscall.SIGTERM)
		for range 2 {
			next()
			fmt.Println(status)
		}
		select {}
	},
	// has a process that holds its pipes, and fails; the other one is of another
	// group.
	"has a child":         func(next func() string) { grandchild(false); next(); os.Exit(3) },
	"has a lost child":    func(next func() string) { grandchild(true); next(); os.Exit(3) },
	"is somebody's child": func(func() string) { time.Sleep(time.Hour) },
	"is noisy": func(next func() string) {
		next()
		for range 200 {
			fmt.Fprintln(os.Stderr, strings.Repeat("noise ", 2000))
		}
		fmt.Println(status)
		next()
		fmt.Println(status)
	},
}

func grandchild(lost bool) {
	cmd := exec.Command(os.Args[0], "is somebody's child")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: lost}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	fmt.Fprintln(os.Stderr, "grandchild", cmd.Process.Pid)
}

// A rig is a host whose Java is played by the test.
type rig struct {
	*host
	t       *testing.T
	stop    context.CancelFunc
	kill    chan struct{}
	gone    chan struct{}
	stderr  *text
	resumed chan string
}

func newRig(t *testing.T, role string, timeout time.Duration) *rig {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, kill: make(chan struct{}), gone: make(chan struct{}), stderr: newText(), resumed: make(chan string, 9)}
	ctx, cancel := context.WithCancel(t.Context())
	r.stop = cancel
	r.host = newHost(ctx, Config{Program: []string{self, role, "a"}, Timeout: timeout, Stderr: r.stderr}, r.kill)
	r.exitTime, r.host.javaEnded = 100*time.Millisecond, r.gone
	r.resume = func(key string) { r.resumed <- key }
	return r
}

// A java is Java's side of a conversation.
type java struct {
	net.Conn
	id     int64
	t      *testing.T
	lines  *bufio.Reader
	failed chan struct{}
	served chan error
}

var ids = struct {
	sync.Mutex
	last int64
}{}

// lease begins a conversation.
func (r *rig) lease(key string) *java {
	r.t.Helper()
	syscall.ForkLock.RLock() // no child of another test is to have them
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(pair[0])
		syscall.CloseOnExec(pair[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		r.t.Fatal(err)
	}
	ends := make([]net.Conn, 2)
	for i, fd := range pair {
		file := os.NewFile(uintptr(fd), "socket")
		if ends[i], err = net.FileConn(file); err != nil {
			r.t.Fatal(err)
		}
		file.Close()
	}
	ours, theirs := ends[0], ends[1]
	j := &java{Conn: theirs, t: r.t, lines: bufio.NewReader(theirs), failed: make(chan struct{}), served: make(chan error, 1)}
	ids.Lock()
	ids.last++
	j.id = ids.last
	lease := &engine.Lease{ID: j.id, LeaseKey: key, ShardID: "shard", Stream: "orders", StreamARN: "arn"}
	ids.Unlock()
	r.t.Cleanup(func() { theirs.Close() })
	go func() {
		j.served <- r.serve(lease, &served{Conn: ours, failed: j.failed})
		ours.Close()
	}()
	return j
}

type served struct {
	net.Conn
	failed chan struct{}
}

func (s *served) Fail() { close(s.failed); s.Close() }

func (j *java) say(line string) {
	j.t.Helper()
	if _, err := fmt.Fprintln(j, line); err != nil && !errors.Is(err, syscall.EPIPE) {
		j.t.Fatal(err)
	}
}

// hears expects this line next.
func (j *java) hears(want string) {
	j.t.Helper()
	j.SetReadDeadline(time.Now().Add(time.Minute))
	if got, err := j.lines.ReadString('\n'); got != want+"\n" {
		j.t.Fatalf("heard %q, %v, want %q", got, err, want)
	}
}

func (j *java) asks(line, want string) {
	j.t.Helper()
	j.say(line)
	j.hears(want)
}

// ended returns the result of serve.
func (j *java) ended() error {
	j.t.Helper()
	select {
	case err := <-j.served:
		return err
	case <-time.After(time.Minute):
		j.t.Fatal("it is still served")
		return nil
	}
}

// A text collects what several goroutines write.
type text struct {
	mu   sync.Mutex
	b    bytes.Buffer
	news chan struct{}
}

func newText() *text { return &text{news: make(chan struct{}, 1)} }

func (t *text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case t.news <- struct{}{}:
	default:
	}
	return t.b.Write(p)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// number waits for the nth line that begins with start, and returns the number that
// follows.
func (t *text) number(tb testing.TB, start string, n int) int {
	tb.Helper()
	timeout := time.After(time.Minute)
	for {
		found := 0
		for line := range strings.Lines(t.String()) {
			rest, ok := strings.CutPrefix(line, start+" ")
			if ok && strings.HasSuffix(rest, "\n") {
				if found++; found == n {
					number, err := strconv.Atoi(strings.TrimSpace(rest))
					if err != nil {
						tb.Fatal(err)
					}
					return number
				}
			}
		}
		select {
		case <-t.news:
		case <-timeout:
			tb.Fatalf("no line %q: %s", start, t)
		}
	}
}

// gone reports whether a process has ended, waited for or not.
func gone(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && bytes.Contains(stat, []byte(") Z "))
}
