//go:build unix

package lifeline

import (
	"io"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// variable names a file that the test's processes inherit, and theirs too.
const variable = "KCL_BOOTSTRAP_TEST_LIFELINE"

// Tie kills this process when the test binary has ended, unless it is the test
// binary. TestMain calls it first. It panics where there are no pipes.
func Tie() {
	if value := os.Getenv(variable); value != "" {
		heed(value)
		return
	}
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	// A copy of one end is inherited. Its number is none that a command's own files
	// get. A copy of the other is not; the kernel closes it when this process ends.
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

func heed(value string) {
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
