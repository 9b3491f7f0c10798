//go:build unix

package bootstrap

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

// Without a home, or with one that is not the user's own, the error says what to
// set.
func TestNoFolderForTheJars(t *testing.T) {
	variable := "XDG_CACHE_HOME"
	if runtime.GOOS == "darwin" {
		variable = "HOME"
	}
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, environment := range map[string][]string{
		"no home":            {"HOME=", "XDG_CACHE_HOME="},
		"no folder is there": {"HOME=/dev/null", "XDG_CACHE_HOME="},
		"a file is there":    {"HOME=" + file, "XDG_CACHE_HOME="},
		"it is not writable": {"HOME=/proc", "XDG_CACHE_HOME="},
		"another cache":      {"HOME=" + file, "XDG_CACHE_HOME=/proc/x"},
		"a relative one":     {"HOME=" + file, "XDG_CACHE_HOME=x"},
	} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(append(role("fetches"), "GORACE=atexit_sleep_ms=0"), environment...)
		out, err := cmd.CombinedOutput()
		got := string(out)
		if err != nil || strings.Count(got, "\n") != 1 || !strings.Contains(got, "folder for the jars") ||
			!strings.HasSuffix(got, "; name another one with --jar-path (in Go FetchOptions.CacheDir), or set "+variable+"\n") {
			t.Errorf("%s: %v, %s", name, err, got)
		}
	}
}
