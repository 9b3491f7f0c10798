package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/needs"
	"github.com/seed96110120/kinesis-client-go/tools/internal/outside"
	"github.com/seed96110120/kinesis-client-go/tools/internal/pinned"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

const changelog = "# Changelog\n\n## [Unreleased]\n\n- The first.\n"

// The modules of the tests: user requires lib, and other nothing. All of them
// can be released.
var sound = map[string]string{
	"go.work":               "go 1.25.0\n\nuse (\n\t./lib\n\t./other\n\t./user\n)\n\nreplace example.com/w/lib v0.1.0 => ./lib // from the tree\n",
	"LICENSE":               "Do as you like.\n",
	"lib/go.mod":            "module example.com/w/lib\n\ngo 1.25.0\n",
	"lib/lib.go":            "// Package lib answers.\npackage lib\n\n// Answer is the answer.\nfunc Answer() int { return 42 }\n",
	"lib/lib_test.go":       "package lib\n\nimport \"testing\"\n\nfunc TestAnswer(t *testing.T) {\n\tif Answer() != 42 {\n\t\tt.Fatal(Answer())\n\t}\n}\n",
	"lib/CHANGELOG.md":      changelog,
	"lib/README.md":         "# lib\n",
	"other/go.mod":          "module example.com/w/other\n\ngo 1.25.0\n",
	"other/other.go":        "// Package other is there.\npackage other\n",
	"other/CHANGELOG.md":    changelog,
	"other/README.md":       "# other\n",
	"user/go.mod":           "module example.com/w/user\n\ngo 1.25.0\n\nrequire example.com/w/lib v0.1.0\n",
	"user/main.go":          "// Command user prints the answer.\npackage main\n\nimport \"example.com/w/lib\"\n\nfunc main() { println(lib.Answer()) }\n",
	"user/CHANGELOG.md":     changelog,
	"user/README.md":        "# user\n",
	"tools/closure/lib.txt": "example.com/w/lib\n", "tools/closure/other.txt": "example.com/w/other\n",
	"tools/closure/user.txt": "example.com/w/lib\nexample.com/w/user\n",
}

// checkout is a repository with one commit that the working directory is in.
type checkout struct {
	t         *testing.T
	root      string
	workspace string // this project's, for tools/pinned
}

func newCheckout(t *testing.T) *checkout {
	t.Helper()
	c := &checkout{t, t.TempDir(), needs.Workspace(t)}
	for name, text := range sound {
		c.write(name, text)
	}
	for name, value := range map[string]string{
		"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_SYSTEM": os.DevNull,
		"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_COMMITTER_NAME": "c", "GIT_COMMITTER_EMAIL": "c@example.com",
		"GOWORK": "", "GOPROXY": "off", // nothing here needs the network
	} {
		t.Setenv(name, value)
	}
	t.Chdir(c.root)
	c.git("init", "-q", "-b", "main")
	c.commit()
	return c
}

func (c *checkout) file(name string) string { return filepath.Join(c.root, filepath.FromSlash(name)) }

func (c *checkout) write(name, text string) {
	c.t.Helper()
	if err := os.MkdirAll(filepath.Dir(c.file(name)), 0o777); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(c.file(name), []byte(text), 0o666); err != nil {
		c.t.Fatal(err)
	}
}

func (c *checkout) read(name string) string {
	c.t.Helper()
	text, err := os.ReadFile(c.file(name))
	if err != nil {
		c.t.Fatal(err)
	}
	return string(text)
}

func (c *checkout) change(name, old, new string) {
	c.t.Helper()
	text := c.read(name)
	if !strings.Contains(text, old) {
		c.t.Fatalf("%s has no %q", name, old)
	}
	c.write(name, strings.ReplaceAll(text, old, new))
}

