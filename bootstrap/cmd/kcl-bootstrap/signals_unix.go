//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

var stopSignals = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}

// keepOutput lets Java write to this process's terminal. It is not in the
// terminal's foreground group, and where `stty tostop` is set it would be
// stopped for writing, unless it ignores the signal, which it inherits.
func keepOutput() { signal.Ignore(syscall.SIGTTOU) }
