package main

import (
	"errors"
	"strings"
	"testing"
)

func TestProtocolUsage(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--rounds 0", "--rounds 0 is not between"},
		{"--quick -n 5", "exclude each other"},
		{"quick", `unexpected argument "quick"`},
		{"--fast", "unknown flag"},
	} {
		err := benchProtocol(t.Context(), strings.Fields(c.args), nil, nil)
		if !errors.As(err, new(usageError)) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.args, err, c.want)
		}
	}
	var help strings.Builder
	if err := benchProtocol(t.Context(), []string{"--help"}, &help, nil); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(help.String(), "\n"); n > 24 || !strings.Contains(help.String(), "--json FILE") {
		t.Errorf("%d lines:\n%s", n, &help)
	}
}