func (c *checkout) git(args ...string) string {
	c.t.Helper()
	out, err := exec.Command("git", append([]string{"-C", c.root}, args...)...).CombinedOutput()
	if err != nil {
		c.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (c *checkout) commit() {
	c.t.Helper()
	c.git("add", "-A")
	c.git("commit", "-q", "-m", "a change")
}

func (c *checkout) tags() []string { return strings.Fields(c.git("tag")) }

var today = time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)

// platforms have one of each form of archive; "modules cross" builds for all.
var platforms = []workspace.Platform{{OS: "linux", Arch: "arm64"}, {OS: "windows", Arch: "amd64"}}

// usualProxy is what programs of others are fetched with; the modules of the
// tests need none.
var usualProxy = os.Getenv("GOPROXY")

// programs has those of tools/pinned, built once for all tests.
var programs string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "programs-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	programs = dir
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

func programExists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func (c *checkout) release(args ...string) (stdout, stderr string, err error) {
	c.t.Helper()
	var out, log bytes.Buffer
	build := func(ctx context.Context, _, program, _ string) (string, error) {
		if name := filepath.Join(programs, path.Base(program)); programExists(name) {
			return name, nil
		}
		c.t.Setenv("GOPROXY", usualProxy)
		defer c.t.Setenv("GOPROXY", "off")
		return pinned.Build(ctx, c.workspace, program, programs)
	}
	r := command{stdout: &out, stderr: &log, build: build, now: func() time.Time { return today }, platforms: platforms}
	err = r.run(c.t.Context(), args)
	return out.String(), log.String(), err
}

// must is release, and what it prints.
func (c *checkout) must(args ...string) string {
	c.t.Helper()
	out, log, err := c.release(args...)
	if err != nil {
		c.t.Fatalf("release %v: %v\n%s", args, err, log)
	}
	return out
}

// The whole way of two releases: check, prepare, tag; then a change to one
// module, which is released without the other.
func TestRelease(t *testing.T) {
	c := newCheckout(t)
	if out := c.must("--all"); out != "" {
		t.Errorf("without a version: %q", out)
	}
	const all = "lib/v0.1.0\nother/v0.1.0\nuser/v0.1.0\n"
	if out := c.must("--all", "v0.1.0"); out != all {
		t.Errorf("dry: %q", out)
	}
	if s := c.git("status", "--porcelain") + c.git("tag"); s != "" {
		t.Errorf("a dry run has changed %s", s)
	}

	if out := c.must("--prepare", "--all", "v0.1.0"); out != "lib/CHANGELOG.md\nother/CHANGELOG.md\nuser/CHANGELOG.md\nuser/go.sum\n" {
		t.Errorf("prepared: %q", out)
	}
	if s := c.read("lib/CHANGELOG.md"); s != "# Changelog\n\n## [Unreleased]\n\n## [0.1.0] - 2026-11-25\n\n- The first.\n" {
		t.Error(s)
	}
	c.commit()
	if out := c.must("--prepare", "--all", "v0.1.0"); out != "" {
		t.Errorf("prepared again: %q", out)
	}
	c.must("--all")
	if out := c.must("--tag", "--all", "v0.1.0"); out != all {
		t.Errorf("tagged: %q", out)
	}
	head := c.git("rev-parse", "HEAD")
	for _, tag := range c.tags() {
		if at := c.git("rev-parse", tag+"^{commit}"); at != head {
			t.Errorf("%s is at %s", tag, at)
		}
	}
	if got := c.git("cat-file", "-p", "lib/v0.1.0"); !strings.Contains(got, "tagger c <c@example.com>") || !strings.Contains(got, "example.com/w/lib v0.1.0") {
		t.Error(got)
	}
	// The go command is the judge of the sums: what it would fetch from the
	// tags is what the tagged go.sum says.
	c.buildTagged("user", "v0.1.0")

	// The workflow's check of a tag.
	c.must("lib/v0.1.0")
	if _, _, err := c.release("--tag", "--all", "v0.1.0"); err == nil || strings.Count(err.Error(), "is there already") != 3 {
		t.Errorf("tagged twice: %v", err)
	}

	// user's sum of lib stays right while lib goes on.
	c.change("lib/lib.go", "package lib\n", "package lib\n\n// Question is not known.\nfunc Question() {}\n")
	c.change("lib/CHANGELOG.md", "## [Unreleased]\n", "## [Unreleased]\n\n- Question.\n")
	c.commit()
	c.must("--all")
	if out := c.must("--prepare", "lib", "v0.2.0"); out != "go.work\nlib/CHANGELOG.md\nuser/go.mod\nuser/go.sum\n" {
		t.Errorf("prepared: %q", out)
	}
	if s := c.read("go.work"); !strings.Contains(s, "replace example.com/w/lib v0.2.0 => ./lib // from the tree") {
		t.Error(s)
	}
	if s := c.read("user/go.mod"); !strings.Contains(s, "require example.com/w/lib v0.2.0") {
		t.Error(s)
	}
	if _, err := os.Stat(c.file("user/go.sum")); !os.IsNotExist(err) {
		t.Errorf("user is not released, and has the sum of a version that is gone: %v", err)
	}
	c.commit()
	if out := c.must("--tag", "lib", "v0.2.0"); out != "lib/v0.2.0\n" {
		t.Errorf("tagged: %q", out)
	}
	c.change("user/main.go", "lib.Answer())", "lib.Answer())\n\tlib.Question()")
	c.change("user/main.go", "func main() { println(lib.Answer())\n\tlib.Question() }", "func main() {\n\tprintln(lib.Answer())\n\tlib.Question()\n}")
	c.change("user/CHANGELOG.md", "## [Unreleased]\n", "## [Unreleased]\n\n- Asks.\n")
	c.commit()
	c.must("--prepare", "user", "v0.1.1")
	c.commit()
	c.must("--tag", "user", "v0.1.1")
	c.buildTagged("user", "v0.1.1")
}

// buildTagged builds a module as its tag has it, against its siblings as their
// tags have them.
func (c *checkout) buildTagged(dir, version string) {
	c.t.Helper()
	ctx := c.t.Context()
	ws, err := workspace.Load(c.root)
	if err != nil {
		c.t.Fatal(err)
	}
	proxy := workspace.Proxy{Dir: c.t.TempDir()}
	tree := filepath.Join(c.t.TempDir(), "tree")
	for _, tag := range c.tags() {
		for _, m := range ws.Modules {
			v, ok := strings.CutPrefix(tag, m.Dir+"/")
			if !ok {
				continue
			}
			name, err := proxy.PublishRevision(ctx, ws, m, tag, v)
			if err != nil {
				c.t.Fatal(err)
			}
			if m.Dir == dir && v == version {
				m.Version = v
				if err := workspace.Unpack(tree, m, name); err != nil {
					c.t.Fatal(err)
				}
			}
		}
	}
	env := []string{"GOWORK=off", "GOFLAGS=-modcacherw", "GOPROXY=" + proxy.URL(), "GONOSUMDB=" + ws.Unsummed(), "GOMODCACHE=" + c.t.TempDir()}
	if _, err := outside.Go(ctx, tree, env, "build", "-o", os.DevNull, "./..."); err != nil {
		c.t.Error(err)
	}
}

// Each rule, by a fault that is planted: the message names rule, module and
// line, and no tag is made.
func TestFaults(t *testing.T) {
	release := func(t *testing.T, c *checkout, version string) {
		t.Helper()
		c.must("--prepare", "--all", version)
		c.commit()
		for _, m := range []string{"lib", "other", "user"} {
			c.git("tag", m+"/"+version)
		}
	}
	for name, f := range map[string]struct {
		plant func(t *testing.T, c *checkout)
		args  []string // --all v0.1.0
		want  string   // the first line; the others may follow
	}{
		"no changelog": {
			plant: func(t *testing.T, c *checkout) { os.Remove(c.file("other/CHANGELOG.md")) },
			want:  "other/CHANGELOG.md:1: changelog: other: there is no such file",
		},
		"no changelog, and no version": {
			plant: func(t *testing.T, c *checkout) { os.Remove(c.file("other/CHANGELOG.md")) },
			args:  []string{"--all"},
			want:  "other/CHANGELOG.md:1: changelog: other: there is no such file",
		},
		"an entry for another version": {
			plant: func(t *testing.T, c *checkout) { c.change("other/CHANGELOG.md", "Unreleased", "0.0.1") },
			want:  "other/CHANGELOG.md:1: changelog: other: no entry for v0.1.0",
		},
		"an empty entry": {
			plant: func(t *testing.T, c *checkout) { c.change("other/CHANGELOG.md", "\n- The first.\n", "") },
			want:  "other/CHANGELOG.md:3: changelog: other: nothing stands below [Unreleased]",
		},
		"a tag at another commit": {
			plant: func(t *testing.T, c *checkout) {
				c.git("tag", "other/v0.1.0")
				c.write("other/README.md", "# new\n")
			},
			want: "other: tag: other: other/v0.1.0 is there already",
		},
		"another major version": {
			args: []string{"other", "v2.0.0"},
			want: "other/go.mod:1: tag: other: ",
		},
		"a replace": {
			plant: func(t *testing.T, c *checkout) {
				c.change("user/go.mod", "require", "replace example.com/w/lib => ../lib\n\nrequire")
			},
			want: "user/go.mod:5: replace: user: replaces example.com/w/lib",
		},
		"an exclude": {
			plant: func(t *testing.T, c *checkout) {
				c.change("user/go.mod", "require", "exclude example.com/w/lib v0.0.1\n\nrequire")
			},
			want: "user/go.mod:5: replace: user: excludes example.com/w/lib@v0.0.1",
		},
		"a sibling that is not released": {
			args: []string{"user", "v0.1.0"},
			want: "user/go.mod:5: siblings: user: requires lib/v0.1.0, which has no tag",
		},
		"a requirement too many": {
			plant: func(t *testing.T, c *checkout) {
				c.write("other/go.mod", c.read("other/go.mod")+"\nrequire example.com/w/lib v0.1.0\n")
			},
			want: "other/go.mod:5: tidy: other: go mod tidy changes it (-require example.com/w/lib v0.1.0)",
		},
		"a requirement too few": {
			plant: func(t *testing.T, c *checkout) { c.write("user/go.mod", "module example.com/w/user\n\ngo 1.25.0\n") },
			want:  "user/go.mod:",
		},
		"a stale sum": {
			plant: func(t *testing.T, c *checkout) {
				c.write("user/go.sum", "example.com/w/lib v0.1.0 h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")
			},
			want: "user/go.sum:1: sums: user: has h1:AAAA",
		},
		"a stale sum, and no version": {
			plant: func(t *testing.T, c *checkout) {
				c.must("--prepare", "--all", "v0.1.0")
				c.write("lib/README.md", "# new\n")
			},
			args: []string{"--all"},
			want: "user/go.sum:1: sums: user: has h1:",
		},
		"a sum of nothing": {
			plant: func(t *testing.T, c *checkout) {
				c.write("user/go.sum", "example.com/w/other v0.1.0 h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")
			},
			want: "user/go.sum:1: sums: user: has a sum of other v0.1.0, which nothing requires",
		},
		"no closure": {
			plant: func(t *testing.T, c *checkout) { os.Remove(c.file("tools/closure/user.txt")) },
			want:  "tools/closure/user.txt:1: closure: user: there is no such file",
		},
		"a module more in the closure": {
			plant: func(t *testing.T, c *checkout) { c.write("tools/closure/user.txt", "example.com/w/user\n") },
			want:  "tools/closure/user.txt:1: closure: user: example.com/w/lib is new",
		},
		"a module less in the closure": {
			plant: func(t *testing.T, c *checkout) {
				c.write("tools/closure/lib.txt", "example.com/w/lib\nexample.com/x\n")
			},
			want: "tools/closure/lib.txt:2: closure: lib: nothing is built of example.com/x",
		},
		"the closure of no module": {
			plant: func(t *testing.T, c *checkout) { c.write("tools/closure/gone.txt", "example.com/x\n") },
			want:  "tools/closure/gone.txt:1: closure: gone: there is no such module",
		},
		"a test fails": {
			plant: func(t *testing.T, c *checkout) { c.change("lib/lib_test.go", "42", "41") },
			want:  "lib: alone: lib: go test",
		},
		"a test fails, and no version": {
			plant: func(t *testing.T, c *checkout) { c.change("lib/lib_test.go", "42", "41") },
			args:  []string{"lib"},
			want:  "lib: alone: lib: go test",
		},
		"vet": {
			plant: func(t *testing.T, c *checkout) { c.change("lib/lib_test.go", "t.Fatal(", "t.Fatalf(\"%s\", ") },
			want:  "lib: alone: lib: go vet",
		},
		"the API breaks without a major version": {
			plant: func(t *testing.T, c *checkout) {
				release(t, c, "v1.0.0")
				c.change("lib/lib.go", "Answer() int", "Answer(question string) int")
				c.change("lib/lib_test.go", "Answer()", "Answer(\"\")")
				c.change("lib/CHANGELOG.md", "## [Unreleased]\n", "## [Unreleased]\n\n- Question.\n")
			},
			args: []string{"lib", "v1.1.0"},
			want: "lib: gorelease: lib: gorelease -base=v1.0.0 -version=v1.1.0",
		},
		"what lib has since its tag is used": {
			plant: func(t *testing.T, c *checkout) {
				release(t, c, "v0.1.0")
				c.change("lib/lib.go", "package lib\n", "package lib\n\n// New is new.\nfunc New() {}\n")
				c.change("user/main.go", "println(lib.Answer())", "lib.New()")
				c.change("user/CHANGELOG.md", "## [Unreleased]\n", "## [Unreleased]\n\n- New.\n")
			},
			args: []string{"user", "v0.1.1"},
			want: "user: alone: user: go vet",
		},
		"not prepared": {
			args: []string{"--tag", "--all", "v0.1.0"},
			want: "lib/CHANGELOG.md:5: prepared: lib: not ready for the release",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCheckout(t)
			if f.plant != nil {
				f.plant(t, c)
			}
			if c.git("status", "--porcelain") != "" {
				c.commit()
			}
			before := c.tags()
			if f.args == nil {
				f.args = []string{"--all", "v0.1.0"}
			}
			_, log, err := c.release(f.args...)
			if err == nil {
				t.Fatalf("no error\n%s", log)
			}
			first := strings.Split(err.Error(), "\n")[1]
			if !strings.HasPrefix(first, f.want) {
				t.Errorf("%v\nwant first %s", err, f.want)
			}
			if got := c.tags(); !slices.Equal(got, before) {
				t.Errorf("tags %v, before %v", got, before)
			}
		})
	}
}

