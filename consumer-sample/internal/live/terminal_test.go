//go:build unix

package live

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"

	"github.com/seed96110120/kinesis-client-go/processor/worker"
)

// The tests start this test binary again with a terminal as its standard error.
const programEnv = "LIVE_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programEnv) != "" {
		program()
		return
	}
	os.Exit(m.Run())
}

// program does what its standard input says, a line each.
func program() {
	signal.Ignore(syscall.SIGHUP) // as the sample does, in effect
	var mu sync.Mutex
	status := busy()
	screen := New(os.Stderr)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		command, rest, _ := strings.Cut(in.Text(), " ")
		switch command {
		case "start":
			screen.Start(func() worker.Status {
				mu.Lock()
				defer mu.Unlock()
				return status
			})
		case "print":
			screen.Println(rest)
		case "note":
			screen.Note(rest)
		case "shards":
			var n int
			fmt.Sscan(rest, &n)
			mu.Lock()
			status = many(n)
			mu.Unlock()
		case "stop":
			screen.Stop()
		}
	}
}

// console is a terminal of 80 columns and 24 lines with a program in it.
type console struct {
	t      *testing.T
	cmd    *exec.Cmd
	master *os.File // and a copy that can be closed while it is read:
	tty    *os.File
	stdin  io.WriteCloser
	output chan []byte
	screen *vt.Emulator
	all    strings.Builder
	// answered gets what the terminal answers.
	answered chan string
}

