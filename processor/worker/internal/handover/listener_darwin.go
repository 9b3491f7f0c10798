package handover

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Self is the executable of this process.
func Self() (string, error) { return os.Executable() }

// checkPeer refuses a process of another user. The process ID is not known.
func checkPeer(conn *net.UnixConn) (pid int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var peer *unix.Xucred
	if controlErr := raw.Control(func(fd uintptr) {
		peer, err = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	}); controlErr != nil {
		return 0, controlErr
	}
	if err != nil {
		return 0, fmt.Errorf("cannot tell who calls: %w", err)
	}
	if int(peer.Uid) != os.Geteuid() {
		return 0, errors.New("a process of another user")
	}
	return 0, nil
}

func widen(*os.File) {}
