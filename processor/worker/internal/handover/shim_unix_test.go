//go:build unix

package handover

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// The test binary is a shim, and a daemon that starts one.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == Argument {
		os.Exit(Main())
	}
	if executable := os.Getenv("TEST_DAEMON"); executable != "" {
		cmd := exec.Command(executable, Argument)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.Run()
		io.Copy(io.Discard, os.Stdin) // it takes no notice
	}
	os.Exit(m.Run())
}

// A rig is a listener with the shims that have come.
type rig struct {
	t        *testing.T
	listener *Listener
	children chan *Child
	refused  chan error
}

func newRig(t *testing.T, relays bool) *rig {
	t.Helper()
	executable, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	return newRigOf(t, executable, relays)
}

func newRigOf(t *testing.T, executable string, relays bool) *rig {
	t.Helper()
	l, err := Listen(executable, relays)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, listener: l, children: make(chan *Child, 10), refused: make(chan error, 10)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := l.Accept(func(c *Child) { r.children <- c }, func(err error) { r.refused <- err }); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return r
}

// A shimProcess is a shim as the daemon has it.
type shimProcess struct {
	*exec.Cmd
	stdin  io.WriteCloser
	stdout io.Reader
	stderr bytes.Buffer
}

func (r *rig) start() *shimProcess {
	r.t.Helper()
	s := &shimProcess{Cmd: exec.Command(r.listener.executable, Argument)}
	s.Env = append(os.Environ(), r.listener.Environ()...)
	s.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // not a child of its group's leader
	s.Stderr = &s.stderr
	var err error
	if s.stdin, err = s.StdinPipe(); err != nil {
		r.t.Fatal(err)
	}
	if s.stdout, err = s.StdoutPipe(); err != nil {
		r.t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { s.Process.Kill() })
	return s
}

func (s *shimProcess) status(t *testing.T) int {
	t.Helper()
	err := s.Wait()
	if s.ProcessState == nil {
		t.Fatal(err)
	}
	return s.ProcessState.ExitCode()
}

// both runs a test with descriptors and with bytes that are relayed.
func both(t *testing.T, test func(t *testing.T, r *rig)) {
	for name, relays := range map[string]bool{"descriptors": false, "relay": true} {
		t.Run(name, func(t *testing.T) { test(t, newRig(t, relays)) })
	}
}

// All that the daemon and the worker write reaches the other, both at once.
func TestBytesPass(t *testing.T) {
	both(t, func(t *testing.T, r *rig) {
		s := r.start()
		c := <-r.children
		data := make([]byte, 4<<20)
		rand.NewChaCha8([32]byte{1}).Read(data)
		go func() {
			s.stdin.Write(data)
			s.stdin.Close()
		}()
		echoed := make(chan error, 1)
		go func() {
			_, err := io.Copy(struct{ io.Writer }{c.Out}, struct{ io.Reader }{c.In})
			c.Exit(0)
			echoed <- err
		}()
		got, err := io.ReadAll(s.stdout)
		if err := errors.Join(err, <-echoed); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, data) {
			t.Errorf("%d of %d bytes came back, or others", len(got), len(data))
		}
		if status := s.status(t); status != 0 {
			t.Errorf("status %d: %s", status, &s.stderr)
		}
	})
}

func TestStatusPasses(t *testing.T) {
	both(t, func(t *testing.T, r *rig) {
		for _, want := range []int{0, 1, 7, 255} {
			s := r.start()
			c := <-r.children
			c.Exit(want)
			c.Exit(3) // is too late
			if got := s.status(t); got != want {
				t.Errorf("status %d, want %d: %s", got, want, &s.stderr)
			}
		}
	})
}

// Once the worker has let go of a shard's output, the daemon sees its end at
// once, though the shim may live a moment longer.
func TestShimKeepsNothingOpen(t *testing.T) {
	r := newRig(t, false)
	s := r.start()
	c := <-r.children
	for _, f := range c.files {
		f.Close()
	}
	if got, err := io.ReadAll(s.stdout); err != nil || len(got) > 0 {
		t.Error(got, err)
	}
	c.Exit(0)
	s.status(t)
}

func TestShimOutlivesSignals(t *testing.T) {
	both(t, func(t *testing.T, r *rig) {
		s := r.start()
		c := <-r.children
		for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE} {
			if err := syscall.Kill(-s.Process.Pid, signal); err != nil {
				t.Fatal(err)
			}
		}
		// One that was not ignored would have ended it before this is read.
		if _, err := c.Out.Write([]byte("still here\n")); err != nil {
			t.Fatal(err)
		}
		c.Exit(5)
		if status := s.status(t); status != 5 {
			t.Errorf("status %d, want 5", status)
		}
	})
}

func TestShimFailsWithItsWorker(t *testing.T) {
	both(t, func(t *testing.T, r *rig) {
		s := r.start()
		c := <-r.children
		c.conn.Close() // as the kernel does with a process that is killed
		if status := s.status(t); status != 1 || !strings.Contains(s.stderr.String(), "the worker has gone") {
			t.Errorf("status %d: %s", status, &s.stderr)
		}
	})
}

