package engine

import (
	"context"
	"log/slog"
	"strings"
	"sync"
)

// complaints are what Java writes to its standard output and standard error,
// where the entry writes nothing: that it has no memory, or a bad option.
type complaints struct {
	log *slog.Logger

	mu     sync.Mutex
	reason string
}

// Write takes a line.
func (c *complaints) Write(p []byte) (int, error) {
	line := oneLine(string(p))
	level := slog.LevelWarn
	if strings.HasPrefix(line, "Picked up ") { // an option in the environment, as somebody has set it
		level = slog.LevelDebug
	}
	c.log.Log(context.Background(), level, "Java says", "line", line)
	c.mu.Lock()
	defer c.mu.Unlock()
	// The first one tells most, but that its memory is at an end is the last.
	ordinary := line == "" || strings.HasPrefix(line, "Error: A JNI error has occurred") || // the next line says which
		line == "#" || strings.HasPrefix(line, "Picked up ") || strings.Contains(strings.ToUpper(line), "WARNING: ")
	if c.reason == "" && !ordinary || strings.HasPrefix(line, "Terminating due to ") {
		c.reason = line
	}
	return len(p), nil
}

// forget forgets what did not keep Java from working.
func (c *complaints) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reason = ""
}

// last returns the reason that Java has given for its end, if any.
func (c *complaints) last() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reason
}
