//go:build unix

package rivals

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// npm puts a script called npm on PATH, which stands for the real one: what is
// tested here is what happens around it.
func npm(t *testing.T, script string) { command(t, "npm", script) }

func command(t *testing.T, name, script string) {
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
}

func TestInstallsOnceAndAgainAfterAFailure(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	npm(t, `echo half > "$3/half"; echo no network >&2; exit 1`)
	if _, err := NPM(t.Context(), "thing", "1.0"); err == nil || !strings.Contains(err.Error(), "no network") {
		t.Fatal(err)
	}
	npm(t, `echo x >> "$3/runs"`)
	for range 2 {
		dir, err := NPM(t.Context(), "thing", "1.0")
		if err != nil {
			t.Fatal(err)
		}
		if runs, _ := os.ReadFile(filepath.Join(dir, "runs")); string(runs) != "x\n" {
			t.Errorf("npm has run %d times into this folder", strings.Count(string(runs), "x"))
		}
		if _, err := os.Stat(filepath.Join(dir, "half")); err == nil {
			t.Error("the files of a failed run are still there")
		}
	}
}

func TestNoNPM(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("PATH", t.TempDir())
	if _, err := NPM(t.Context(), "thing", "1.0"); err == nil || !strings.Contains(err.Error(), "no npm on PATH") {
		t.Error(err)
	}
}

func TestPythonSource(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	real, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	// pip's download is an archive with one folder; what unpacks it is real.
	command(t, "python3", `
if [ "$1" = -c ]; then exec `+real+` "$@"; fi
while [ "$1" != --dest ]; do shift; done
dest=$2
[ "$3" = a-thing==1.0 ] || exit 1
mkdir "$dest/in" "$dest/in/a_thing-1.0" && echo text >"$dest/in/a_thing-1.0/PKG-INFO" &&
	tar -C "$dest/in" -czf "$dest/a_thing-1.0.tar.gz" a_thing-1.0 && rm -r "$dest/in"
`)
	dir, err := PythonSource(t.Context(), "a-thing", "1.0")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "PKG-INFO")); string(text) != "text\n" {
		t.Error(err)
	}
	again, err := PythonSource(t.Context(), "a-thing", "1.0")
	if err != nil || again != dir {
		t.Errorf("%s, %v; want %s", again, err, dir)
	}
}
