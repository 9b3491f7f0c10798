package main

import (
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// What quote prints must come out of a shell as it went in.
func TestQuote(t *testing.T) {
	if got := quote([]string{"/usr/bin/java", "-Dx=1", "a:b", ""}); runtime.GOOS != "windows" && got != "/usr/bin/java -Dx=1 a:b ''" {
		t.Errorf("more quotes than needed: %s", got)
	}
	sh, err := exec.LookPath("sh")
	if err != nil {
		if runtime.GOOS != "windows" {
			t.Fatal(err)
		}
		t.Skip("no POSIX shell on this system")
	}
	args := []string{"plain", "", "two words", "it's", `"quoted"`, `back\slash`, "$HOME `id` $(id)", "*", "~", "#x", "a;b&c|d<e>f", "new\nline", "naïve", "!x", "{a,b}"}
	out, err := exec.Command(sh, "-c", "printf '%s\\0' "+quote(args)).Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); !slices.Equal(got, args) {
		t.Errorf("got  %q\nwant %q", got, args)
	}
}
