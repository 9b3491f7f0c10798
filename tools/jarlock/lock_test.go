package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha1"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
)

// The committed locks have the bytes that jarlock makes from the POMs and the jars of the
// real repository.
func TestShippedLocks(t *testing.T) {
	if os.Getenv("LONG_TESTS") == "" {
		t.Skip("a long test: set LONG_TESTS=1 to run it")
	}
	repo, err := newRepository(bootstrap.DefaultRepository())
	if err != nil {
		t.Fatal(err)
	}
	locks, err := makeLocks(t.Context(), repo, bootstrap.DaemonVersion)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.FromSlash("../../bootstrap/locks")
	var made []string
	for _, l := range locks {
		made = append(made, l.name)
		shipped, err := os.ReadFile(filepath.Join(dir, l.name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(shipped, l.text()) {
			t.Errorf("%s is not what `GOWORK=off go run . --version %s` makes: run it and read the difference", l.name, bootstrap.DaemonVersion)
		}
		if _, err := bootstrap.ParseLock(l.name, l.text()); err != nil {
			t.Error(err)
		}
	}
	shipped, err := filepath.Glob(filepath.Join(dir, "multilang-daemon-*.lock")) // Java's is made in bootstrap
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range shipped {
		if !slices.Contains(made, filepath.Base(name)) {
			t.Errorf("%s is shipped, but not made by this program", name)
		}
	}
}

// The locks of 2.5.4 for tools/e2e are those that jarlock makes. No slim lock leaves out a
// class that KCL's classes refer to, except those of the two cut artifacts: an undeclared
// dependency may be reached only through them.
func TestLocksOf254(t *testing.T) {
	if os.Getenv("NIGHTLY_TESTS") == "" {
		t.Skip("a nightly test: set NIGHTLY_TESTS=1 to run it")
	}
	repo, err := newRepository(bootstrap.DefaultRepository())
	if err != nil {
		t.Fatal(err)
	}
	for version, suffixes := range map[string][]string{"2.5.4": {"", "-full"}, bootstrap.DaemonVersion: nil} {
		locks, err := makeLocks(t.Context(), repo, version)
		if err != nil {
			t.Fatal(err)
		}
		for i, suffix := range suffixes {
			name := filepath.Join("..", "e2e", "testdata", "kcl-"+version+suffix+".lock")
			if text, err := os.ReadFile(name); err != nil || !bytes.Equal(text, locks[i].text()) {
				t.Errorf("%s is not %s of this program: %v", name, locks[i].name, err)
			}
		}
		full, err := bootstrap.ParseLock(locks[1].name, locks[1].text())
		if err != nil {
			t.Fatal(err)
		}
		jars, err := bootstrap.Fetch(t.Context(), full, nil)
		if err != nil {
			t.Fatal(err)
		}
		named := make(map[string]bool)
		for i, a := range full.Artifacts {
			if a.Group == "software.amazon.kinesis" {
				eachClass(t, jars.Files[i], func(file *zip.File) {
					for _, name := range className.FindAllString(read(t, file), -1) {
						// The length before the name, or a descriptor's L, may look like its first letter.
						named[name], named[name[1:]] = true, true
					}
				})
			}
		}
		for i, a := range full.Artifacts {
			if slices.ContainsFunc(locks[0].files, func(b bootstrap.Artifact) bool { return a.Coordinate == b.Coordinate }) || a.Group == "software.amazon.glue" {
				continue
			}
			eachClass(t, jars.Files[i], func(file *zip.File) {
				if named[strings.TrimSuffix(file.Name, ".class")] {
					t.Errorf("KCL %s names %s of %s, which its slim lock has not", version, file.Name, a.Coordinate)
				}
			})
		}
	}
}

var className = regexp.MustCompile(`[\w$]+(?:/[\w$]+)+`)

func eachClass(t *testing.T, jar string, do func(*zip.File)) {
	t.Helper()
	r, err := zip.OpenReader(jar)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, file := range r.File {
		if strings.HasSuffix(file.Name, ".class") {
			do(file)
		}
	}
}

func read(t *testing.T, file *zip.File) string {
	t.Helper()
	r, err := file.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A mirror is a Maven repository of a test.
type mirror struct {
	*httptest.Server
	files map[string]string // by path, from the root

	mu    sync.Mutex
	asked map[string]int
	// fault, if not nil, may answer a request and return true.
	fault func(w http.ResponseWriter, path string, try int) bool
}

func newMirror(t *testing.T) (*mirror, *repository) {
	t.Helper()
	m := &mirror{files: make(map[string]string), asked: make(map[string]int)}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, "/maven2/")
		m.mu.Lock()
		m.asked[path]++
		try := m.asked[path]
		m.mu.Unlock()
		if m.fault != nil && m.fault(w, path, try) {
			return
		}
		content, ok := m.files[path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		io.WriteString(w, content)
	}))
	t.Cleanup(m.Close)
	repo, err := newRepository(m.URL + "/maven2")
	if err != nil {
		t.Fatal(err)
	}
	repo.wait = time.Millisecond
	return m, repo
}