func TestDirtyTree(t *testing.T) {
	c := newCheckout(t)
	c.write("lib/new.txt", "x")
	for _, flag := range []string{"--tag", "--prepare", "--binaries=" + t.TempDir()} {
		if _, _, err := c.release(flag, "lib", "v0.1.0"); err == nil || !strings.Contains(err.Error(), "not committed") || !strings.Contains(err.Error(), "lib/new.txt") {
			t.Errorf("%s: %v", flag, err)
		}
	}
	// A dry run says what it leaves out.
	c.change("lib/lib_test.go", "42", "41")
	if _, log, err := c.release("lib", "v0.1.0"); err != nil || !strings.Contains(log, "not checked:\n M lib/lib_test.go\n?? lib/new.txt") {
		t.Errorf("%v\n%s", err, log)
	}
	// Without a version the tree is checked as it is.
	if _, _, err := c.release("lib"); err == nil || !strings.Contains(err.Error(), "lib: alone: lib: ") {
		t.Error(err)
	}
}

// A tag that comes to be after the check: none is made.
func TestAllTagsOrNone(t *testing.T) {
	c := newCheckout(t)
	c.git("tag", "user/v0.1.0")
	ws, err := workspace.Load(c.root)
	if err != nil {
		t.Fatal(err)
	}
	var out, log bytes.Buffer
	r := release{command: &command{stdout: &out, stderr: &log}, options: options{version: "v0.1.0"}, commit: c.git("rev-parse", "HEAD"), modules: ws.Modules}
	if err := r.tag(t.Context(), c.root); err == nil || !strings.Contains(err.Error(), "no tag was made") || !strings.Contains(err.Error(), "user/v0.1.0") {
		t.Error(err)
	}
	if tags := c.tags(); len(tags) != 1 || out.Len() > 0 {
		t.Error(tags, &out)
	}
}

