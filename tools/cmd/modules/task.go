package main

import (
	"fmt"
	"io"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// A task is one run of this command.
type task struct {
	options
	ws             *workspace.Workspace
	stdout, stderr io.Writer
}

// step runs f and prints one line with its name and the seconds that it took.
func (t *task) step(name string, f func() error) error {
	start := time.Now()
	err := f()
	result := "ok"
	if err != nil {
		result = "failed"
	}
	fmt.Fprintf(t.stderr, "%-40s %6.1f s  %s\n", name, time.Since(start).Seconds(), result)
	return err
}
