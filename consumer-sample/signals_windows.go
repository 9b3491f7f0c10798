package main

import (
	"os"
	"syscall"
)

// The console's Ctrl-C and Ctrl-Break, and its closing, as Go names them.
var stopSignals = []os.Signal{os.Interrupt, syscall.SIGTERM}

func keepOutput() {}
