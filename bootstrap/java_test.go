package bootstrap

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFindJava(t *testing.T) {
	home := t.TempDir()
	bin := filepath.Join(home, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	java := filepath.FromSlash(executable(t, bin, "java"))
	empty := t.TempDir()
	t.Chdir(empty)
	if err := os.Mkdir("java", 0o755); err != nil { // must not be taken for one
		t.Fatal(err)
	}
	relative, err := filepath.Rel(empty, java)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, path, home, search string
		want                     string // the path, or if it failed...
		err                      string // ...this in the error
	}{
		{"flag: the command", java, empty, empty, java, ""},
		{"flag: a relative path", relative, "", empty, java, ""},
		{"flag: an installation", home, empty, empty, java, ""},
		{"flag: a name in PATH", filepath.Base(java), empty, bin, java, ""},
		{"flag: nothing there", filepath.Join(empty, "x"), home, bin, "", "--java: "},
		{"JAVA_HOME", "", home, empty, java, ""},
		{"JAVA_HOME is wrong", "", empty, bin, "", "JAVA_HOME: "},
		{"PATH", "", "", bin, java, ""},
		{"nowhere", "", "", empty, "", "JAVA_HOME is not set and PATH has no java"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "flag: a name in PATH" {
				if err := os.Remove("java"); err != nil {
					t.Fatal(err)
				}
				defer os.Mkdir("java", 0o755)
			}
			t.Setenv("JAVA_HOME", tt.home)
			t.Setenv("PATH", tt.search)
			got, err := FindJava(tt.path)
			if got != tt.want || (err == nil) != (tt.err == "") {
				t.Fatalf("%q, %v, want %q", got, err, tt.want)
			}
			if err != nil && (!errors.Is(err, ErrNoJava) || !strings.Contains(err.Error(), tt.err) || !strings.Contains(err.Error(), "install Java")) {
				t.Errorf("%v, want %q", err, tt.err)
			}
		})
	}
}
