package bootstrap

import (
	"path"
	"slices"
	"strings"
	"testing"
)

const someSum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestParseLock(t *testing.T) {
	text := "# a comment\r\n\n" +
		"org.example:plain:1.0 " + someSum + " 10\r\n" +
		"  org.example:native:so:2.0-rc+1\t" + someSum + "\t20 # the library\n" +
		"g:a:zip:linux-x86_64:3 " + someSum + " 30"
	lock, err := ParseLock("test", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := []struct{ coordinate, path string }{
		{"org.example:plain:1.0", "org/example/plain/1.0/plain-1.0.jar"},
		{"org.example:native:so:2.0-rc+1", "org/example/native/2.0-rc+1/native-2.0-rc+1.so"},
		{"g:a:zip:linux-x86_64:3", "g/a/3/a-3-linux-x86_64.zip"},
	}
	if len(lock.Artifacts) != len(want) || lock.Size() != 60 {
		t.Fatalf("%d artifacts, %d bytes, want %d and 60", len(lock.Artifacts), lock.Size(), len(want))
	}
	for i, a := range lock.Artifacts {
		if a.String() != want[i].coordinate || a.Path() != want[i].path {
			t.Errorf("artifact %d: %s at %s, want %s at %s", i, a, a.Path(), want[i].coordinate, want[i].path)
		}
	}
}

// Guarantee: Nothing is written outside the cache, whatever coordinates and symbolic
// links say.
func TestParseLockErrors(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "# nothing\n", "names no file"},
		{"two fields", "g:a:1 " + someSum, "line 1: 2 fields"},
		{"four fields", "g:a:1 " + someSum + " 10 10", "line 1: 4 fields"},
		{"line number", "\n#\ng:a " + someSum + " 10", "line 3"},
		{"two parts", "g:a " + someSum + " 10", "want group:artifact:version"},
		{"six parts", "g:a:b:c:d:e " + someSum + " 10", "want group:artifact:version"},
		{"empty part", "g::1 " + someSum + " 10", "a part is empty"},
		{"up", "g:..:1 " + someSum + " 10", "not allowed"},
		{"up in a group", "a..b:c:1 " + someSum + " 10", "not allowed"},
		{"slash", "g:a/b:1 " + someSum + " 10", "not allowed"},
		{"backslash", `g:a\b:1 ` + someSum + " 10", "not allowed"},
		{"dot at the end", "g:a:1. " + someSum + " 10", "not allowed"},
		{"hidden", ".g:a:1 " + someSum + " 10", "not allowed"},
		{"option", "g:-a:1 " + someSum + " 10", "not allowed"},
		{"not ASCII", "g:ä:1 " + someSum + " 10", "not allowed"},
		{"short hash", "g:a:1 " + someSum[2:] + " 10", "SHA-256"},
		{"odd hash", "g:a:1 " + someSum[1:] + " 10", "SHA-256"},
		{"long hash", "g:a:1 " + someSum + "00 10", "SHA-256"},
		{"capitals in the hash", "g:a:1 " + strings.ToUpper(someSum) + " 10", "SHA-256"},
		{"no hash", "g:a:1 " + strings.Repeat("x", 64) + " 10", "SHA-256"},
		{"size 0", "g:a:1 " + someSum + " 0", "the size"},
		{"negative size", "g:a:1 " + someSum + " -1", "the size"},
		{"signed size", "g:a:1 " + someSum + " +1", "the size"},
		{"huge size", "g:a:1 " + someSum + " 9999999999999", "the size"},
		{"twice", "g:a:1 " + someSum + " 1\ng:a:1 " + someSum + " 1", "line 2: g:a:1 is on line 1 already"},
		{"twice, spelt out", "g:a:1 " + someSum + " 1\ng:a:jar:1 " + someSum + " 1", "on line 1 already"},
		{"twice, case apart", "g:a:1 " + someSum + " 1\ng:A:1 " + someSum + " 1", "on line 1 already"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lock, err := ParseLock("test", []byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "lock of test") {
				t.Errorf("%v, %v, want an error with %q", lock, err, tt.want)
			}
		})
	}
}

func TestDaemonLocks(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lock  func() *Lock
		files int
		size  int64
	}{
		{"slim", DaemonLock, 78, 33_695_119},
		{"full", DaemonFullLock, 133, 77_131_774},
	} {
		lock := tt.lock()
		if len(lock.Artifacts) != tt.files || lock.Size() != tt.size {
			t.Errorf("%s: %d artifacts, %d bytes", tt.name, len(lock.Artifacts), lock.Size())
		}
		if !slices.IsSortedFunc(lock.Artifacts, func(a, b Artifact) int { return strings.Compare(a.String(), b.String()) }) {
			t.Errorf("%s: not sorted", tt.name)
		}
		if lock != tt.lock() {
			t.Errorf("%s: not the same lock at each call", tt.name)
		}
	}
	full := make(map[Artifact]bool)
	for _, a := range DaemonFullLock().Artifacts {
		full[a] = true
	}
	for _, a := range DaemonLock().Artifacts {
		if !full[a] {
			t.Errorf("%s is in the slim lock, but not the same in the full one", a)
		}
	}
}

func FuzzParseLock(f *testing.F) {
	f.Add([]byte("g:a:1 " + someSum + " 10"))
	f.Add([]byte("g.h:a:so:linux:1 " + someSum + " 10 # c\n\n#\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		lock, err := ParseLock("fuzz", text)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("an error of more than one line: %q", err)
			}
			return
		}
		for _, a := range lock.Artifacts {
			p := a.Path()
			if path.Clean("/"+p) != "/"+p || strings.ContainsAny(p, `\: `) || strings.HasPrefix(p, "/") {
				t.Errorf("%s leads to %q", a, p)
			}
			if again, err := parseCoordinate(a.String()); err != nil || again != a.Coordinate {
				t.Errorf("%s is read as %v, %v", a, again, err)
			}
		}
	})
}
