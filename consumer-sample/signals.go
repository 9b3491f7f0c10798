package main

import (
	"context"
	"os"
	"os/signal"
	"time"
)

// sameSignal is how long after the first signal another one counts as the same
// request: Ctrl-C reaches all processes of the terminal's group, and a parent process
// may pass it on to its children.
const sameSignal = time.Second

// catchSignals returns a context that ends at the first signal to stop, and a channel
// that is closed at the next one that comes at least a second later.
func catchSignals() (context.Context, <-chan struct{}) {
	ctx, cancel := context.WithCancel(context.Background())
	kill := make(chan struct{})
	signals := make(chan os.Signal, 2)
	for _, s := range stopSignals {
		// A signal that was ignored at the start, as nohup does, stays ignored.
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	ignoreOutputSignals()
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
