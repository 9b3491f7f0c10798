//go:build unix

package handover

import (
	"net"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// canPass: descriptors can be passed.
const canPass = true

// ignoreSignals leaves it to the worker when to end. What stops the daemon, a
// service manager or a Ctrl-C, often reaches its whole group; SIGPIPE is for the
// one who writes.
func ignoreSignals() {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE)
}

// endDaemon ends the daemon at once, and this process with it: without its
// worker it could only wait for shards that nobody serves, for as long as its
// grace is. It leads its process group, or it is not one that a worker started.
func endDaemon() {
	if syscall.Getpgrp() == syscall.Getppid() {
		syscall.Kill(0, syscall.SIGKILL)
	}
}

// pass sends a message with descriptors.
func pass(conn *net.UnixConn, message []byte, files ...*os.File) error {
	descriptors := make([]int, len(files))
	for i, f := range files {
		descriptors[i] = int(f.Fd())
	}
	n, _, err := conn.WriteMsgUnix(message, unix.UnixRights(descriptors...), nil)
	if err == nil && n < len(message) {
		_, err = conn.Write(message[n:])
	}
	return err
}
