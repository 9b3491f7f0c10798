package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args           string
		status         int
		stdout, stderr string
	}{
		{"--help", 0, "Examples:", ""},
		{"protocol --help", 0, "--rounds number", ""},
		{"", 2, "", "name one bench"},
		{"java --help", 0, "--with options", ""},
		{"local", 2, "", "name one bench"},
		{"protocol protocol", 2, "", "name one bench"},
		{"protocol --rounds 0", 2, "", "--rounds 0 is less than 1"},
		{"java --only (", 2, "", "missing closing )"},
		{"protocol --fast", 2, "", "unknown flag"},
	} {
		var stdout, stderr bytes.Buffer
		status := run(t.Context(), strings.Fields(c.args), &stdout, &stderr)
		if status != c.status || !strings.Contains(stdout.String(), c.stdout) || !strings.Contains(stderr.String(), c.stderr) {
			t.Errorf("%q: status %d, %s%s", c.args, status, &stdout, &stderr)
		}
		if c.status == 2 && (stdout.Len() > 0 || strings.Count(stderr.String(), "\n") != 1) {
			t.Errorf("%q: %s%s", c.args, &stdout, &stderr)
		}
	}
}
