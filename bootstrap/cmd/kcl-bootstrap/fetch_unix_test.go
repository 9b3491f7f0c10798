//go:build unix

package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
)

// A mirror is a repository with so many files, which it sends in pieces.
type mirror struct {
	*httptest.Server
	lock     *bootstrap.Lock
	lockText string

	mu    sync.Mutex
	views []*view
}

// A view is the mirror under an address of its own, so that what one process
// asks for is not taken for what another does.
type view struct {
	url      string
	requests atomic.Int64
	// piece, if not nil, is called before each of the four pieces of a file;
	// false breaks the connection.
	piece func(r *http.Request) bool
}

func newMirror(t *testing.T, files int) *mirror {
	t.Helper()
	m := &mirror{}
	contents := make(map[string][]byte)
	var text strings.Builder
	for i := range files {
		content := bytes.Repeat([]byte{byte(i), 'j', 'a', 'r'}, 2500)
		c := bootstrap.Coordinate{Group: "org.example", Artifact: fmt.Sprintf("a%d", i), Extension: "jar", Version: "1"}
		contents[c.Path()] = content
		fmt.Fprintf(&text, "%s %x %d\n", c, sha256.Sum256(content), len(content))
	}
	m.lockText = text.String()
	var err error
	if m.lock, err = bootstrap.ParseLock("test", []byte(m.lockText)); err != nil {
		t.Fatal(err)
	}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		number, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		i, err := strconv.Atoi(number)
		content, ok := contents[path]
		if err != nil || !ok {
			http.NotFound(w, r)
			return
		}
		m.mu.Lock()
		v := m.views[i]
		m.mu.Unlock()
		v.requests.Add(1)
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		for len(content) > 0 {
			if v.piece != nil && !v.piece(r) {
				panic(http.ErrAbortHandler)
			}
			n := min(len(content), 2500)
			w.Write(content[:n])
			w.(http.Flusher).Flush()
			content = content[n:]
		}
	}))
	t.Cleanup(m.Close)
	return m
}

func (m *mirror) view(piece func(*http.Request) bool) *view {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := &view{url: fmt.Sprintf("%s/%d", m.URL, len(m.views)), piece: piece}
	m.views = append(m.views, v)
	return v
}

// fetch returns the command that fetches the mirror's files from a repository
// into a cache.
func (m *mirror) fetch(t *testing.T, repo, cache string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "fetch", "-c", cache, "--repo", repo)
	cmd.Env = append(os.Environ(), lockVariable+"="+m.lockText, "GORACE=atexit_sleep_ms=0")
	return cmd
}

