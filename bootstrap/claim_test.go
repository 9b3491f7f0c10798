//go:build linux || darwin || freebsd

package bootstrap

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func claim(t *testing.T, dir, application string) *WorkerIDClaim {
	t.Helper()
	w, err := ClaimWorkerID(t.Context(), dir, application, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// Workers side by side have different IDs; the next one in the place of one
// that has gone has the same.
//
// Guarantee: A claim gets the first worker ID that is free: one daemon after another
// gets the same.
func TestClaimWorkerID(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made when missing")
	first, second := claim(t, dir, "app"), claim(t, dir, "app")
	if first.ID == second.ID {
		t.Fatalf("two workers are %q", first.ID)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(first.ID, host+"-0-") || !strings.HasPrefix(second.ID, host+"-1-") {
		t.Errorf("IDs %q, %q", first.ID, second.ID)
	}
	if other := claim(t, dir, "../app"); other.ID == first.ID || !strings.HasPrefix(other.ID, host+"-0-") {
		t.Errorf("another application's ID is %q", other.ID)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 6 {
		t.Errorf("files in the folder: %q, %v", left, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if again := claim(t, dir, "app"); again.ID != first.ID {
		t.Errorf("ID %q, then %q", first.ID, again.ID)
	}
}

// A slot's number that was not wholly written is made again.
func TestClaimWorkerIDTornNumber(t *testing.T) {
	for _, text := range []string{"abc", strings.Repeat("z", 32), ""} {
		dir := t.TempDir()
		file := filepath.Join(dir, "app.0.owner")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		w := claim(t, dir, "app")
		w.Close()
		if again := claim(t, dir, "app"); again.ID != w.ID {
			t.Errorf("%q: ID %q, then %q", text, w.ID, again.ID)
		}
	}
}

// As long as a daemon that was left behind has its lock, its slot is waited
// for, and no other is taken.
func TestClaimWorkerIDWaitsForADaemon(t *testing.T) {
	dir := t.TempDir()
	w := claim(t, dir, "app")
	w.note(4711)
	w.owner.Close() // as when this process is killed: Java has the other file

	text := newTranscript()
	log := slog.New(slog.NewTextHandler(text, nil))
	ctx, cancel := context.WithCancelCause(t.Context())
	waiting := make(chan error, 1)
	go func() {
		claimed, err := ClaimWorkerID(ctx, dir, "app", &ClaimOptions{Logger: log})
		if err == nil {
			claimed.Close()
		}
		waiting <- err
	}()
	text.holds(t, "pid=4711")
	why := errors.New("why")
	cancel(why)
	if err := <-waiting; !errors.Is(err, why) {
		t.Errorf("%v, want the cause", err)
	}

	text = newTranscript()
	log = slog.New(slog.NewTextHandler(text, nil))
	type result struct {
		*WorkerIDClaim
		error
	}
	claimed := make(chan result, 1)
	go func() {
		again, err := ClaimWorkerID(t.Context(), dir, "app", &ClaimOptions{Logger: log})
		claimed <- result{again, err}
	}()
	text.holds(t, "waiting for the daemon")
	w.daemon.Close() // Java has gone
	again := <-claimed
	if again.error != nil {
		t.Fatal(again.error)
	}
	defer again.Close()
	if again.ID != w.ID {
		t.Errorf("ID %q, then %q", w.ID, again.ID)
	}
}

func TestClaimWorkerIDBadFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ClaimWorkerID(t.Context(), filepath.Join(file, "x"), "app", nil); err == nil || !strings.Contains(err.Error(), "cannot create the state folder") {
		t.Errorf("error %v, want that the state folder cannot be created", err)
	}
}

// The lock lasts as long as the command that inherits it, though the process
// that claimed it was killed.
//
// Guarantee: No two daemons have the worker ID of a claim at once, even if the
// process that claimed it is killed.
func TestClaimOutlivesItsProcess(t *testing.T) {
	dir := t.TempDir()
	supervisor := exec.Command(os.Args[0], dir)
	supervisor.Env = role("claims")
	stdout, err := supervisor.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := supervisor.Start(); err != nil {
		t.Fatal(err)
	}
	// Two lines, in either order: the command is ready, and its ID is noted.
	pid := 0
	lines := bufio.NewScanner(stdout)
	for range 2 {
		lines.Scan()
		_, id, _ := strings.Cut(lines.Text(), " ")
		if pid, err = strconv.Atoi(id); err != nil {
			t.Fatalf("%q, %v", lines.Text(), err)
		}
	}
	defer syscall.Kill(pid, syscall.SIGKILL)
	supervisor.Process.Kill()
	supervisor.Wait()

	base := filepath.Join(dir, "app.0")
	owner, err := openLocked(base + ".owner")
	if err != nil {
		t.Errorf("the killed process still has its lock: %v", err)
	} else {
		owner.Close()
	}
	if _, err := openLocked(base + ".daemon"); !errors.Is(err, errLocked) {
		t.Fatalf("the lock that the command inherited: %v, want that it is held", err)
	}
	if noted, err := os.ReadFile(base + ".daemon"); err != nil || string(noted) != strconv.Itoa(pid) {
		t.Errorf("noted is %q, %v, want %d", noted, err, pid)
	}
	syscall.Kill(pid, syscall.SIGKILL)
	file, err := awaitLocked(t.Context(), base+".daemon", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
}

// A network disk, or what cannot be told, is refused.
func TestClaimWorkerIDNotLocal(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs a file system that is there on every machine and is no disk")
	}
	_, err := ClaimWorkerID(t.Context(), "/proc", "app", nil)
	if !errors.Is(err, ErrNotLocal) || !strings.Contains(err.Error(), "state folder /proc: not on a local disk; ") {
		t.Errorf("%v, want ErrNotLocal", err)
	}
}

// holds waits until a text is in the transcript.
func (tr *transcript) holds(t *testing.T, text string) {
	t.Helper()
	timeout := time.After(time.Minute)
	for !strings.Contains(tr.String(), text) {
		select {
		case <-tr.news:
		case <-timeout:
			t.Fatalf("no %q in: %s", text, tr)
		}
	}
}
