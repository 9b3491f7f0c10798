package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap/engine"
)

// What is logged is one line in the end, whatever is in it.
func TestLogLine(t *testing.T) {
	t.Parallel()
	var said string
	log := slog.New(lineHandler{say: func(format string, args ...any) { said = fmt.Sprintf(format, args...) }})
	log.With("shard", "a\r\nb").Warn("it\nfailed", "reason", errors.New("first\n second\n"))
	if want := "it\nfailed, shard a\r\nb, reason first\n second\n"; said != want { // say makes a line of it
		t.Errorf("%q, want %q", said, want)
	}
	line := logLine(time.Time{}, engine.LogRecord{
		Level: slog.LevelWarn, Logger: "a.b\x1b]", Message: "one\ntwo\x1b[1A\u009b2J", LeaseKey: "s", Causes: []engine.Cause{{Class: "c\r\x00", Message: "m\u202e"}},
	})
	if want := "0001-01-01T00:00:00.000Z WARN  b\uFFFD] - one | two\uFFFD[1A\uFFFD2J | shard s | c | \uFFFD: m\uFFFD\n"; line != want {
		t.Errorf("%q", line)
	}
}

// So is what the command says.
func TestSay(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	(&command{stderr: file}).say("stopped %s: %v", "it", errors.New("first\n second\nkcl-bootstrap: done\x1b[2J"))
	got, err := os.ReadFile(file.Name())
	if want := "kcl-bootstrap: stopped it: first | second | kcl-bootstrap: done\uFFFD[2J\n"; err != nil || string(got) != want {
		t.Errorf("%q, %v", got, err)
	}
}