func newConsole(t *testing.T, environ ...string) *console {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	x := &console{t: t, cmd: exec.Command(exe), output: make(chan []byte), screen: vt.NewEmulator(80, 24), answered: make(chan string, 100)}
	x.cmd.Env = append(append(os.Environ(), programEnv+"=1", "TERM=xterm-256color"), environ...)
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	x.master = master
	t.Cleanup(func() { master.Close() })
	if err := pty.Setsize(master, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Dup(int(master.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	x.tty = os.NewFile(uintptr(fd), "terminal")
	x.cmd.Stderr = tty
	if x.stdin, err = x.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	// A session of its own, whose terminal it is: it hears of a new size.
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 2}
	if err := x.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tty.Close()
	t.Cleanup(func() {
		x.cmd.Process.Kill()
		x.cmd.Wait()
		x.tty.Close()
		x.closeInput()
	})
	go func() {
		defer close(x.output)
		for {
			b := make([]byte, 4096)
			n, err := x.tty.Read(b)
			if n > 0 {
				x.output <- b[:n]
			}
			if err != nil {
				return // EIO on Linux when the last writer has gone
			}
		}
	}()
	go func() {
		defer close(x.answered)
		b := make([]byte, 256)
		for {
			n, err := x.screen.Read(b)
			if err != nil {
				return
			}
			x.answered <- string(b[:n])
		}
	}()
	return x
}

// closeInput ends what the terminal answers. The emulator's Close is not for use
// beside its Read.
func (x *console) closeInput() { x.screen.InputPipe().(io.Closer).Close() }

func (x *console) resize(width, height int) {
	x.t.Helper()
	if err := pty.Setsize(x.master, &pty.Winsize{Rows: uint16(height), Cols: uint16(width)}); err != nil {
		x.t.Fatal(err)
	}
	x.screen.Resize(width, height)
}

func (x *console) do(commands ...string) {
	x.t.Helper()
	for _, c := range commands {
		if _, err := fmt.Fprintln(x.stdin, c); err != nil {
			x.t.Fatal(err)
		}
	}
}

// lines are what is to be seen, without the empty ones at the end.
func (x *console) lines() []string {
	var lines []string
	for _, line := range strings.Split(x.screen.String(), "\n") {
		lines = append(lines, strings.TrimRight(line, " \r"))
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// await waits until the screen shows exactly that.
func (x *console) await(want ...string) {
	x.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		if strings.Join(x.lines(), "\n") == strings.Join(want, "\n") {
			return
		}
		select {
		case b, ok := <-x.output:
			if !ok {
				x.t.Fatalf("the program has ended; the screen shows\n%s\nwant\n%s", strings.Join(x.lines(), "\n"), strings.Join(want, "\n"))
			}
			x.all.Write(b)
			x.screen.Write(b)
		case <-deadline:
			x.t.Fatalf("the screen shows\n%s\nwant\n%s", strings.Join(x.lines(), "\n"), strings.Join(want, "\n"))
		}
	}
}

// plain is what the terminal is to show of a status, but for the cursor's line.
func plain(s worker.Status, note string) []string {
	return strings.Split(ansi.Strip(Lines(s, note, 80, 23)), "\n")
}

// sized is what one of another size is to show.
func sized(s worker.Status, width, height int) []string {
	return strings.Split(ansi.Strip(Lines(s, "", width, height-1)), "\n")
}

// The live lines stay below what is printed, follow the shards, and are gone in
// the end. The terminal is asked nothing, for its answer would be the input of
// the shell.
func TestLiveLines(t *testing.T) {
	x := newConsole(t)
	x.do("print before", "start", "print at once")
	x.await(append([]string{"before", "at once"}, plain(busy(), "")...)...)
	x.do("print a line above")
	x.await(append([]string{"before", "at once", "a line above"}, plain(busy(), "")...)...)
	above := []string{"before", "at once", "a line above"}
	for n := 158; n <= 159; n++ {
		long := strings.Repeat("x", n)
		x.do("print " + long)
		for ; len(long) > 79; long = long[79:] {
			above = append(above, long[:79])
		}
		above = append(above, long)
		x.await(append(slices.Clone(above), plain(busy(), "")...)...)
	}
	x.do("shards 1")
	x.await(append(slices.Clone(above), plain(many(1), "")...)...)
	x.do("shards 3")
	x.await(append(slices.Clone(above), plain(many(3), "")...)...)
	x.do("note 7 of 9")
	x.await(append(slices.Clone(above), plain(many(3), "7 of 9")...)...)
	x.do("note ")
	x.await(append(slices.Clone(above), plain(many(3), "")...)...)
	x.do("stop", "print after")
	x.await(append(slices.Clone(above), "after")...)
	x.stdin.Close()
	if err := x.cmd.Wait(); err != nil {
		t.Error(err)
	}
	x.closeInput()
	for answer := range x.answered {
		t.Errorf("the terminal was asked something: it answered %q", answer)
	}
}

// The live lines follow the size of the terminal.
func TestResize(t *testing.T) {
	x := newConsole(t)
	x.resize(48, 20)
	x.do("start")
	x.await(sized(busy(), 48, 20)...)
	x.resize(100, 24)
	x.await(sized(busy(), 100, 24)...)
	x.do("shards 40")
	x.await(sized(many(40), 100, 24)...)
	x.resize(100, 40)
	x.await(sized(many(40), 100, 40)...)
}

// A program that is killed leaves the terminal as it was.
func TestKilled(t *testing.T) {
	x := newConsole(t)
	x.do("start", "shards 1")
	x.await(plain(many(1), "")...)
	x.cmd.Process.Kill()
	for b := range x.output {
		x.screen.Write(b)
		x.all.Write(b)
	}
	if x.screen.CursorHidden() {
		t.Error("the cursor is hidden")
	}
	if y := x.screen.CursorPosition().Y; y != len(plain(many(1), "")) {
		t.Errorf("the cursor is in line %d, among the live lines", y)
	}
	for _, mode := range []string{"\x1b[?2004h", "\x1b[?1049h"} {
		if strings.Contains(x.all.String(), mode) {
			t.Errorf("the terminal was left in another mode: %q", mode)
		}
	}
}

// A terminal that is closed does not hold up the program.
func TestTerminalGone(t *testing.T) {
	x := newConsole(t)
	x.do("start", "shards 1")
	x.await(plain(many(1), "")...)
	x.master.Close()
	x.tty.Close()
	for range x.output {
	}
	x.do("shards 2", "print a line", "note x", "stop", "print another")
	x.stdin.Close()
	ended := make(chan error, 1)
	go func() { ended <- x.cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it hangs")
	}
}

// Colours are left out where NO_COLOR says so, and where the terminal can do
// nothing there are no live lines.
func TestPlainTerminals(t *testing.T) {
	x := newConsole(t, "NO_COLOR=1")
	x.do("start", "shards 1")
	x.await(plain(many(1), "")...)
	if all := x.all.String(); strings.Contains(all, "\x1b[3") {
		t.Errorf("there are colours: %q", all)
	}
	x = newConsole(t, "TERM=dumb")
	x.do("start", "print a line", "note nothing", "print another", "stop", "print the last")
	x.await("a line", "another", "the last")
	if all := x.all.String(); strings.Contains(all, "\x1b") {
		t.Errorf("there are escape sequences: %q", all)
	}
}
