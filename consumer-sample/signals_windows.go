package main

import (
	"os"
	"syscall"
)

// stopSignals are Ctrl-C, Ctrl-Break and the closing of the console.
var stopSignals = []os.Signal{os.Interrupt, syscall.SIGTERM}

func ignoreOutputSignals() {}
