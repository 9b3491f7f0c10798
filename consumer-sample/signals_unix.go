//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

var stopSignals = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}

// ignoreOutputSignals ignores the signals that would end or stop this process because
// it writes: in the background of a terminal with `stty tostop`, and to a pipe whose
// reader was ended by the same Ctrl-C.
func ignoreOutputSignals() {
	signal.Ignore(syscall.SIGTTOU)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
}
