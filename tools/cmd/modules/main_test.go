package main

import (
	"bytes"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

const changelog = "# Changelog\n\n## [Unreleased]\n\n- The first.\n"

// A checkout is a repository with one commit, and the working directory. It has a workspace
// of two modules: user, and lib, which user requires. Both can be released.
type checkout struct {
	t    *testing.T
	root string
}

func newCheckout(t *testing.T) *checkout {
	t.Helper()
	c := &checkout{t, t.TempDir()}
	for name, text := range map[string]string{
		"go.work":           "go 1.25.0\n\nuse (\n\t./lib\n\t./user\n)\n\nreplace example.com/w/lib v0.1.0 => ./lib // from the tree\n",
		"LICENSE":           "Do as you like.\n",
		"lib/CHANGELOG.md":  changelog,
		"lib/go.mod":        "module example.com/w/lib\n\ngo 1.25.0\n",
		"lib/lib.go":        "package lib\n\nfunc Answer() int { return 42 }\n",
		"lib/lib_test.go":   "package lib\n\nimport \"testing\"\n\nfunc TestAnswer(t *testing.T) {\n\tif Answer() != 42 {\n\t\tt.Fatal(Answer())\n\t}\n}\n",
		"user/CHANGELOG.md": changelog,
		"user/go.mod":       "module example.com/w/user\n\ngo 1.25.0\n\nrequire example.com/w/lib v0.1.0\n",
		"user/main.go":      "package main\n\nimport \"example.com/w/lib\"\n\nfunc main() { println(lib.Answer()) }\n",
	} {
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
	if err != nil && !os.IsNotExist(err) {
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

func modules(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, log bytes.Buffer
	err = run(t.Context(), args, &out, &log)
	return out.String(), log.String(), err
}

// must calls modules and returns what it prints.
func must(t *testing.T, args ...string) string {
	t.Helper()
	out, log, err := modules(t, args...)
	if err != nil {
		t.Fatalf("modules %v: %v\n%s", args, err, log)
	}
	return out
}

func TestUsage(t *testing.T) {
	newCheckout(t)
	for _, args := range [][]string{
		{}, {"frob"}, {"--frob"}, {"list", "lib"}, {"affected"}, {"check", "none"}, {"prepare", "lib"}, {"tag"}, {"tag", "v0.1"},
	} {
		if _, _, err := modules(t, args...); err == nil || !strings.HasSuffix(err.Error(), "try --help") {
			t.Errorf("%v: error %v, want one that ends in %q", args, err, "try --help")
		}
	}
	if out := must(t, "tag", "--help"); !strings.Contains(out, "Examples:") {
		t.Errorf("--help has no examples:\n%s", out)
	}
	if out, want := must(t, "list"), "lib\nuser\n"; out != want {
		t.Errorf("list prints %q, want %q", out, want)
	}
}

func TestTidy(t *testing.T) {
	c := newCheckout(t)
	c.change("lib/lib.go", "package lib\n", "package lib\n\nimport _ \"example.com/w/none\"\n")
	if _, _, err := modules(t, "tidy"); err == nil || !strings.HasPrefix(err.Error(), "lib: ") || !strings.Contains(err.Error(), "example.com/w/none") {
		t.Fatalf("error %v, want one of lib that names example.com/w/none", err)
	}
	c.change("lib/lib.go", "\nimport _ \"example.com/w/none\"\n", "")
	c.change("user/go.mod", "v0.1.0", "v0.1.0 // indirect")
	c.write("user/go.sum", "example.com/w/lib v0.1.0 h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n") // stale
	if _, _, err := modules(t, "check"); err == nil || !strings.Contains(err.Error(), "modules tidy:\n") || !strings.Contains(err.Error(), "-require example.com/w/lib v0.1.0 // indirect") {
		t.Errorf("error %v, want one with the difference in user/go.mod", err)
	}
	if out := must(t, "tidy"); !strings.Contains(out, " user/go.mod ") || strings.Contains(out, " lib/") {
		t.Errorf("tidy prints %q, want user/go.mod and nothing of lib", out)
	}
	if s := c.git("status", "--porcelain"); s != "" { // the stale go.sum is gone, too
		t.Errorf("the tree has changes: %s", s)
	}
	if out := must(t, "tidy"); out != "" {
		t.Errorf("the second time: %s", out)
	}
}

func TestAffected(t *testing.T) {
	c := newCheckout(t)
	// user requires lib; nested is in lib's folder and requires nothing; tools tests all.
	c.write("go.work", "go 1.25.0\n\nuse (\n\t./lib\n\t./lib/nested\n\t./tools\n\t./user\n)\n")
	for _, m := range []string{"lib/nested", "tools"} {
		c.write(m+"/go.mod", "module example.com/w/"+m+"\n\ngo 1.25.0\n")
	}
	c.commit()
	c.git("branch", "base")

	for name, a := range map[string]struct {
		change func()
		want   string
	}{
		"nothing":               {func() {}, ""},
		"the bottom":            {func() { c.write("lib/lib.go", "package lib\n") }, "lib tools user"},
		"the top":               {func() { c.write("user/main.go", "package main\n") }, "tools user"},
		"a module in a folder":  {func() { c.write("lib/nested/new.go", "package nested\n") }, "lib/nested tools"},
		"the tests of all":      {func() { c.write("tools/x.go", "package tools\n") }, "tools"},
		"a name that begins so": {func() { c.write("library.txt", "") }, "lib lib/nested tools user"},
		"a file of no module":   {func() { c.write("go.work.sum", "") }, "lib lib/nested tools user"},
		"a file that is gone":   {func() { os.Remove(c.file("user/main.go")) }, "tools user"},
		"a file that moved":     {func() { c.git("mv", "lib/lib.go", "lib/nested/lib.go") }, "lib lib/nested tools user"},
		"a commit":              {func() { c.write("user/new.go", "package main\n"); c.git("add", "-A"); c.git("commit", "-q", "-m", "x") }, "tools user"},
		"not what base has since": {func() {
			c.git("switch", "-q", "base")
			c.write("lib/lib.go", "package lib // since\n")
			c.git("commit", "-q", "-a", "-m", "x")
			c.git("switch", "-q", "-")
			c.write("user/main.go", "package main // too\n")
		}, "tools user"},
	} {
		t.Run(name, func(t *testing.T) {
			c.git("switch", "-q", "-C", "work", "base~0")
			a.change()
			out, _, err := modules(t, "affected", "base")
			if err != nil || strings.Join(strings.Fields(out), " ") != a.want {
				t.Errorf("%v, %v; want %s", strings.Fields(out), err, a.want)
			}
			c.git("reset", "-q", "--hard")
			c.git("clean", "-q", "-f", "-d")
		})
	}
	if _, _, err := modules(t, "affected", "none"); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("error %v, want one that names the revision none", err)
	}
}

// Dependabot is configured for each module, also those outside the workspace.
func TestDependabot(t *testing.T) {
	root := testenv.Workspace(t)
	text, err := os.ReadFile(filepath.Join(root, ".github", "dependabot.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, m := range regexp.MustCompile(`(?m)^ +- (/\S+)$`).FindAllSubmatch(text, -1) {
		listed = append(listed, string(m[1]))
	}
	files, err := workspace.Run(t.Context(), root, nil, "git", "ls-files", "--cached", "--others", "--exclude-standard", "*/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, file := range strings.Fields(files) {
		want = append(want, "/"+path.Dir(file))
	}
	slices.Sort(want)
	if !slices.Equal(listed, want) {
		t.Errorf(".github/dependabot.yml lists\n%v, the modules are\n%v", listed, want)
	}
}

// Users of processor and bootstrap are promised that processor is built and tested with
// itself and protocol only, and bootstrap without the AWS SDK. A linter checks direct
// imports, this test indirect ones.
func TestDependencies(t *testing.T) {
	root := testenv.Workspace(t)
	ws, err := workspace.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range ws.Modules {
		if m.Dir != "processor" && m.Dir != "bootstrap" {
			continue
		}
		list := func(args ...string) []string {
			t.Helper()
			out, err := workspace.Go(t.Context(), root, nil, append([]string{"list"}, args...)...)
			if err != nil {
				t.Fatal(err)
			}
			return strings.Fields(out)
		}
		packages := list("-f", `{{if eq .Module.Path "`+m.Path+`"}}{{.ImportPath}}{{end}}`, "./"+m.Dir+"/...")
		built := list(append([]string{"-deps", "-test", "-f", "{{with .Module}}{{.Path}}{{end}}"}, packages...)...)
		slices.Sort(built)
		built = slices.Compact(built)
		protocol := strings.TrimSuffix(m.Path, "processor") + "protocol"
		if m.Dir == "processor" && !slices.Equal(built, []string{m.Path, protocol}) {
			t.Errorf("processor is built of %v", built)
		}
		if m.Dir == "bootstrap" && (len(packages) == 0 || strings.Contains(strings.Join(built, " "), "aws-sdk-go")) {
			t.Errorf("bootstrap is built of %v", built)
		}
	}
}

func TestPrepare(t *testing.T) {
	c := newCheckout(t)
	faults := func(want string, args ...string) {
		t.Helper()
		if _, _, err := modules(t, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
	faults("user requires lib/v0.1.0, which has no tag here", "prepare", "user", "v0.1.0")
	faults("should be v0 or v1, not v2", "prepare", "lib", "v2.0.0")
	c.write("lib/new.go", "package lib\n")
	faults("?? lib/new.go", "prepare", "v0.1.0")
	os.Remove(c.file("lib/new.go"))
	for _, text := range []string{
		"# Changelog\n",
		"# Changelog\n\n## [Unreleased]\n\n## [0.0.1] - 2026-11-25\n\n- x\n",
		"# Changelog\n\n## [0.2.0]\n\n- x\n",
	} {
		c.write("lib/CHANGELOG.md", text)
		c.commit()
		faults("lib: CHANGELOG.md has no entry for v0.1.0", "prepare", "v0.1.0")
	}
	c.write("lib/CHANGELOG.md", changelog)
	c.commit()

	// Only lib is released. user and go.work will require that version.
	must(t, "prepare", "lib", "v0.2.0")
	if s, want := c.git("diff", "--name-only"), "go.work\nlib/CHANGELOG.md\nuser/go.mod"; s != want {
		t.Errorf("changed files %q, want %q", s, want)
	}
	for name, want := range map[string]string{
		"go.work":          "replace example.com/w/lib v0.2.0 => ./lib // from the tree\n",
		"user/go.mod":      "require example.com/w/lib v0.2.0\n",
		"lib/CHANGELOG.md": "# Changelog\n\n## [0.2.0] - " + time.Now().Format(time.DateOnly) + "\n\n- The first.\n",
	} {
		if s := c.read(name); !strings.HasSuffix(s, want) {
			t.Errorf("%s:\n%s", name, s)
		}
	}
	c.commit()
	if out := must(t, "prepare", "lib", "v0.2.0"); out != "" {
		t.Errorf("prepared again: %s", out)
	}
}

// Two releases, as CONTRIBUTING describes them.
func TestRelease(t *testing.T) {
	testenv.Long(t)
	c := newCheckout(t)
	must(t, "prepare", "v0.1.0")
	if s := c.git("diff", "--name-only") + c.git("ls-files", "--others"); s != "lib/CHANGELOG.md\nuser/CHANGELOG.mduser/go.sum" {
		t.Errorf("prepared: %s", s)
	}
	c.commit()

	base := c.git("rev-parse", "HEAD")
	// If one module has a fault, no tag is made, not even of the others.
	for fault, f := range map[string]struct{ file, old, new string }{
		"not prepared":               {"lib/lib.go", "42", "24 + 18"}, // user/go.sum has become stale
		"lib: go test":               {"lib/lib.go", "42", "43"},
		"lib: go vet":                {"lib/lib_test.go", "t.Fatal(Answer())", `t.Fatalf("%s", Answer())`},
		"user: go install":           {"user/go.mod", "require", "replace example.com/w/lib v0.1.0 => ../lib\n\nrequire"},
		"undefined: lib.Question":    {"user/main.go", "lib.Answer", "lib.Question"},
		"found packages lib (lib.go": {"lib/lib_test.go", "package lib\n", "package other\n"},
	} {
		c.change(f.file, f.old, f.new)
		c.commit()
		if fault != "not prepared" && must(t, "prepare", "v0.1.0") != "" {
			c.commit()
		}
		if _, _, err := modules(t, "tag", "v0.1.0"); err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("want %q: %v", fault, err)
		}
		if tags := c.git("tag"); tags != "" {
			t.Errorf("%s: tags %s", fault, tags)
		}
		c.git("reset", "-q", "--hard", base)
	}

	const pushes = "git push origin refs/tags/lib/v0.1.0\ngit push origin refs/tags/user/v0.1.0\n"
	if out := must(t, "tag", "v0.1.0"); out != pushes {
		t.Errorf("tagged: %s", out)
	}
	if _, _, err := modules(t, "tag", "user", "v0.1.0"); err == nil || !strings.Contains(err.Error(), "already exists") {
		t.Errorf("tagged twice: %v", err)
	}
	c.install("user/v0.1.0", "42\n")

	// Then lib alone; then user, which has changed since, with the tagged lib.
	c.change("lib/lib.go", "42", "43")
	c.change("lib/lib_test.go", "42", "43")
	c.write("lib/CHANGELOG.md", changelog)
	c.commit()
	must(t, "check") // although user/go.sum has the sum of the previous lib
	must(t, "prepare", "lib", "v0.2.0")
	c.commit()
	if out := must(t, "tag", "lib", "v0.2.0"); out != "git push origin refs/tags/lib/v0.2.0\n" {
		t.Errorf("tagged: %s", out)
	}
	t.Setenv("GOPROXY", c.install("lib/v0.2.0", "")) // as if it were pushed
	c.change("user/main.go", "lib.Answer()", "lib.Answer()+1")
	c.write("user/CHANGELOG.md", changelog)
	c.commit()
	must(t, "prepare", "user", "v0.1.1")
	if s := c.read("user/go.sum"); strings.Count(s, " v0.2.0") != 2 {
		t.Errorf("sums: %s", s)
	}
	c.commit()
	must(t, "tag", "user", "v0.1.1")
	c.install("user/v0.1.1", "44\n")
}

// install builds a module alone, as it is in its tag, so that the go command checks the
// sums in its go.sum. Then it installs the module by version and runs it. It returns a
// proxy with the contents of the tag's commit.
func (c *checkout) install(tag, prints string) (proxy string) {
	c.t.Helper()
	root := filepath.Join(c.t.TempDir(), "clone")
	c.git("clone", "-q", "-c", "advice.detachedHead=false", "--branch", tag, c.root, root)
	ws, err := workspace.Load(root)
	if err != nil {
		c.t.Fatal(err)
	}
	s, err := ws.Snapshot(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { s.Remove() })
	dir := path.Dir(tag)
	for _, m := range s.Modules {
		if m.Dir == dir { // no sibling requires it
			m.Version = path.Base(tag)
		}
		if err := s.Publish(c.t.Context(), m); err != nil {
			c.t.Fatal(err)
		}
	}
	run := func(dir string, args ...string) {
		c.t.Helper()
		if _, err := workspace.Go(c.t.Context(), dir, append(s.Env, "GOBIN="+dir), args...); err != nil {
			c.t.Error(err)
		}
	}
	run(filepath.Join(root, dir), "build", "-o", os.DevNull, "./...")
	bin := c.t.TempDir()
	run(bin, "install", "example.com/w/"+dir+"/...@"+path.Base(tag))
	if prints != "" {
		if out, err := exec.Command(filepath.Join(bin, dir)).CombinedOutput(); err != nil || string(out) != prints {
			c.t.Errorf("%s: %v: %s", tag, err, out)
		}
	}
	return s.Proxy
}
