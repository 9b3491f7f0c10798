package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestUsage(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), []string{"--help"}, &stdout, &stderr); status != 0 || stderr.Len() > 0 {
		t.Errorf("--help: status %d, %s", status, &stderr)
	}
	for _, b := range benches {
		if !strings.Contains(stdout.String(), "  "+b.name+" ") {
			t.Errorf("--help does not list %s", b.name)
		}
		var help, errOut bytes.Buffer
		if status := run(t.Context(), []string{b.name, "--help"}, &help, &errOut); status != 0 || !strings.Contains(help.String(), "Example:") || errOut.Len() > 0 {
			t.Errorf("%s --help: status %d, %s%s", b.name, status, &help, &errOut)
		}
		for _, args := range [][]string{{b.name, "--fly"}, {b.name, "extra"}, {b.name, "--rounds", "0"}} {
			var out, errOut bytes.Buffer
			if status := run(t.Context(), args, &out, &errOut); status != 2 || strings.Count(errOut.String(), "\n") != 1 || out.Len() > 0 {
				t.Errorf("%v: status %d, %s%s", args, status, &out, &errOut)
			}
		}
	}
	if status := run(t.Context(), []string{"nothing"}, &stdout, &stderr); status != 2 {
		t.Errorf("a bench that is not there: status %d", status)
	}
}
