package main

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
)

// What is logged is one line, whatever is in it.
func TestLogLine(t *testing.T) {
	t.Parallel()
	var said string
	log := slog.New(lineHandler{say: func(format string, args ...any) { said = fmt.Sprintf(format, args...) }})
	log.With("shard", "a\r\nb").Warn("it\nfailed", "reason", errors.New("first\n second\n"))
	if want := "it | failed, shard a | b, reason first | second"; said != want {
		t.Errorf("%q, want %q", said, want)
	}
}