func TestUpdateClosure(t *testing.T) {
	c := newCheckout(t)
	c.write("tools/closure/user.txt", "example.com/x\n")
	os.Remove(c.file("tools/closure/lib.txt"))
	if out := c.must("--update-closure", "user"); out != "tools/closure/user.txt\n" {
		t.Error(out)
	}
	if out := c.must("--update-closure", "--all"); out != "tools/closure/lib.txt\n" {
		t.Error(out)
	}
	if s := c.git("status", "--porcelain"); s != "" {
		t.Error(s)
	}
}

// The archives are the same whenever they are made, hold what go install makes
// of the version, and are listed with their sums.
func TestBinaries(t *testing.T) {
	c := newCheckout(t)
	if _, _, err := c.release("--binaries", filepath.Join(t.TempDir(), "out"), "user", "v0.1.0"); err == nil || !strings.Contains(err.Error(), "siblings: user: ") {
		t.Fatal(err)
	}
	c.must("--prepare", "--all", "v0.1.0")
	c.commit()
	c.must("--tag", "--all", "v0.1.0")
	var sums [2]string
	out := t.TempDir()
	for i := range sums {
		out = filepath.Join(t.TempDir(), "out")
		c.must("--binaries", out, "user/v0.1.0")
		text, err := os.ReadFile(filepath.Join(out, "files", sumsFile))
		if err != nil {
			t.Fatal(err)
		}
		sums[i] = string(text)
	}
	if sums[0] != sums[1] {
		t.Errorf("built twice:\n%s\n%s", sums[0], sums[1])
	}
	if notes, err := os.ReadFile(filepath.Join(out, "notes.md")); err != nil || string(notes) != "- The first.\n" {
		t.Errorf("%q, %v", notes, err)
	}
	for _, line := range strings.Split(strings.TrimSpace(sums[0]), "\n") {
		sum, name, _ := strings.Cut(line, "  ")
		text, err := os.ReadFile(filepath.Join(out, "files", name))
		if err != nil || fmt.Sprintf("%x", sha256.Sum256(text)) != sum {
			t.Errorf("%s: %v", line, err)
		}
	}
	for _, p := range platforms {
		name := filepath.Join(out, "files", "user_v0.1.0_"+p.OS+"_"+p.Arch)
		exe, files := "user", untar
		archive := name + ".tar.gz"
		if p.OS == "windows" {
			exe, files, archive = "user.exe", unzip, name+".zip"
		}
		content := files(t, archive)
		if len(content) != 4 || content["LICENSE"] != sound["LICENSE"] || content["README.md"] != sound["user/README.md"] || !strings.Contains(content["CHANGELOG.md"], "[0.1.0] - ") {
			t.Errorf("%s: %q", archive, content)
		}
		info, err := buildinfo.Read(strings.NewReader(content[exe]))
		if err != nil {
			t.Fatalf("%s: %v", archive, err)
		}
		if info.Main.Path != "example.com/w/user" || info.Main.Version != "v0.1.0" || info.Main.Sum == "" || len(info.Deps) != 1 || info.Deps[0].Version != "v0.1.0" {
			t.Errorf("%s: built of %+v", archive, info)
		}
		settings := make(map[string]string)
		for _, s := range info.Settings {
			settings[s.Key] = s.Value
		}
		if settings["CGO_ENABLED"] != "0" || settings["-trimpath"] != "true" || settings["GOOS"] != p.OS || settings["GOARCH"] != p.Arch {
			t.Errorf("%s: built with %v", archive, settings)
		}
		if strings.Contains(content[exe], os.TempDir()+"/") {
			t.Errorf("%s names a folder of this machine", archive)
		}
		var bom struct {
			BOMFormat string
			Metadata  struct {
				Component struct{ Name, Version string }
			}
			Components []struct{ Name, Version string }
		}
		text, err := os.ReadFile(name + ".cdx.json")
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &bom); err != nil {
			t.Fatal(err)
		}
		names := make([]string, len(bom.Components))
		for i, c := range bom.Components {
			names[i] = c.Name
		}
		slices.Sort(names)
		if bom.BOMFormat != "CycloneDX" || bom.Metadata.Component.Name != "example.com/w/user" || bom.Metadata.Component.Version != "v0.1.0" ||
			!slices.Equal(names, []string{"example.com/w/lib", "std"}) {
			t.Errorf("%s", text)
		}
	}
	if _, _, err := c.release("--binaries", out, "user/v0.1.0"); err == nil || !strings.Contains(err.Error(), "choose a new folder") {
		t.Error(err)
	}

	// A library has notes only.
	out = filepath.Join(t.TempDir(), "out")
	c.must("--binaries", out, "lib/v0.1.0")
	if files, err := os.ReadDir(filepath.Join(out, "files")); err != nil || len(files) != 0 {
		t.Error(files, err)
	}
}