// check looks at everything in a cache: a file that has the name of one of the
// lock's is that file. It returns how many there are, and the other names.
func (m *mirror) check(t *testing.T, cache string) (whole int, others []string) {
	t.Helper()
	sums := make(map[string][32]byte)
	for _, a := range m.lock.Artifacts {
		sums[a.Path()] = a.SHA256
	}
	err := filepath.WalkDir(cache, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		path, err := filepath.Rel(cache, name)
		if err != nil {
			return err
		}
		sum, ok := sums[filepath.ToSlash(path)]
		switch {
		case !ok:
			others = append(others, d.Name())
		case sum != sha256.Sum256(text):
			t.Errorf("%s is not what the lock names", path)
		default:
			whole++
		}
		return nil
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return whole, others
}

// Killed at any moment of the download, it leaves nothing under a jar's name
// but the jar, and the next run completes the cache and tidies it.
//
// Guarantee: A download that is killed at any moment is repaired by the next one.
func TestFetchKilled(t *testing.T) {
	t.Parallel()
	const files = 12
	m := newMirror(t, files)
	killed, rounds := 0, 10
	if os.Getenv("LONG_TESTS") != "" {
		rounds = 20
	}
	for round := range rounds {
		cache := filepath.Join(t.TempDir(), "cache")
		// One of the pieces that the run asks for is not sent: it comes to
		// that point at the latest, and some of its other downloads may be
		// at any other.
		var pieces atomic.Int64
		last := 1 + rand.Int64N(files*4)
		reached := make(chan struct{})
		first := m.view(func(r *http.Request) bool {
			if n := pieces.Add(1); n == last {
				close(reached)
			} else if n < last {
				return true
			}
			<-r.Context().Done()
			return false
		})
		cmd := m.fetch(t, first.url, cache)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		<-reached
		cmd.Process.Kill()
		if err := cmd.Wait(); err == nil {
			t.Fatalf("round %d: it had ended before it was killed", round)
		}
		before, _ := m.check(t, cache)
		if before < files {
			killed++
		}
		second := m.view(nil)
		if out, err := m.fetch(t, second.url, cache).CombinedOutput(); err != nil {
			t.Fatalf("round %d, after %d pieces: %v: %s", round, last, err, out)
		}
		if n := second.requests.Load(); n != int64(files-before) {
			t.Errorf("round %d: %d requests for %d missing files", round, n, files-before)
		}
		whole, others := m.check(t, cache)
		if whole != files || len(others) != 1 || others[0] != ".kcl-bootstrap.lock" {
			t.Errorf("round %d: %d files of %d, and %q", round, whole, files, others)
		}
	}
	if killed == 0 {
		t.Error("none was killed in the middle")
	}
}

// Two at once share the work of one: the second waits, and fetches nothing.
//
// Guarantee: Of two downloads into one cache one waits for the other.
func TestFetchTwoProcesses(t *testing.T) {
	t.Parallel()
	m := newMirror(t, 12)
	cache := filepath.Join(t.TempDir(), "cache")
	begun, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	v := m.view(func(*http.Request) bool {
		once.Do(func() { close(begun) })
		<-release
		return true
	})
	first := m.fetch(t, v.url, cache)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	<-begun // it has the cache's lock
	second := m.fetch(t, v.url, cache)
	stderr, err := second.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	if !lines.Scan() || lines.Text() != "kcl-bootstrap: waiting for another process that is filling the cache, folder "+cache {
		t.Errorf("the second says %q", lines.Text())
	}
	close(release)
	for lines.Scan() {
		t.Errorf("the second says %q", lines.Text())
	}
	for i, cmd := range []*exec.Cmd{first, second} {
		if err := cmd.Wait(); err != nil {
			t.Errorf("process %d: %v", i+1, err)
		}
	}
	if n := v.requests.Load(); n != 12 {
		t.Errorf("%d requests for 12 files", n)
	}
	if whole, _ := m.check(t, cache); whole != 12 {
		t.Errorf("%d files of 12", whole)
	}
}

// What the bootstrap for Node.js takes for success: half a file, which its next
// run then uses, and a web page for a jar.
//
// Guarantee: Fetch returns only files that have the lock's size and SHA-256 at that
// moment, whatever the repository sends, and leaves no other file under the name of
// one of them.
func TestFetchBroken(t *testing.T) {
	t.Parallel()
	m := newMirror(t, 3)
	cache := filepath.Join(t.TempDir(), "cache")
	var begun sync.Map // requests that got their first piece; there is no second
	broken := m.view(func(r *http.Request) bool {
		_, again := begun.LoadOrStore(r, true)
		return !again
	})
	out, err := m.fetch(t, broken.url, cache).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "kcl-bootstrap: cannot fetch org.example:a") || !strings.Contains(string(out), "(tried 3 times)") {
		t.Errorf("%v: %s", err, out)
	}
	if whole, others := m.check(t, cache); whole != 0 || len(others) != 1 {
		t.Errorf("%d files, and %q", whole, others)
	}
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>log in</html>") }))
	defer page.Close()
	out, err = m.fetch(t, page.URL, cache).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "not the file that the lock names: it has 19 bytes, not 10000; it is a web page") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := m.fetch(t, m.view(nil).url, cache).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if whole, _ := m.check(t, cache); whole != 3 {
		t.Errorf("%d files of 3", whole)
	}
}