// add adds a version to the mirror: a POM with this content, a jar, a native library, and
// their checksums.
func (m *mirror) add(name, version, inside string) {
	group, artifact, _ := strings.Cut(name, ":")
	c := bootstrap.Coordinate{Group: group, Artifact: artifact, Version: version, Extension: "pom"}
	m.files[c.Path()] = fmt.Sprintf("<?xml version='1.0' encoding='ISO-8859-1'?>\n<project><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version>"+
		"<developers><developer><name>Andr\xe9</name></developer></developers>%s</project>", group, artifact, version, inside)
	for _, extension := range []string{"jar", "so"} {
		c.Extension = extension
		m.files[c.Path()] = extension + " of " + c.String()
		m.files[c.Path()+".sha1"] = fmt.Sprintf("%x  %s\n", sha1.Sum([]byte(m.files[c.Path()])), c.Artifact)
	}
}

// needs returns the XML of dependencies. Each is group:artifact:version, optionally with a
// space and further elements.
func needs(dependencies ...string) string {
	var b strings.Builder
	for _, d := range dependencies {
		coordinate, more, _ := strings.Cut(d, " ")
		parts := strings.Split(coordinate, ":")
		fmt.Fprintf(&b, "<dependency><groupId>%s</groupId><artifactId>%s</artifactId>", parts[0], parts[1])
		if len(parts) == 3 {
			fmt.Fprintf(&b, "<version>%s</version>", parts[2])
		}
		fmt.Fprintf(&b, "%s</dependency>", more)
	}
	return "<dependencies>" + b.String() + "</dependencies>"
}

