package engine

import (
	"context"
	"log/slog"
	"strings"
	"sync"
)

// javaOutput is what Java itself writes to its standard output and standard error,
// for example that it has no memory, or about a bad option. The entry writes nothing
// there.
type javaOutput struct {
	log *slog.Logger

	mu     sync.Mutex
	reason string
}

// Write is called with one line.
func (o *javaOutput) Write(p []byte) (int, error) {
	line := oneLine(string(p))
	level := slog.LevelWarn
	if strings.HasPrefix(line, "Picked up ") { // an option from the environment
		level = slog.LevelDebug
	}
	o.log.Log(context.Background(), level, "Java says", "line", line)
	o.mu.Lock()
	defer o.mu.Unlock()
	// The first line says most, except that the end of the memory comes last.
	ordinary := line == "" || strings.HasPrefix(line, "Error: A JNI error has occurred") || // the next line says which one
		line == "#" || strings.HasPrefix(line, "Picked up ") || strings.Contains(strings.ToUpper(line), "WARNING: ")
	if o.reason == "" && !ordinary || strings.HasPrefix(line, "Terminating due to ") {
		o.reason = line
	}
	return len(p), nil
}

// forget drops the reason, which did not keep Java from starting.
func (o *javaOutput) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reason = ""
}

// lastReason returns the reason for Java's end, as far as its output gives one.
func (o *javaOutput) lastReason() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.reason
}
