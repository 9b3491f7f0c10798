// Package handover brings the standard input and output of a child that the
// MultiLangDaemon has started to another process: the worker, which serves the
// shard. The child, the shim, then waits for the status to end with.
//
// The two meet at a Unix socket in a folder that only this user may enter. The
// shim begins with a hello:
//
//	"KCLW"  4 bytes
//	version 1 byte
//	mode    1 byte: 0 descriptors, 1 relay
//	token   64 bytes, random, from its environment
//
// With descriptors, its standard input and output come with it (SCM_RIGHTS),
// and the shim sends nothing more. With relay it sends what the daemon writes,
// up to the end. The worker sends frames: a kind of 1 byte, a length of 4 bytes,
// big-endian, and that many bytes. Kind 0 is for the daemon (relay only), kind 1
// the status, one byte, and the last.
//
// A connection that ends without a status is a worker that has died.
package handover

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Argument is what the daemon starts a shim with, for those who look at the
// processes, and for programs that are a shim among other things.
const Argument = "kcl-worker-shim"

// The environment of a shim.
const (
	SocketEnv = "KCL_WORKER_SOCKET"
	tokenEnv  = "KCL_WORKER_TOKEN"
	modeEnv   = "KCL_WORKER_MODE"
)

const (
	magic       = "KCLW"
	version     = 1
	tokenLength = 64
	helloLength = len(magic) + 2 + tokenLength
)

type mode byte

const (
	descriptors mode = iota
	relay
)

func (m mode) String() string {
	if m == relay {
		return "relay"
	}
	return "descriptors"
}

func hello(m mode, token string) []byte {
	return append(append([]byte(magic), version, byte(m)), token...)
}

var errHello = errors.New("not the hello of a shim")

func parseHello(b []byte) (m mode, token string, err error) {
	switch {
	case len(b) != helloLength || string(b[:len(magic)]) != magic:
		return 0, "", errHello
	case b[len(magic)] != version:
		return 0, "", fmt.Errorf("a shim of version %d, and this worker is of %d: use the shim that was built with it", b[len(magic)], version)
	case b[len(magic)+1] > byte(relay):
		return 0, "", errHello
	}
	return mode(b[len(magic)+1]), string(b[len(magic)+2:]), nil
}

type kind byte

const (
	kindData kind = iota
	kindStatus
)

// maxFrame bounds what a shim holds.
const maxFrame = 64 << 10

func appendFrame(to []byte, k kind, body []byte) []byte {
	to = append(to, byte(k))
	to = binary.BigEndian.AppendUint32(to, uint32(len(body)))
	return append(to, body...)
}

var errFrame = errors.New("not a frame of a worker")

// readFrame reads one into buf, whose first part it returns; io.EOF when the
// connection has ended between two frames.
func readFrame(r io.Reader, buf *[maxFrame]byte) (kind, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	k, n := kind(head[0]), binary.BigEndian.Uint32(head[1:])
	if k > kindStatus || n > maxFrame || k == kindStatus && n != 1 {
		return 0, nil, errFrame
	}
	if _, err := io.ReadFull(r, buf[:n]); err != nil {
		return 0, nil, io.ErrUnexpectedEOF
	}
	return k, buf[:n], nil
}

// frameWriter writes data frames.
type frameWriter struct {
	w   io.Writer
	buf []byte
}

func (f *frameWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		part := p[:min(len(p), maxFrame)]
		f.buf = appendFrame(f.buf[:0], kindData, part)
		if _, err := f.w.Write(f.buf); err != nil {
			return n, err
		}
		n += len(part)
		p = p[len(part):]
	}
	return n, nil
}

// usable reports whether the daemon can start an executable in this folder, and
// the system listen at a socket in it: the daemon parts command lines at spaces,
// and the address of a socket may be about 100 bytes.
func usable(dir string) bool {
	const longest = 100 - len("/kcl-worker-0123456789/socket")
	return dir != "" && len(dir) <= longest && !strings.ContainsAny(dir, " \t\r\n\v\f")
}
