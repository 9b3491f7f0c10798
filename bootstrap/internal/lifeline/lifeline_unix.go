//go:build unix

package lifeline

import (
	"io"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// variable is an environment variable with the number of a file that the test's
// processes inherit, and their processes too.
const variable = "KCL_BOOTSTRAP_TEST_LIFELINE"

// Tie makes this process end with the test binary, unless it is the test binary.
// TestMain must call it first. It panics if it cannot create a pipe.
func Tie() {
	if value := os.Getenv(variable); value != "" {
		killAtEnd(value)
		return
	}
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	// A copy of one end is inherited, under a number that a command's own files do
	// not get. A copy of the other end is not; the kernel closes it when this
	// process ends.
	inherited, err := unix.FcntlInt(r.Fd(), unix.F_DUPFD, 100)
	if err != nil {
		panic(err)
	}
	if _, err := unix.FcntlInt(w.Fd(), unix.F_DUPFD_CLOEXEC, 100); err != nil {
		panic(err)
	}
	r.Close()
	w.Close()
	os.Setenv(variable, strconv.Itoa(inherited))
}

// killAtEnd kills this process when the test binary has ended.
func killAtEnd(value string) {
	fd, err := strconv.Atoi(value)
	if err != nil {
		panic(err)
	}
	end := os.NewFile(uintptr(fd), "lifeline")
	go func() {
		io.Copy(io.Discard, end)
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}()
}