// A daemon ends with its worker, without a grace.
func TestDaemonEndsWithItsWorker(t *testing.T) {
	both(t, func(t *testing.T, r *rig) {
		daemon := exec.Command(os.Args[0])
		daemon.Env = append(append(os.Environ(), r.listener.Environ()...), "TEST_DAEMON="+r.listener.executable)
		daemon.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		stdin, err := daemon.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		defer stdin.Close()
		if err := daemon.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { syscall.Kill(-daemon.Process.Pid, syscall.SIGKILL) })
		(<-r.children).conn.Close()
		daemon.Wait()
		if ws := daemon.ProcessState.Sys().(syscall.WaitStatus); !ws.Signaled() || ws.Signal() != syscall.SIGKILL {
			t.Errorf("the daemon ended with %v", daemon.ProcessState)
		}
	})
}

func TestWorkerIsNotThere(t *testing.T) {
	r := newRig(t, false)
	r.listener.socket.Close()
	s := r.start()
	if status := s.status(t); status != 1 || !strings.Contains(s.stderr.String(), "cannot reach the worker") {
		t.Errorf("status %d: %s", status, &s.stderr)
	}
}

func TestByHand(t *testing.T) {
	cmd := exec.Command(os.Args[0], Argument)
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), "the daemon of a worker starts this command") {
		t.Errorf("%v: %s", err, out)
	}
}

// Nobody but the daemon's children is served.
func TestStrangersAreRefused(t *testing.T) {
	r := newRig(t, false)
	token := r.listener.token
	for name, message := range map[string][]byte{
		"a wrong token":     hello(relay, strings.Repeat("0", tokenLength)),
		"no descriptors":    hello(descriptors, token),
		"another protocol":  bytes.Repeat([]byte("GET / HTTP/1.1\r\n"), 10),
		"half a hello":      hello(relay, token)[:20],
		"nothing":           nil,
		"a version to come": append([]byte(magic+"\x63\x01"), token...),
	} {
		conn, err := net.Dial("unix", r.listener.path())
		if err != nil {
			t.Fatal(err)
		}
		conn.Write(message)
		conn.(*net.UnixConn).CloseWrite()
		if err := <-r.refused; err == nil {
			t.Errorf("%s: no error", name)
		}
		if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("%s: it is answered", name)
		}
		conn.Close()
	}
	// One that says nothing keeps nobody waiting.
	silent, err := net.Dial("unix", r.listener.path())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	s := r.start()
	(<-r.children).Exit(0)
	s.status(t)
}

// The descriptors of a stranger are closed.
func TestRefusedDescriptorsAreClosed(t *testing.T) {
	r := newRig(t, false)
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	conn, err := net.Dial("unix", r.listener.path())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := pass(conn.(*net.UnixConn), hello(descriptors, strings.Repeat("0", tokenLength)), out, out); err != nil {
		t.Fatal(err)
	}
	out.Close()
	<-r.refused
	if n, err := in.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("%d, %v: the other end is still open", n, err)
	}
}

func TestFolderIsPrivate(t *testing.T) {
	r := newRig(t, false)
	info, err := os.Stat(r.listener.dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	for _, v := range r.listener.Environ() {
		if strings.HasPrefix(v, tokenEnv) && strings.Contains(r.listener.Command(), strings.TrimPrefix(v, tokenEnv+"=")) {
			t.Error("the token is in the command line, which all users can read")
		}
	}
}

// A process of another user is refused though it has the token and gets through
// to the socket.
func TestOtherUsersAreRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can start a process of another user")
	}
	r := newRig(t, false)
	// Where both could reach it: the binary too.
	if err := errors.Join(os.Chmod(r.listener.dir, 0o777), os.Chmod(r.listener.path(), 0o777)); err != nil {
		t.Fatal(err)
	}
	open, err := os.MkdirTemp("/tmp", "handover-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(open)
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(open, "shim")
	text, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Skip("no /proc")
	}
	if err := os.WriteFile(binary, text, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, Argument)
	cmd.Dir = "/"
	cmd.Env = r.listener.Environ()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("%v: %s", err, out)
	}
	if err := <-r.refused; !strings.Contains(err.Error(), "another user") {
		t.Error(err)
	}
}

// The shim is found where the daemon cannot name it.
func TestExecutableInAFolderWithSpaces(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a folder", "and another")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "my program")
	text, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(binary, text, 0o755); err != nil {
		t.Fatal(err)
	}
	r := newRigOf(t, binary, false)
	s := r.start()
	c := <-r.children
	if c.PID != 0 && c.PID != s.Process.Pid {
		t.Errorf("PID %s, want %d", strconv.Itoa(c.PID), s.Process.Pid)
	}
	c.Exit(0)
	if status := s.status(t); status != 0 {
		t.Errorf("status %d: %s", status, &s.stderr)
	}
}

// How long from the start of a shim until the worker has its descriptors.
func BenchmarkHandover(b *testing.B) {
	executable, err := Self()
	if err != nil {
		b.Fatal(err)
	}
	l, err := Listen(executable, false)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	children := make(chan *Child)
	go l.Accept(func(c *Child) { children <- c }, func(err error) { b.Error(err) })
	for b.Loop() {
		cmd := exec.Command(l.executable, Argument)
		cmd.Env = l.Environ()
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		c := <-children
		b.StopTimer()
		c.Exit(0)
		cmd.Wait()
		b.StartTimer()
	}
}
