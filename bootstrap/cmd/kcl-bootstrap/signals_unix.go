//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

var stopSignals = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}

// keepOutput lets this process and Java write as long as they live.
//
// Java is not in the terminal's foreground group, and where `stty tostop` is
// set it would be stopped for writing, unless it ignores the signal, which it
// inherits. In `kcl-bootstrap ... | tee log` a Ctrl-C ends tee first: without a
// handler this process would die of its next line, before Java has stopped.
func keepOutput() {
	signal.Ignore(syscall.SIGTTOU)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
}
