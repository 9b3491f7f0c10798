package handover

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Self is the executable of this process, by a path that is good as long as
// the process lives: another version may take the place of the file, and the
// shims must be of this one.
func Self() (string, error) {
	self := fmt.Sprintf("/proc/%d/exe", os.Getpid())
	if f, err := os.Open(self); err == nil {
		f.Close()
		return self, nil
	}
	return os.Executable()
}

// peer returns user and ID of the process at the other end of a socket.
func peer(socket int) (uid, pid int, err error) {
	c, err := unix.GetsockoptUcred(socket, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0, 0, err
	}
	return int(c.Uid), int(c.Pid), nil
}

// widen has the kernel hold 1 MiB of what the daemon writes, the most that
// anyone may have by default: with the usual 64 KiB the two take turns many times
// a batch. What may not be larger stays as it is.
func widen(pipe *os.File) {
	if raw, err := pipe.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 1<<20) })
	}
}
