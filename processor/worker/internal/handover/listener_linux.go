package handover

import (
	"errors"
	"fmt"
	"net"
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

// checkPeer refuses a process of another user, and returns the process ID.
func checkPeer(conn *net.UnixConn) (pid int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var peer *unix.Ucred
	if controlErr := raw.Control(func(fd uintptr) {
		peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); controlErr != nil {
		return 0, controlErr
	}
	if err != nil {
		return 0, fmt.Errorf("cannot tell who calls: %w", err)
	}
	if int(peer.Uid) != os.Geteuid() {
		return 0, errors.New("a process of another user")
	}
	return int(peer.Pid), nil
}

// widen has the kernel hold 1 MiB of what the daemon writes, the most that
// anyone may have by default: with the usual 64 KiB the two take turns many times
// a batch. What may not be larger stays as it is.
func widen(pipe *os.File) {
	if raw, err := pipe.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 1<<20) })
	}
}
