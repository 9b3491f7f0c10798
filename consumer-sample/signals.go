package main

import (
	"context"
	"os"
	"os/signal"
	"time"
)

// sameSignal is how long after the first signal another one is taken for the
// same wish: Ctrl-C reaches the whole group, and a parent in it may pass it on.
const sameSignal = time.Second

// catchSignals returns a context that the first signal to stop ends, and a
// channel that the second one closes if it comes a second later or more.
func catchSignals() (context.Context, <-chan struct{}) {
	ctx, cancel := context.WithCancel(context.Background())
	kill := make(chan struct{})
	signals := make(chan os.Signal, 2)
	for _, s := range stopSignals {
		// One that is ignored from the start (nohup, a shell's background
		// job) stays so.
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	keepOutput()
	go func() {
		<-signals
		cancel()
		for first := time.Now(); time.Since(first) < sameSignal; {
			<-signals
		}
		close(kill)
	}()
	return ctx, kill
}
