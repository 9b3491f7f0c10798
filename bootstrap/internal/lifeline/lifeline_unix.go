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

// held is the end of a pipe that only the test binary has. The kernel closes it
// when that ends.
var held *os.File

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
	// A copy is inherited. Its number is none that a command's own files get.
	fd, err := unix.FcntlInt(r.Fd(), unix.F_DUPFD, 100)
	if err != nil {
		panic(err)
	}
	held = w
	os.Setenv(variable, strconv.Itoa(fd))
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
