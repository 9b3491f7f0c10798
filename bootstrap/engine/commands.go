package engine

import (
	"encoding/json"
	"slices"
	"sync"
)

// commands are the commands that were not sent to Java yet, one per line.
type commands struct {
	added chan struct{} // has a value after a command was added

	mu    sync.Mutex
	lines []byte
	ended bool // commands are dropped
}

func (c *commands) add(command map[string]any) {
	line, err := json.Marshal(command)
	if err != nil {
		panic(err) // impossible with strings and numbers
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.lines = append(append(c.lines, line...), '\n')
	select {
	case c.added <- struct{}{}:
	default:
	}
}

// take removes the commands and returns them in order.
func (c *commands) take() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := slices.Clone(c.lines)
	c.lines = c.lines[:0]
	return lines
}

// end drops these and all later commands.
func (c *commands) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines, c.ended = nil, true
}
