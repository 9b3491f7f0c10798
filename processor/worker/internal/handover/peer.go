//go:build linux || darwin

package handover

import (
	"errors"
	"fmt"
	"net"
	"os"
)

// checkPeer refuses a process of another user. It returns the process ID, 0
// where the system does not tell it.
func checkPeer(conn *net.UnixConn) (pid int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var uid int
	if controlErr := raw.Control(func(fd uintptr) { uid, pid, err = peer(int(fd)) }); controlErr != nil {
		return 0, controlErr
	}
	if err != nil {
		return 0, fmt.Errorf("cannot tell who calls: %w", err)
	}
	if uid != os.Geteuid() {
		return 0, errors.New("a process of another user")
	}
	return pid, nil
}
