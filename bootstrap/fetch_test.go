package bootstrap

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A repository serves files of its lock, and fails as a test wants it to.
type repository struct {
	*httptest.Server
	lock *Lock

	mu       sync.Mutex
	requests map[string]int
}

// newRepository serves n files. fault, if not nil, may answer a request itself,
// and then returns true; try counts those for the same file from 1.
func newRepository(t *testing.T, n int, fault answer) *repository {
	t.Helper()
	repo := newUnstartedRepository(t, n, fault)
	repo.Start()
	return repo
}

type answer = func(w http.ResponseWriter, r *http.Request, try int, content []byte) bool

func newUnstartedRepository(t *testing.T, n int, fault answer) *repository {
	t.Helper()
	repo := &repository{requests: make(map[string]int)}
	var text bytes.Buffer
	contents := make(map[string][]byte)
	for i := range n {
		content := bytes.Repeat([]byte{byte(i), 'j', 'a', 'r'}, 5000+i)
		c := Coordinate{Group: "org.example", Artifact: fmt.Sprintf("a%d", i), Extension: "jar", Version: "1.0"}
		fmt.Fprintf(&text, "%s %x %d\n", c, sha256.Sum256(content), len(content))
		contents["/maven2/"+c.Path()] = content
	}
	var err error
	if repo.lock, err = ParseLock("test", text.Bytes()); err != nil {
		t.Fatal(err)
	}
	repo.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, ok := contents[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		repo.mu.Lock()
		repo.requests[r.URL.Path]++
		try := repo.requests[r.URL.Path]
		repo.mu.Unlock()
		if fault != nil && fault(w, r, try, content) {
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		w.Write(content)
	}))
	t.Cleanup(repo.Close)
	return repo
}

// A memoryNetwork is a network within this process. Unlike the system's it can be
// in a synctest bubble, where a wait for an answer that does not come takes no
// time, and is never cut off because the machine is busy.
type memoryNetwork struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (m *memoryNetwork) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	m.conns <- theirs
	return ours, nil
}

func (m *memoryNetwork) Accept() (net.Conn, error) {
	select {
	case conn := <-m.conns:
		return conn, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memoryNetwork) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

func (*memoryNetwork) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

func (r *repository) url() string { return r.URL + "/maven2" }

func (r *repository) count() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.requests {
		n += c
	}
	return n
}

// impatient returns a fetcher that waits so long for a server.
func impatient(options *FetchOptions, patience time.Duration) *fetcher {
	f := newFetcher(options)
	f.limits = limits{
		connect: 5 * time.Second,
		tls:     5 * time.Second,
		header:  patience,
		stall:   patience,
		tries:   3,
		backoff: time.Millisecond,
	}
	if runtime.GOOS == "windows" { // a made-up Java is a script
		f.try = func(context.Context, string) error { return nil }
	}
	return f
}

// files lists what is in a folder, but for the cache's lock.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != ".kcl-bootstrap.lock" {
			names = append(names, d.Name())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// has reports whether a cache has the artifact.
