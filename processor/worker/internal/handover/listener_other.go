//go:build !linux && !darwin

package handover

import (
	"net"
	"os"
)

// Self is the executable of this process.
func Self() (string, error) { return os.Executable() }

// checkPeer: there is no such question here; folder and token must do.
func checkPeer(*net.UnixConn) (pid int, err error) { return 0, nil }

func widen(*os.File) {}
