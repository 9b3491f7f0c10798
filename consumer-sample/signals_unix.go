//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

var stopSignals = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}

// keepOutput lets this process write as long as it lives: in the background of
// a terminal with `stty tostop`, and to a pipe that a Ctrl-C has ended first.
func keepOutput() {
	signal.Ignore(syscall.SIGTTOU)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
}
