package handover

import (
	"net"
	"os"
)

// folders are those for temporary files, the first that is usable is taken.
func folders() []string { return []string{os.TempDir(), os.Getenv("ProgramData")} }

func receive(conn *net.UnixConn, message []byte) (n int, files []*os.File, err error) {
	n, err = conn.Read(message)
	return n, nil, err
}
