//go:build unix

package handover

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// folders are those for temporary files, the first that is usable is taken.
func folders() []string {
	return []string{os.TempDir(), os.Getenv("XDG_RUNTIME_DIR"), "/tmp"}
}

// receive reads the beginning of a message and the descriptors that come with
// it, which the caller closes, also beside an error.
func receive(conn *net.UnixConn, message []byte) (n int, files []*os.File, err error) {
	oob := make([]byte, unix.CmsgSpace(2*4))
	n, oobn, flags, _, err := conn.ReadMsgUnix(message, oob)
	if err != nil {
		return n, nil, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return n, nil, err
	}
	for i := range messages {
		descriptors, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue // something else
		}
		for _, fd := range descriptors {
			// Nobody else uses the daemon's pipes but through these, so that
			// they may be non-blocking: no thread waits for an idle shard.
			unix.SetNonblock(fd, true)
			files = append(files, os.NewFile(uintptr(fd), "daemon's pipe"))
		}
	}
	if flags&unix.MSG_CTRUNC != 0 || n == 0 {
		return n, files, errHello
	}
	return n, files, nil
}
