//go:build unix

package processor

import (
	"fmt"
	"os"
	"syscall"
)

var (
	stopSignals = []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP}
	dumpSignals = []os.Signal{syscall.SIGQUIT}
	pipeSignals = []os.Signal{syscall.SIGPIPE}
)

// keepStdin and keepStdout are the *os.File values of descriptors 0 and 1 at the start of
// the program. If a program replaces os.Stdout, the old value would otherwise be collected
// and its finalizer would close the descriptor.
var keepStdin, keepStdout = os.Stdin, os.Stdout

// takeStdio moves descriptors 0 and 1 to private ones that child processes do not
// inherit, and replaces them by the null device and standard error. It makes none
// non-blocking, because that would affect everyone who shares the pipe.
func takeStdio() (in, out *os.File, err error) {
	if in, err = private(keepStdin, "daemon to child"); err != nil {
		return nil, nil, err
	}
	if out, err = private(keepStdout, "child to daemon"); err != nil {
		return nil, nil, err
	}
	widen(in)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	defer null.Close()
	if err := dup2(int(null.Fd()), 0); err != nil {
		return nil, nil, fmt.Errorf("descriptor 0: %w", err)
	}
	if err := dup2(2, 1); err != nil {
		return nil, nil, fmt.Errorf("descriptor 1: %w", err)
	}
	return in, out, nil
}

func private(f *os.File, name string) (*os.File, error) {
	// As package os does it: no child may be forked between the two calls.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), name), nil
}
