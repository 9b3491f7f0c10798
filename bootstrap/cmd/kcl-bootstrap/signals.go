package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"time"
)

var errStopped = errors.New("a signal asked to stop")

// sameSignal is how long after the first signal another one counts as the same: Ctrl-C
// reaches the whole group, and a parent in it may pass it on.
const sameSignal = time.Second

// catchSignals returns a context that the first signal to stop ends, with errStopped, and a
// channel that another one closes, at least a second later.
func catchSignals(parent context.Context) (context.Context, <-chan struct{}) {
	ctx, cancel := context.WithCancelCause(parent)
	kill := make(chan struct{})
	signals := make(chan os.Signal, 2)
	for _, s := range stopSignals {
		// A signal that is ignored from the start (nohup, a shell's background job) stays
		// ignored, here and in Java.
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	keepOutput()
	go func() {
		<-signals
		cancel(errStopped)
		for first := time.Now(); time.Since(first) < sameSignal; {
			<-signals
		}
		close(kill)
	}()
	return ctx, kill
}
