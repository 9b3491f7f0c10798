package processor_test

import (
	"os"
	"syscall"
	"testing"
)

// What fcntl knows the size of a pipe by.
const (
	setPipeSize = 1031 // F_SETPIPE_SZ
	getPipeSize = 1032 // F_GETPIPE_SZ
)

func sizeOf(t *testing.T, pipe *os.File) int {
	t.Helper()
	size, _, errno := syscall.Syscall(syscall.SYS_FCNTL, pipe.Fd(), getPipeSize, 0)
	if errno != 0 {
		t.Fatalf("F_GETPIPE_SZ: %v", errno)
	}
	return int(size)
}

// Guarantee: On Linux the pipe from the daemon holds 1 MiB where the kernel allows it,
// for speed.
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
	c.Do(initialize) // by its answer the child has taken its streams over
	if got := sizeOf(t, c.stdin); got != want {
		t.Errorf("standard input is a pipe of %d bytes, want %d", got, want)
	}
	c.Close()
	c.wait(0)
}
