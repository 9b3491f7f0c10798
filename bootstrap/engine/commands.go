package engine

import (
	"encoding/json"
	"slices"
	"sync"
)

// commands are those that Java has not got yet, a line each. They are few.
type commands struct {
	news chan struct{} // has a value when there are any

	mu    sync.Mutex
	lines []byte
	ended bool // nobody takes them any more
}

func (c *commands) add(command map[string]any) {
	line, err := json.Marshal(command)
	if err != nil {
		panic(err) // strings and numbers alone
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.lines = append(append(c.lines, line...), '\n')
	select {
	case c.news <- struct{}{}:
	default:
	}
}

// take returns them, in the order in which they came.
func (c *commands) take() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := slices.Clone(c.lines)
	c.lines = c.lines[:0]
	return lines
}

// end drops these and all further ones.
func (c *commands) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines, c.ended = nil, true
}
