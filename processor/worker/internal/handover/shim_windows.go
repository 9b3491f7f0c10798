package handover

import (
	"errors"
	"net"
	"os"
	"os/signal"
	"syscall"
)

// canPass: Windows passes no handles over a socket.
const canPass = false

// ignoreSignals leaves it to the worker when to end: Ctrl-C reaches all
// processes of a console.
func ignoreSignals() { signal.Ignore(os.Interrupt, syscall.SIGTERM) }

// endDaemon: the daemon is in a job object, which ends with the worker.
func endDaemon() {}

func pass(*net.UnixConn, []byte, ...*os.File) error { return errors.ErrUnsupported }