func has(t *testing.T, dir string, a Artifact) error {
	t.Helper()
	c, err := openCache(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	return c.verify(t.Context(), a)
}

func TestFetch(t *testing.T) {
	repo := newRepository(t, 20, nil)
	dir := filepath.Join(t.TempDir(), "new", "cache [x]")
	var seen []Progress
	options := &FetchOptions{Repository: repo.url() + "/", CacheDir: dir, Progress: func(p Progress) { seen = append(seen, p) }}

	got, err := Fetch(t.Context(), repo.lock, options)
	if err != nil {
		t.Fatal(err)
	}
	if got.Downloaded != 20 || got.DownloadedBytes != repo.lock.Size() || len(got.Files) != 20 || repo.count() != 20 {
		t.Errorf("downloaded %d files, %d bytes, %d paths, %d requests", got.Downloaded, got.DownloadedBytes, len(got.Files), repo.count())
	}
	for i, file := range got.Files {
		if want := filepath.Join(dir, filepath.FromSlash(repo.lock.Artifacts[i].Path())); file != want {
			t.Errorf("file %d is %s, want %s", i, file, want)
		}
		if err := has(t, dir, repo.lock.Artifacts[i]); err != nil {
			t.Error(err)
		}
	}
	if first := (Progress{TotalFiles: 20, TotalBytes: repo.lock.Size()}); seen[0] != first {
		t.Errorf("first progress %+v, want %+v", seen[0], first)
	}
	if last := (Progress{20, 20, repo.lock.Size(), repo.lock.Size()}); seen[len(seen)-1] != last {
		t.Errorf("last progress %+v, want %+v", seen[len(seen)-1], last)
	}

	// Warm, with the repository gone.
	repo.Close()
	seen = nil
	got, err = Fetch(t.Context(), repo.lock, options)
	if err != nil || got.Downloaded != 0 || len(got.Files) != 20 || seen != nil {
		t.Errorf("warm: %+v, %v, progress %v", got, err, seen)
	}
	options.Offline = true
	if _, err = Fetch(t.Context(), repo.lock, options); err != nil {
		t.Errorf("offline: error %v, want ErrOffline for 3 of the 5", err)
	}
}

// Guarantee: Fetch returns only files that have the lock's size and SHA-256 at that
// moment, whatever the repository sends, and leaves no other file under the name of
// one of them.
func TestFetchRepairsTheCache(t *testing.T) {
	repo := newRepository(t, 5, nil)
	dir := t.TempDir()
	options := &FetchOptions{Repository: repo.url(), CacheDir: dir}
	got, err := Fetch(t.Context(), repo.lock, options)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(got.Files[1])
	if err != nil {
		t.Fatal(err)
	}
	content[7]++
	write := func(name string, text []byte) {
		t.Helper()
		if err := os.WriteFile(name, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(got.Files[1], content)                                                   // one bit
	write(got.Files[2], []byte("cut"))                                             // another size
	write(filepath.Join(filepath.Dir(got.Files[2]), ".kcl-bootstrap-1.part"), nil) // of a process that was killed
	write(filepath.Join(filepath.Dir(got.Files[2]), "stray.jar"), nil)             // not ours
	if err := os.Remove(got.Files[3]); err != nil {
		t.Fatal(err)
	}

	options.Offline = true
	if _, err := Fetch(t.Context(), repo.lock, options); !errors.Is(err, ErrOffline) || !strings.Contains(err.Error(), "3 of the 5") {
		t.Errorf("offline: error %v, want ErrOffline for 3 of the 5", err)
	}
	options.Offline = false
	var log bytes.Buffer
	options.Logger = slog.New(slog.NewTextHandler(&log, nil))
	got, err = Fetch(t.Context(), repo.lock, options)
	if err != nil || got.Downloaded != 3 {
		t.Fatalf("%+v, %v, want 3 downloads", got, err)
	}
	if n := strings.Count(log.String(), "broken"); n < 2 {
		t.Errorf("the log does not tell of the broken files: %s", &log)
	}
	for i, file := range got.Files {
		if err := has(t, dir, repo.lock.Artifacts[i]); err != nil {
			t.Error(err)
		}
		if filepath.Base(file) == "stray.jar" {
			t.Error("a stray file among the files")
		}
	}
	if names := files(t, dir); len(names) != 6 {
		t.Errorf("left in the cache: %q", names)
	}
}

// Guarantee: Fetch returns only files that have the lock's size and SHA-256 at that
// moment, whatever the repository sends, and leaves no other file under the name of
// one of them.
func TestFetchFaults(t *testing.T) {
	status := func(code int) answer {
		return func(w http.ResponseWriter, _ *http.Request, _ int, _ []byte) bool {
			w.WriteHeader(code)
			return true
		}
	}
	chunked := func(w http.ResponseWriter, text []byte) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		w.Write(text)
	}
	firstTries := func(n int, a answer) answer {
		return func(w http.ResponseWriter, r *http.Request, try int, content []byte) bool {
			return try <= n && a(w, r, try, content)
		}
	}
	truncated := func(w http.ResponseWriter, _ *http.Request, _ int, content []byte) bool {
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		w.Write(content[:100])
		return true
	}
	hangInBody := func(w http.ResponseWriter, r *http.Request, _ int, content []byte) bool {
		w.Write(content[:100])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	}
	hang := func(w http.ResponseWriter, r *http.Request, _ int, _ []byte) bool {
		<-r.Context().Done()
		return true
	}
	reset := func(w http.ResponseWriter, _ *http.Request, _ int, _ []byte) bool {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		}
		return true
	}
	tests := []struct {
		name   string
		answer answer
		tries  int
		want   string // in the error; none if empty
		is     error
	}{
		{"404", status(404), 1, "status 404 Not Found; does this repository (--repo) mirror", nil},
		{"401", status(401), 1, "status 401 Unauthorized; the repository (--repo) or a proxy requires other credentials", nil},
		{"403", status(403), 1, "status 403 Forbidden; the repository (--repo) or a proxy requires other credentials", nil},
		{"400", status(400), 1, "status 400", nil},
		{"500 twice", firstTries(2, status(500)), 3, "", nil},
		{"503 without end", status(503), 3, "status 503 Service Unavailable (tried 3 times)", nil},
		{"429 once", firstTries(1, status(429)), 2, "", nil},
		{"reset once", firstTries(1, reset), 2, "", nil},
		{"truncated once", firstTries(1, truncated), 2, "", nil},
		{"truncated", truncated, 3, "broke off after 100 of 20000 bytes", nil},
		{"short without a length", func(w http.ResponseWriter, _ *http.Request, _ int, content []byte) bool {
			chunked(w, content[:100])
			return true
		}, 3, "ended after 100 of 20000 bytes", ErrNotVerified},
		{"too long", func(w http.ResponseWriter, _ *http.Request, _ int, content []byte) bool {
			chunked(w, append(content[:len(content):len(content)], 'x'))
			return true
		}, 1, "more than 20000 bytes", ErrNotVerified},
		{"another size", func(w http.ResponseWriter, _ *http.Request, _ int, _ []byte) bool {
			fmt.Fprint(w, "short")
			return true
		}, 1, "it has 5 bytes, not 20000", ErrNotVerified},
		{"another content", func(w http.ResponseWriter, _ *http.Request, _ int, content []byte) bool {
			w.Write(bytes.ToUpper(content))
			return true
		}, 1, "SHA-256", ErrNotVerified},
		{"web page", func(w http.ResponseWriter, _ *http.Request, _ int, _ []byte) bool {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			chunked(w, []byte("<html>log in</html>"))
			return true
		}, 1, "it is a web page", ErrNotVerified},
		{"good file called a web page", func(w http.ResponseWriter, _ *http.Request, _ int, content []byte) bool {
			w.Header().Set("Content-Type", "text/html")
			w.Write(content)
			return true
		}, 1, "", nil},
		{"redirect", firstTries(1, func(w http.ResponseWriter, r *http.Request, _ int, _ []byte) bool {
			http.Redirect(w, r, r.URL.Path+"?again", http.StatusFound)
			return true
		}), 2, "", nil},
		{"hang once", firstTries(1, hang), 2, "", nil},
		{"hang", hang, 3, "timeout awaiting response headers (tried 3 times)", nil},
		{"hang in the body", hangInBody, 3, "stalled for 5s after 100 of 20000 bytes", nil},
		{"hang in the body once", firstTries(1, hangInBody), 2, "", nil},
	}
	for _, tt := range tests {
		check := func(t *testing.T, network *memoryNetwork) {
			repo := newUnstartedRepository(t, 1, tt.answer)
			if network != nil {
				repo.Listener.Close()
				repo.Listener = network
			}
			repo.Start()
			dir := t.TempDir()
			var last Progress
			url := strings.Replace(repo.url(), "://", "://user:secret@", 1)
			f := impatient(&FetchOptions{Repository: url, CacheDir: dir, Progress: func(p Progress) { last = p }}, 5*time.Second)
			if network != nil {
				f.dial = network.dial
			}
			_, err := f.fetch(t.Context(), repo.lock)
			if n := repo.count(); n != tt.tries {
				t.Errorf("%d tries, want %d", n, tt.tries)
			}
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if err := has(t, dir, repo.lock.Artifacts[0]); err != nil {
					t.Error(err)
				}
				if want := (Progress{1, 1, 20000, 20000}); last != want {
					t.Errorf("last progress %+v, want %+v", last, want)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("%v, want an error with %q", err, tt.want)
			}
			var artifact *ArtifactError
			if !errors.As(err, &artifact) || artifact.Artifact != repo.lock.Artifacts[0].Coordinate ||
				artifact.URL != repo.url()+"/"+repo.lock.Artifacts[0].Path() {
				t.Errorf("not the ArtifactError wanted: %#v", err)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v is not %v", err, tt.is)
			}
			if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\n") {
				t.Errorf("a password or a second line in: %v", err)
			}
			if names := files(t, dir); names != nil {
				t.Errorf("left in the cache: %q", names)
			}
		}
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if !strings.HasPrefix(tt.name, "hang") {
				check(t, nil)
				return
			}
			synctest.Test(t, func(t *testing.T) {
				check(t, &memoryNetwork{conns: make(chan net.Conn), closed: make(chan struct{})})
			})
		})
	}
}