func untar(t *testing.T, name string) map[string]string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	content := make(map[string]string)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return content
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		content[h.Name] = string(text)
		if h.Name == "user" && h.Mode&0o111 == 0 {
			t.Errorf("%s cannot be run", h.Name)
		}
	}
}

func unzip(t *testing.T, name string) map[string]string {
	t.Helper()
	r, err := zip.OpenReader(name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	content := make(map[string]string)
	for _, f := range r.File {
		from, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(from)
		if err != nil {
			t.Fatal(err)
		}
		content[f.Name] = string(text)
	}
	return content
}

func TestUsage(t *testing.T) {
	c := newCheckout(t)
	for _, args := range [][]string{
		{},
		{"v0.1.0"},
		{"--frob"},
		{"--all", "lib"},
		{"nolib"},
		{"lib", "v0.1"},
		{"lib", "v0.1.0+x"},
		{"--tag", "lib"},
		{"--prepare", "--all"},
		{"--tag", "--prepare", "lib", "v0.1.0"},
		{"--update-closure", "lib", "v0.1.0"},
		{"--binaries=x", "lib", "user", "v0.1.0"},
	} {
		if _, _, err := c.release(args...); !errors.Is(err, errUsage) || !strings.Contains(err.Error(), "try --help") {
			t.Errorf("%v: %v", args, err)
		}
	}
	if out := c.must("--help"); !strings.Contains(out, "examples:") {
		t.Error(out)
	}
}
