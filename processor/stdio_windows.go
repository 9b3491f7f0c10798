package processor

import (
	"fmt"
	"os"
	"syscall"
)

var (
	stopSignals = []os.Signal{os.Interrupt, syscall.SIGTERM}
	dumpSignals []os.Signal
	pipeSignals []os.Signal
)

// keepStdin and keepStdout are the standard streams at the start of the program.
var keepStdin, keepStdout = os.Stdin, os.Stdout

var setStdHandle = syscall.NewLazyDLL("kernel32.dll").NewProc("SetStdHandle")

// takeStdio keeps the two standard handles for the protocol and makes them not
// inheritable. From now on, whoever asks for the standard handles gets the null device
// and standard error; code that asked before still has the old ones.
func takeStdio() (in, out *os.File, err error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	in, out = keepStdin, keepStdout
	for _, f := range []*os.File{in, out} {
		if err := syscall.SetHandleInformation(syscall.Handle(f.Fd()), syscall.HANDLE_FLAG_INHERIT, 0); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", f.Name(), err)
		}
	}
	if err := setHandle(syscall.STD_INPUT_HANDLE, null); err != nil {
		return nil, nil, err
	}
	if err := setHandle(syscall.STD_OUTPUT_HANDLE, os.Stderr); err != nil {
		return nil, nil, err
	}
	os.Stdin, os.Stdout = null, os.Stderr
	syscall.Stdin, syscall.Stdout = syscall.Handle(null.Fd()), syscall.Stderr
	return in, out, nil
}

func setHandle(which int, f *os.File) error {
	if ok, _, err := setStdHandle.Call(uintptr(which), f.Fd()); ok == 0 {
		return fmt.Errorf("SetStdHandle: %w", err)
	}
	return nil
}