func TestClosure(t *testing.T) {
	for _, tt := range []struct {
		name string
		poms map[string]string // group:artifact:version to what its POM holds
		cuts []cut
		want string // the files, or part of the error
	}{
		{
			name: "what only the root's build needs is left out",
			poms: map[string]string{
				"g:root:1": needs("g:a:1", "g:test:1 <scope>test</scope>", "g:given:1 <scope>provided</scope>", "g:maybe:1 <optional>true</optional>"),
				"g:a:1":    needs("g:test:1 <scope>test</scope>", "g:run:1 <scope>runtime</scope>"),
				"g:run:1":  "",
			},
			want: "g:a:1 g:root:1 g:run:1",
		},
		{
			name: "the nearest version wins",
			poms: map[string]string{
				"g:root:1": needs("g:a:1", "g:b:1"),
				"g:a:1":    needs("g:b:2"),
				"g:b:1":    "",
				"g:b:2":    "",
			},
			want: "g:a:1 g:b:1 g:root:1",
		},
		{
			name: "versions from a parent's properties and an imported POM",
			poms: map[string]string{
				"g:root:1":   "<parent><groupId>g</groupId><artifactId>parent</artifactId><version>1</version></parent>" + needs("g:a:${a.version}", "g:b"),
				"g:parent:1": "<packaging>pom</packaging><properties><a.version>7</a.version></properties><dependencyManagement>" + needs("g:bom:1 <type>pom</type><scope>import</scope>") + "</dependencyManagement>",
				"g:bom:1":    "<dependencyManagement>" + needs("g:b:8", "g:c:9") + "</dependencyManagement>",
				"g:a:7":      needs("g:c:1"),
				"g:b:8":      "",
				"g:c:9":      "",
			},
			want: "g:a:7 g:b:8 g:c:9 g:root:1",
		},
		{
			name: "exclusions, and a file beside the jar",
			poms: map[string]string{
				"g:root:1": needs("g:a:1 <exclusions><exclusion><groupId>g</groupId><artifactId>b</artifactId></exclusion></exclusions>", "g:n:1 <type>so</type>"),
				"g:a:1":    needs("g:b:1"),
				"g:n:1":    "",
			},
			want: "g:a:1 g:n:so:1 g:root:1",
		},
		{
			name: "cuts leave what is reached elsewhere too",
			poms: map[string]string{
				"g:root:1": needs("g:a:1", "g:b:1", "g:kept:1"),
				"g:a:1":    needs("g:both:1", "g:only-a:1"),
				"g:b:1":    needs("g:only-b:1"),
				"g:kept:1": needs("g:both:1"),
				"g:both:1": "", "g:only-a:1": "", "g:only-b:1": "",
			},
			cuts: []cut{{artifact: "g:a"}, {artifact: "g:b", itself: true}},
			want: "g:a:1 g:both:1 g:kept:1 g:root:1",
		},
		{name: "a cut of nothing", poms: map[string]string{"g:root:1": ""}, cuts: []cut{{artifact: "g:gone"}}, want: "cannot cut g:gone: it is not in the closure"},
		{name: "no such version", want: "status 404 Not Found"},
		{name: "a dependency that is not there", poms: map[string]string{"g:root:1": needs("g:a:1")}, want: "g:a"},
		{name: "a range", poms: map[string]string{"g:root:1": needs("g:a:[1,2)"), "g:a:1": ""}, want: "g:a is required with a range of versions"},
		{name: "moved", poms: map[string]string{
			"g:root:1": needs("g:a:1"),
			"g:a:1":    "<distributionManagement><relocation><artifactId>b</artifactId></relocation></distributionManagement>",
		}, want: "g:a:1 was moved"},
		{name: "its own parent", poms: map[string]string{
			"g:root:1": "<parent><groupId>g</groupId><artifactId>root</artifactId><version>1</version></parent>",
		}, want: "its own ancestor"},
		{name: "an import that is not there", poms: map[string]string{
			"g:root:1": "<dependencyManagement>" + needs("g:bom:1 <type>pom</type><scope>import</scope>") + "</dependencyManagement>",
		}, want: "imports g:bom:1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, repo := newMirror(t)
			for _, name := range slices.Sorted(maps.Keys(tt.poms)) {
				i := strings.LastIndex(name, ":")
				m.add(name[:i], name[i+1:], tt.poms[name])
			}
			got, err := func() (string, error) {
				c, err := closureOf(t.Context(), repo, "g:root", "1")
				if err != nil {
					return "", err
				}
				left, err := files(c, tt.cuts...)
				var names []string
				for _, f := range left {
					names = append(names, f.String())
				}
				return strings.Join(names, " "), err
			}()
			if err != nil {
				got = err.Error()
				if strings.Contains(got, "\n") {
					t.Errorf("an error of more than one line: %q", got)
				}
			}
			if err == nil && got != tt.want || err != nil && !strings.Contains(got, tt.want) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// addDaemon adds a daemon with all that makeLocks needs.
func (m *mirror) addDaemon() {
	m.add(daemon, "9", needs(sdkMark+":2.7", "software.amazon.glue:schema-registry-serde:1", "software.amazon.glue:schema-registry-common:1"))
	m.add("software.amazon.glue:schema-registry-serde", "1", needs("g:kafka:1"))
	m.add("software.amazon.glue:schema-registry-common", "1", "")
	m.add("g:kafka", "1", "")
	m.add(sdkMark, "2.7", "")
	for _, artifact := range added {
		m.add(artifact, "2.7", needs(sdkMark+":2.7"))
	}
}

func TestWriteLocks(t *testing.T) {
	m, repo := newMirror(t)
	m.addDaemon()
	// Each file fails twice first.
	m.fault = func(w http.ResponseWriter, _ string, try int) bool {
		if try <= 2 {
			w.WriteHeader(http.StatusBadGateway)
		}
		return try <= 2
	}
	locks, err := makeLocks(t.Context(), repo, "9")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		name  string
		files int
	}{{"multilang-daemon-9.lock", 5}, {"multilang-daemon-9-full.lock", 7}} {
		lock, err := bootstrap.ParseLock("test", locks[i].text())
		if err != nil {
			t.Fatal(err)
		}
		if locks[i].name != want.name || len(lock.Artifacts) != want.files {
			t.Errorf("%s with %d files, want %+v", locks[i].name, len(lock.Artifacts), want)
		}
		// bootstrap can fetch the files of the lock.
		m.fault = nil
		if _, err := bootstrap.Fetch(t.Context(), lock, &bootstrap.FetchOptions{Repository: m.URL + "/maven2", CacheDir: t.TempDir()}); err != nil {
			t.Error(err)
		}
	}
}

// The added artifacts must need only the daemon's jars, and the version of its SDK must be
// known.
func TestAdditions(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*mirror)
		want   string
	}{
		"another jar": {func(m *mirror) { m.add(added[1], "2.7", needs("g:crt:3")); m.add("g:crt", "3", "") }, "software.amazon.awssdk:ssooidc needs g:crt:3, which"},
		"no such module": {func(m *mirror) {
			m.add(sdkMark, "2.8", "")
			m.add(daemon, "9", needs(sdkMark+":2.8", "software.amazon.glue:schema-registry-serde:1", "software.amazon.glue:schema-registry-common:1"))
		}, "404"},
		"no SDK": {func(m *mirror) {
			m.add(daemon, "9", needs("software.amazon.glue:schema-registry-serde:1", "software.amazon.glue:schema-registry-common:1"))
		}, "the closure has no software.amazon.awssdk:sts"},
	} {
		m, repo := newMirror(t)
		m.addDaemon()
		tt.change(m)
		if _, err := makeLocks(t.Context(), repo, "9"); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestJarThatIsNotTheRepositorys(t *testing.T) {
	m, repo := newMirror(t)
	m.add("g:a", "1", "")
	c := bootstrap.Coordinate{Group: "g", Artifact: "a", Version: "1", Extension: "jar"}
	m.files[c.Path()] = "<html>log in</html>"
	if _, err := repo.artifact(t.Context(), c); err == nil || !strings.Contains(err.Error(), "g:a:1 does not have the repository's checksum") {
		t.Errorf("error %v, want that g:a:1 does not have the repository's checksum", err)
	}
	delete(m.files, c.Path()+".sha1")
	if _, err := repo.artifact(t.Context(), c); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("error %v, want one with 404", err)
	}
}

func TestWriteLockFiles(t *testing.T) {
	m, _ := newMirror(t)
	m.addDaemon()
	dir, url := t.TempDir(), m.URL+"/maven2"
	for _, tt := range []struct{ url, version, dir, stdout, err string }{
		{"ftp://user:secret@host", "9", dir, "", "must be a URL of the form"},
		{url, "10", dir, "", "status 404"},
		{url, "9", filepath.Join(dir, "none"), "", "cannot write the lock"},
		{url, "9", dir, "multilang-daemon-9-full.lock: 7 files", ""},
	} {
		var stdout strings.Builder
		said := ""
		if err := writeLocks(t.Context(), tt.url, tt.version, tt.dir, &stdout); err != nil {
			said = err.Error()
		}
		if !strings.Contains(stdout.String(), tt.stdout) || !strings.Contains(said, tt.err) || (said == "") != (tt.err == "") || strings.Contains(said, "secret") {
			t.Errorf("%+v: %s\n%s", tt, said, &stdout)
		}
	}
}
