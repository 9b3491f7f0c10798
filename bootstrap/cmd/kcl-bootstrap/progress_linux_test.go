package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal returns the two ends of a new one: what a person sees, and what a
// program writes to.
func terminal(t *testing.T) (screen, tty *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { screen.Close() })
	if err := unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
		t.Fatal(err)
	}
	return screen, tty
}

// On a terminal the download is a bar that is drawn over itself and leaves one
// line; an error begins on a line of its own.
func TestBarOnATerminal(t *testing.T) {
	t.Parallel()
	m := newMirror(t, 3)
	cache := filepath.Join(t.TempDir(), "cache")
	run := func(repo string, args ...string) (drawn []string, last string) {
		t.Helper()
		screen, tty := terminal(t)
		cmd := m.fetch(t, repo, cache)
		cmd.Args = append(cmd.Args, args...)
		cmd.Stderr = tty
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		tty.Close()
		// Linux ends the reading with EIO when the last writer is gone.
		text, _ := io.ReadAll(screen)
		cmd.Wait()
		lines := strings.Split(strings.TrimSuffix(string(text), "\r\n"), "\r\n")
		if len(lines) != 1 {
			t.Errorf("%d lines are left: %q", len(lines), lines)
		}
		drawn = strings.Split(lines[len(lines)-1], "\r")
		return drawn[:len(drawn)-1], drawn[len(drawn)-1]
	}
	bars := func(drawn []string) (n int) {
		for _, d := range drawn {
			if strings.Contains(d, "kcl-bootstrap: fetching MultiLangDaemon 3.1.3") && strings.Contains(d, "%") {
				n++
			}
			if len([]rune(d)) > 80 {
				t.Errorf("wider than the terminal: %q", d)
			}
		}
		return n
	}

	cut := m.view(func(r *http.Request) bool { return false })
	drawn, last := run(cut.url)
	if bars(drawn) == 0 || !strings.HasPrefix(last, "kcl-bootstrap: cannot fetch org.example:a") {
		t.Errorf("after a failure: %q, %q", drawn, last)
	}
	drawn, last = run(m.view(nil).url)
	if bars(drawn) == 0 || last != "kcl-bootstrap: fetched MultiLangDaemon 3.1.3: 3 jars, 0.0 MB" {
		t.Errorf("%q, %q", drawn, last)
	}
	if drawn, last = run(m.view(nil).url); len(drawn) != 0 || last != "" {
		t.Errorf("with all there: %q, %q", drawn, last)
	}
	if err := os.RemoveAll(cache); err != nil {
		t.Fatal(err)
	}
	if drawn, last = run(m.view(nil).url, "--quiet"); len(drawn) != 0 || last != "" {
		t.Errorf("quiet: %q, %q", drawn, last)
	}
}
