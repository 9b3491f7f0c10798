package processor

import (
	"os"
	"syscall"
	"testing"
)

const getPipeSize = 1032 // F_GETPIPE_SZ

func sizeOf(t *testing.T, pipe *os.File) int {
	t.Helper()
	size, _, errno := syscall.Syscall(syscall.SYS_FCNTL, pipe.Fd(), getPipeSize, 0)
	if errno != 0 {
		t.Fatalf("F_GETPIPE_SZ: %v", errno)
	}
	return int(size)
}

func TestMainWidensItsPipe(t *testing.T) {
	// What this kernel allows this user: less than a megabyte, perhaps.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	want := 1 << 20
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, w.Fd(), setPipeSize, uintptr(want)); errno != 0 {
		want = sizeOf(t, w)
	}
	r.Close()
	w.Close()

	c := start(t, "plain")
	c.initialize()
	if got := sizeOf(t, c.stdin.(*os.File)); got != want {
		t.Errorf("standard input is a pipe of %d bytes, want %d", got, want)
	}
	c.stdin.Close()
	c.wait(0)
}

func TestWidenLeavesOtherFilesAlone(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	widen(null)
	if _, err := null.Stat(); err != nil {
		t.Error(err)
	}
}
