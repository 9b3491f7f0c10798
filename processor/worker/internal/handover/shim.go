package handover

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
)

// Main is the whole of a shim. It returns the status to end with: what the
// worker said, or 1 when there is no worker, or no longer; then the daemon, whose
// shards have all lost their worker, is ended too.
func Main() int {
	ignoreSignals()
	socket := os.Getenv(SocketEnv)
	if socket == "" {
		fmt.Fprintln(os.Stderr, "kcl-shim: the daemon of a worker starts this command, nobody else: see Config.Shim of package processor/worker")
		return 2
	}
	m := descriptors
	if !canPass || os.Getenv(modeEnv) == relay.String() {
		m = relay
	}
	status, err := shim(socket, os.Getenv(tokenEnv), m, os.Stdin, os.Stdout)
	if err != nil {
		// The daemon shows this as its child's standard error.
		fmt.Fprintln(os.Stderr, "kcl-shim:", err)
		endDaemon()
		return 1
	}
	return status
}

var errWorkerGone = errors.New("the worker has gone")

func shim(socket, token string, m mode, stdin, stdout *os.File) (status int, err error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return 0, fmt.Errorf("cannot reach the worker: %w", err)
	}
	defer conn.Close()
	if m == descriptors {
		if err := pass(conn, hello(m, token), stdin, stdout); err != nil {
			return 0, fmt.Errorf("cannot hand over to the worker: %w", err)
		}
		// The worker has them now. Were they kept, the daemon would not see that
		// the worker has closed them.
		stdin.Close()
		stdout.Close()
	} else {
		if _, err := conn.Write(hello(m, token)); err != nil {
			return 0, fmt.Errorf("cannot greet the worker: %w", err)
		}
		go func() {
			// An error is one of conn, and then heard below.
			io.Copy(struct{ io.Writer }{conn}, stdin)
			conn.CloseWrite()
		}()
	}
	buf := new([maxFrame]byte)
	for {
		k, body, err := readFrame(conn, buf)
		switch {
		case err != nil:
			return 0, errWorkerGone
		case k == kindStatus:
			return int(body[0]), nil
		default:
			// A daemon that has gone is for the worker to see: by the end of the
			// input.
			stdout.Write(body)
		}
	}
}
