package bootstrap

import (
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

// Characters are UTF-8 afterwards, and everything else is as it was.
func TestUTF8Locale(t *testing.T) {
	if runtime.GOOS != "linux" {
		if got := utf8Locale([]string{"LC_ALL=C"}); len(got) != 1 {
			t.Errorf("%q", got)
		}
		return
	}
	for _, tt := range []struct {
		env     string
		ctype   string // what holds for characters
		collate string // and for another category
	}{
		{"", "C.UTF-8", ""},
		{"LANG=en_US.UTF-8", "en_US.UTF-8", "en_US.UTF-8"},
		{"LANG=de_DE", "C.UTF-8", "de_DE"},
		{"LANG=de_DE LC_CTYPE=de_DE.utf8", "de_DE.utf8", "de_DE"},
		{"LANG=en_US.UTF-8 LC_ALL=POSIX", "C.UTF-8", "POSIX"},
		{"LC_ALL=en_US.UTF-8 LANG=C", "en_US.UTF-8", "en_US.UTF-8"},
		{"LC_CTYPE=C LANG=en_US.UTF-8", "C.UTF-8", "en_US.UTF-8"},
	} {
		given := append(strings.Fields(tt.env), "OTHER=1")
		// A process sees of several the last.
		cmd := exec.Command("/usr/bin/env")
		cmd.Env = utf8Locale(given)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		values := make(map[string]string)
		for line := range strings.Lines(string(out)) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			values[name] = value
		}
		first := func(names ...string) string {
			for _, name := range names {
				if values[name] != "" {
					return values[name]
				}
			}
			return ""
		}
		if got := first("LC_ALL", "LC_CTYPE", "LANG"); got != tt.ctype {
			t.Errorf("%q: LC_CTYPE is %q, want %q", tt.env, got, tt.ctype)
		}
		if got := first("LC_ALL", "LC_COLLATE", "LANG"); got != tt.collate {
			t.Errorf("%q: LC_COLLATE is %q, want %q", tt.env, got, tt.collate)
		}
		if values["OTHER"] != "1" {
			t.Errorf("%q: the rest of the environment is lost", tt.env)
		}
	}
}
