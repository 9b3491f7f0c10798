//go:build unix

package dynamodblocal

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// script returns the path of a shell script that plays Java.
func script(t *testing.T, text string) string {
	t.Helper()
	java := filepath.Join(t.TempDir(), "java")
	if err := os.WriteFile(java, []byte("#!/bin/sh\n"+text+"\n"), 0o777); err != nil {
		t.Fatal(err)
	}
	return java
}

func TestEndedContext(t *testing.T) {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, errors.New("no time left"))
	defer cancel()
	if _, err := start(ctx, script(t, "exec sleep 60"), nil, 1, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "no time left") {
		t.Fatal(err)
	}
}

func TestStartErrors(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		has    []string
	}{
		"old": {
			script: `echo 'Error: LinkageError occurred while loading main class
	java.lang.UnsupportedClassVersionError: X has been compiled by a more recent version' >&2; exit 1`,
			has: []string{"/java is too old", "needs Java 17 or later", "--java"},
		},
		"broken": {
			script: "echo 'Exception in thread \"main\" java.lang.Error: no luck'; echo '	at x.Y.main(Y.java)'; exit 3",
			has:    []string{"exit status 3", `java.lang.Error: no luck`},
		},
		"silent": {script: "exit 0", has: []string{"ended before it was ready: exit status 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := start(t.Context(), script(t, c.script), nil, 1, slog.New(slog.DiscardHandler))
			if err == nil {
				t.Fatal("started")
			}
			for _, has := range append(c.has, "") {
				if !strings.Contains(err.Error(), has) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "Y.java") {
					t.Fatalf("%q, want %q", err, has)
				}
			}
		})
	}
}
