//go:build unix

package dynamodblocal

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A script plays Java.
func TestStartErrors(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		is     error
		has    []string
	}{
		"old": {
			script: `[ "$1" = -version ] && { echo 'openjdk version "11.0.2" 2019-01-15' >&2; exit; }
echo 'Error: LinkageError occurred while loading main class
	java.lang.UnsupportedClassVersionError: X has been compiled by a more recent version' >&2; exit 1`,
			is:  ErrJavaTooOld,
			has: []string{"is Java 11.0.2", "needs 17 or later", "--java"},
		},
		"broken": {
			script: "echo 'Exception in thread \"main\" java.lang.Error: no luck'; echo '	at x.Y.main(Y.java)'; exit 3",
			has:    []string{"exit status 3", `java.lang.Error: no luck`},
		},
		"silent": {script: "exit 0", has: []string{"ended before it was ready: exit status 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			java := filepath.Join(t.TempDir(), "java")
			if err := os.WriteFile(java, []byte("#!/bin/sh\n"+c.script+"\n"), 0o777); err != nil {
				t.Fatal(err)
			}
			_, err := start(t.Context(), java, nil, nil, 1, slog.New(slog.DiscardHandler))
			if err == nil || c.is != nil && !errors.Is(err, c.is) {
				t.Fatal(err)
			}
			for _, has := range append(c.has, "") {
				if !strings.Contains(err.Error(), has) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "Y.java") {
					t.Fatalf("%q, want %q", err, has)
				}
			}
		})
	}
}
