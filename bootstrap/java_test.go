package bootstrap

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
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
	release(t, home, "17.0.1")
	stub := t.TempDir() // what macOS has
	executable(t, stub, "java")
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
		{"flag: nothing there", filepath.Join(empty, "x"), home, bin, "", "no Java: " + filepath.Join(empty, "x") + ": no such file; name another java command"},
		{"JAVA_HOME", "", home, empty, java, ""},
		{"JAVA_HOME is wrong", "", empty, bin, "", "no such file; correct JAVA_HOME, or unset it, and one is fetched"},
		{"PATH", "", "", bin, java, ""},
		{"nowhere", "", "", empty, "", "JAVA_HOME is not set and PATH has no java; install Java 17 or later, or set JAVA_HOME"},
		{"no Java in PATH", "", "", stub, "", "no Java: cannot determine the version of " + stub},
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
			got, err := FindJava(tt.path, 0)
			if got != tt.want || (err == nil) != (tt.err == "") {
				t.Fatalf("%q, %v, want %q", got, err, tt.want)
			}
			if err != nil && (!errors.Is(err, ErrNoJava) || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "--java")) {
				t.Errorf("%v, want %q", err, tt.err)
			}
			if got := fetchesJava(t, tt.path, 0); got != (err != nil && tt.path == "" && tt.home == "") {
				t.Errorf("%v: fetches one: %t", err, got)
			}
		})
	}
}

// fetchesJava reports whether FindOrFetchJava tries to fetch one.
func fetchesJava(t *testing.T, path string, minVersion int) bool {
	t.Helper()
	_, err := FindOrFetchJava(t.Context(), path, minVersion, &FetchOptions{Offline: true, CacheDir: t.TempDir()})
	return errors.Is(err, ErrOffline) || errors.Is(err, errNoRuntime)
}

func release(t *testing.T, home, version string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(home, "release"), []byte("JAVA_VERSION=\""+version+"\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A Java that is too old is replaced unless the user has named it.
func TestFindOldJava(t *testing.T) {
	home := t.TempDir()
	bin := filepath.Join(home, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	executable(t, bin, "java")
	release(t, home, "11.0.1")
	for _, tt := range []struct {
		path, home, search string
		fetches            bool
		want               string
	}{
		{home, "", "", false, " is version 11, and 17 or later is needed; name another java command or Java installation"},
		{"", home, "", false, " is version 11, and 17 or later is needed; correct JAVA_HOME, or unset it, and one is fetched"},
		{"", "", bin, true, " is version 11, and 17 or later is needed; install Java 17 or later, or set JAVA_HOME"},
	} {
		t.Setenv("JAVA_HOME", tt.home)
		t.Setenv("PATH", tt.search)
		_, err := FindJava(tt.path, 17)
		if !errors.Is(err, ErrOldJava) || !strings.HasSuffix(err.Error(), tt.want) {
			t.Errorf("%+v: error %v, want ErrOldJava and %q", tt, err, tt.want)
		}
		if got := fetchesJava(t, tt.path, 17); got != tt.fetches {
			t.Errorf("%+v: fetches one: %t", tt, got)
		}
		if _, err := FindJava(tt.path, 11); err != nil {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

// The file release tells the version, or else the command itself.
func TestJavaVersion(t *testing.T) {
	for _, tt := range []struct {
		name, release, printed string
		want                   int // 0: an error
	}{
		{"release", "IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"17.0.15\"\n", "", 17},
		{"Java 8", "JAVA_VERSION=\"1.8.0_412\"\n", "", 8},
		{"early access", "JAVA_VERSION=\"26-ea\"", "", 26},
		{"no release", "", "Picked up _JAVA_OPTIONS: -Dversion=\"9\"\nopenjdk version \"21.0.1\" 2023-10-17", 21},
		{"somebody else's release", "VERSION=\"9\"", "java version \"1.8.0_412\"", 8},
		{"no Java", "", "hello", 0},
		{"neither", "", "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			home := t.TempDir()
			if tt.release != "" {
				if err := os.WriteFile(filepath.Join(home, "release"), []byte(tt.release), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			script := "#!/bin/sh\nexit 1\n"
			if tt.printed != "" {
				if runtime.GOOS == "windows" {
					t.Skip("it has no scripts that begin with #!")
				}
				script = "#!/bin/sh\ncat >&2 <<'END'\n" + tt.printed + "\nEND\n"
			}
			if err := os.Mkdir(filepath.Join(home, "bin"), 0o700); err != nil {
				t.Fatal(err)
			}
			java := filepath.Join(home, "bin", "java")
			if err := os.WriteFile(java, []byte(script), 0o700); err != nil {
				t.Fatal(err)
			}
			if runtime.GOOS != "windows" {
				link := filepath.Join(t.TempDir(), "java")
				if err := os.Symlink(java, link); err != nil {
					t.Fatal(err)
				}
				java = link
			}
			got, err := javaVersion(java)
			if got != tt.want || (err == nil) != (tt.want != 0) {
				t.Fatalf("%d, %v, want %d", got, err, tt.want)
			}
			if err != nil && !strings.Contains(err.Error(), java) {
				t.Errorf("%v, want that it names the command", err)
			}
		})
	}
}