// A broken file must not stay under its final name when it cannot be replaced.
func TestFetchRemovesWhatItCannotReplace(t *testing.T) {
	repo := newRepository(t, 1, func(w http.ResponseWriter, _ *http.Request, _ int, _ []byte) bool {
		w.WriteHeader(404)
		return true
	})
	dir := t.TempDir()
	file := filepath.Join(dir, filepath.FromSlash(repo.lock.Artifacts[0].Path()))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("broken"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Fetch(t.Context(), repo.lock, &FetchOptions{Repository: repo.url(), CacheDir: dir}); err == nil {
		t.Error("no error")
	}
	if names := files(t, dir); names != nil {
		t.Errorf("left in the cache: %q", names)
	}
}

func TestFetchTwoAtOnce(t *testing.T) {
	arrived, release := make(chan struct{}, 100), make(chan struct{})
	repo := newRepository(t, 10, func(http.ResponseWriter, *http.Request, int, []byte) bool {
		arrived <- struct{}{}
		<-release
		return false
	})
	dir := t.TempDir()
	var wg sync.WaitGroup
	results := make([]*Fetched, 4)
	fetch := func(i int) {
		wg.Go(func() {
			var err error
			results[i], err = Fetch(t.Context(), repo.lock, &FetchOptions{Repository: repo.url(), CacheDir: dir})
			if err != nil {
				t.Error(err)
			}
		})
	}
	fetch(0)
	<-arrived // it has the cache's lock now
	for i := range results[1:] {
		fetch(i + 1)
	}
	close(release)
	wg.Wait()
	if n := repo.count(); n != 10 || results[0].Downloaded != 10 {
		t.Errorf("%d requests for 10 files, %d by the first", n, results[0].Downloaded)
	}
}

func TestFetchCancelled(t *testing.T) {
	var once sync.Once
	begun := make(chan struct{})
	repo := newRepository(t, 20, func(w http.ResponseWriter, r *http.Request, _ int, content []byte) bool {
		w.Write(content[:100])
		w.(http.Flusher).Flush()
		once.Do(func() { close(begun) })
		<-r.Context().Done()
		return true
	})
	dir := t.TempDir()
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("ctrl-c")
	go func() { <-begun; cancel(why) }()
	_, err := Fetch(ctx, repo.lock, &FetchOptions{Repository: repo.url(), CacheDir: dir})
	if err != why {
		t.Errorf("%v, want the cause", err)
	}
	if names := files(t, dir); names != nil {
		t.Errorf("left in the cache: %q", names)
	}

	// Also while it waits for another process.
	cache, err := openCache(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer cache.close()
	unlock, err := cache.lock(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel = context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := cache.lock(ctx, slog.New(slog.DiscardHandler)); err != why {
		t.Errorf("%v, want the cause", err)
	}
}

func TestFetchCannotWrite(t *testing.T) {
	repo := newRepository(t, 1, nil)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	inTheWay := t.TempDir() // a file where a group's folder should be
	if err := os.WriteFile(filepath.Join(inTheWay, "org"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below"), inTheWay} {
		_, err := Fetch(t.Context(), repo.lock, &FetchOptions{Repository: repo.url(), CacheDir: dir})
		if err == nil || !strings.Contains(err.Error(), "the folder for the jars") {
			t.Errorf("cache %s: error %v, want one about the folder for the jars", dir, err)
		}
	}
	if n := repo.count(); n > 1 {
		t.Errorf("%d requests", n)
	}
}

func TestFetchRepositoryURL(t *testing.T) {
	lock := DaemonLock()
	for repository, want := range map[string]string{
		"ftp://user:secret@example.com":      "not of the form https://HOST/PATH",
		"https://":                           "not of the form",
		"example.com/maven2":                 "not of the form",
		"https://user:secret@example.com/?x": "not of the form",
		"https://user:sec ret@example.com":   "not a URL",
	} {
		_, err := Fetch(t.Context(), lock, &FetchOptions{Repository: repository, CacheDir: t.TempDir()})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "sec") && !strings.Contains(err.Error(), "userinfo") {
			t.Errorf("%s: %v, want %q and no password", repository, err, want)
		}
	}
	// A port that was just free: nobody answers.
	closed := httptest.NewServer(nil)
	closed.Close()
	_, err := impatient(&FetchOptions{Repository: closed.URL, CacheDir: t.TempDir()}, time.Second).fetch(t.Context(), lock)
	if err == nil || !strings.Contains(err.Error(), "refused") && !strings.Contains(err.Error(), "--repo") {
		t.Errorf("%v, want a hint", err)
	}
}

func TestDefaultRepository(t *testing.T) {
	t.Setenv(repositoryEnv, "")
	t.Setenv(repositoryEnvKCL, "")
	if got := DefaultRepository(); !strings.HasPrefix(got, "https://") || !strings.HasSuffix(got, ".org/maven2") {
		t.Errorf("%s is not Maven Central", got)
	}
	t.Setenv(repositoryEnvKCL, "https://b.example/")
	if got, want := DefaultRepository(), "https://b.example/"; got != want {
		t.Errorf("repository %s, want %s", got, want)
	}
	t.Setenv(repositoryEnv, "https://a.example/")
	if got, want := DefaultRepository(), "https://a.example/"; got != want {
		t.Errorf("repository %s, want %s", got, want)
	}
}
