//go:build unix

package sample

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Ctrl-C at the terminal reaches the foreground group. If the compiler were in it, it could
// end before this program is interrupted, which would report a failed build.
func TestBuildIsNotInTheForegroundGroup(t *testing.T) {
	bin := t.TempDir()
	script := "#!/bin/sh\nps -o pgid= -p $$\nexit 1\n"
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	err := Build(t.Context(), t.TempDir(), t.TempDir())
	if err == nil {
		t.Fatal("no error of a failed build")
	}
	text := err.Error()
	group, convErr := strconv.Atoi(strings.TrimSpace(text[strings.LastIndex(text, ":")+1:]))
	if convErr != nil || group == syscall.Getpgrp() {
		t.Errorf("%v: the compiler runs in group %d, this program in %d", err, group, syscall.Getpgrp())
	}
}