// Guarantee: The class path has exactly the jars of the lock, sorted.
func TestStrayFilesAreNotOnTheClassPath(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	_, want, _ := b.run(t, nil, "classpath", "-c", b.cache)
	jar := func(name string) string { return filepath.Join(b.cache, "org/example", name, "1", name+"-1.jar") }
	if want != jar("a")+":"+jar("b")+"\n" {
		t.Fatalf("class path %q", want)
	}
	for _, name := range []string{"stray.jar", "org/example/a/1/stray.jar", "org/example/a/1/a-1.1.jar"} {
		if err := os.WriteFile(filepath.Join(b.cache, name), []byte("stray"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if status, got, stderr := b.run(t, nil, "classpath", "-c", b.cache); status != 0 || got != want {
		t.Errorf("status %d, %q, want %q: %s", status, got, want, stderr)
	}
	status, printed, stderr := b.run(t, nil, "-p", b.properties, "-c", b.cache)
	if status != 0 || strings.Contains(printed, "stray") || strings.Contains(printed, "1.1.jar") {
		t.Errorf("status %d, %q, %s", status, printed, stderr)
	}
}

func TestLockFlag(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	sum := strings.Repeat("0", 64)
	const coordinate = "software.amazon.kinesis:amazon-kinesis-client-multilang:9.9"
	good := fmt.Sprintf("org.example:a:1 %x 1000\n", sha256.Sum256([]byte(strings.Repeat("a", 1000))))
	for _, tt := range []struct {
		name, text, flag string
		want             string // the start of the line
	}{
		{"leads out", "org.example:..:1 " + sum + " 10\n", "", "lock of %s, line 1: coordinate \"org.example:..:1\": '.' at byte 0"},
		{"leads out of a group", "..:a:1 " + sum + " 10\n", "", "lock of %s, line 1: coordinate"},
		{"no lock", "", "none.lock", "cannot read the lock: open none.lock: no such file or directory"},
		{"not the daemon's", good, "", "the lock %s does not name the daemon, software.amazon.kinesis:amazon-kinesis-client-multilang"},
		{"full", "", "full", "offline: 133 of the 133 files of MultiLangDaemon 3.1.3 are not in "},
	} {
		flag := tt.flag
		if flag == "" {
			flag = b.write(t, "a.lock", tt.text)
		}
		want := tt.want
		if strings.Contains(want, "%s") {
			want = fmt.Sprintf(want, flag)
		}
		for _, args := range [][]string{{"fetch"}, {"classpath"}, {"-p", b.properties}} {
			status, stdout, stderr := b.run(t, nil, append(args, "-c", b.cache, "--offline", "--lock", flag)...)
			if status != 1 || stdout != "" || !strings.HasPrefix(stderr, "kcl-bootstrap: "+want) || strings.Count(stderr, "\n") != 1 {
				t.Errorf("%s: %q: status %d, %q, %q, want %q", tt.name, args, status, stdout, stderr, want)
			}
		}
	}
	if n := b.requests(); n != 0 {
		t.Errorf("%d requests", n)
	}

	// The version that is started is that of the lock, not the built-in one.
	b.repo.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, strings.Repeat("a", 1000)) })
	flag := b.write(t, "a.lock", good+strings.Replace(good, "org.example:a:1", coordinate, 1))
	status, _, stderr := b.run(t, []string{javaVariable + "=7"}, "-e", "-p", b.properties, "-c", b.cache, "--lock", flag)
	for _, want := range []string{"fetching MultiLangDaemon 9.9: 2 of 2 jars", "started KCL 9.9, pid ", "stopped KCL 9.9: it ended with status 7"} {
		if status != 7 || !strings.Contains(stderr, "kcl-bootstrap: "+want) {
			t.Errorf("status %d, want 7, and %q in\n%s", status, want, stderr)
		}
	}
}

func TestOfflineAndQuiet(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	status, _, stderr := b.run(t, nil, "fetch", "-c", b.cache, "--offline")
	want := "kcl-bootstrap: offline: 2 of the 2 files of MultiLangDaemon 3.1.3 are not in " + b.cache +
		" or are broken there, first org.example:b:1; fetch them while there is a network, without --offline\n"
	if status != 1 || stderr != want {
		t.Errorf("status %d, %q, want %q", status, stderr, want)
	}
	if _, err := os.Stat(b.cache); !os.IsNotExist(err) {
		t.Errorf("the cache was made: %v", err)
	}
	if n := b.requests(); n != 0 {
		t.Errorf("%d requests", n)
	}
	if status, stdout, stderr := b.run(t, nil, "fetch", "-c", b.cache, "--quiet"); status != 0 || stdout+stderr != "" {
		t.Errorf("quiet: status %d, %q, %q", status, stdout, stderr)
	}
	if status, _, stderr := b.run(t, nil, "fetch", "-c", b.cache, "--offline"); status != 0 || stderr != "" {
		t.Errorf("offline with all there: status %d, %q", status, stderr)
	}
}

// Through a proxy, by the name that only the proxy knows, with credentials for
// the repository; and past it where NO_PROXY says so.
func TestFetchThroughAProxy(t *testing.T) {
	t.Parallel()
	m := newMirror(t, 3)
	m.view(nil)
	var through, authorized atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		through.Add(1)
		if r.Header.Get("Authorization") == "Bearer secret" && r.Host == "maven.invalid" {
			authorized.Add(1)
		}
		m.Config.Handler.ServeHTTP(w, r)
	}))
	defer proxy.Close()
	env := []string{"HTTP_PROXY=" + proxy.URL, "http_proxy=" + proxy.URL, "KCL_MAVEN_TOKEN=secret", "NO_PROXY=", "no_proxy="}
	cmd := m.fetch(t, "http://maven.invalid/0", filepath.Join(t.TempDir(), "cache"))
	cmd.Env = append(cmd.Env, env...)
	if out, err := cmd.CombinedOutput(); err != nil || through.Load() != 3 || authorized.Load() != 3 {
		t.Errorf("%v, %d requests through the proxy, %d authorized: %s", err, through.Load(), authorized.Load(), out)
	}
	cmd = m.fetch(t, "http://maven.invalid/0", filepath.Join(t.TempDir(), "cache"))
	cmd.Env = append(append(cmd.Env, env...), "NO_PROXY=maven.invalid", "no_proxy=maven.invalid")
	out, err := cmd.CombinedOutput()
	if err == nil || through.Load() != 3 || strings.Contains(string(out), "secret") {
		t.Errorf("past the proxy: %v, %d requests through it: %s", err, through.Load(), out)
	}
}
