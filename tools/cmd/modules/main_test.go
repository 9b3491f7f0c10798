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

	"github.com/seed96110120/kinesis-client-go/tools/internal/needs"
)

// workspaceOf makes a workspace of two modules, user and lib; both are fine
// and user requires lib, with a sum of it in its go.sum that has gone stale.
func workspaceOf(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.work":         "go 1.25.0\n\nuse (\n\t./lib\n\t./user\n)\n\nreplace example.com/w/lib v0.1.0 => ./lib\n",
		"lib/go.mod":      "module example.com/w/lib\n\ngo 1.25.0\n",
		"lib/lib.go":      "package lib\n\nfunc Answer() int { return 42 }\n",
		"lib/lib_test.go": "package lib\n\nimport \"testing\"\n\nfunc TestAnswer(t *testing.T) {\n\tif Answer() != 42 {\n\t\tt.Fatal(Answer())\n\t}\n}\n",
		"user/go.mod":     "module example.com/w/user\n\ngo 1.25.0\n\nrequire example.com/w/lib v0.1.0\n",
		"user/go.sum":     "example.com/w/lib v0.1.0 h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
		"user/main.go":    "package main\n\nimport \"example.com/w/lib\"\n\nfunc main() { println(lib.Answer()) }\n",
	} {
		name = filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("git", "-C", root, "init", "-q").CombinedOutput(); err != nil {
		t.Fatalf("git init: %v\n%s", err, out)
	}
	t.Chdir(root)
	t.Setenv("GOWORK", "")
	t.Setenv("GOPROXY", "off") // nothing here needs the network
	return root
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}

func change(t *testing.T, name, old, new string) {
	t.Helper()
	text := read(t, name)
	if !strings.Contains(text, old) {
		t.Fatalf("%s has no %q", name, old)
	}
	if err := os.WriteFile(name, []byte(strings.Replace(text, old, new, 1)), 0o666); err != nil {
		t.Fatal(err)
	}
}

func modules(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, log bytes.Buffer
	err = run(t.Context(), args, &out, &log)
	return out.String(), log.String(), err
}

func TestList(t *testing.T) {
	workspaceOf(t)
	out, _, err := modules(t, "list")
	if want := "lib example.com/w/lib v0.1.0\nuser example.com/w/user v0.1.0 lib\n"; err != nil || out != want {
		t.Errorf("%v\n%s", err, out)
	}
	if out, _, err = modules(t, "list", "--dirs"); err != nil || out != "lib\nuser\n" {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestTidy(t *testing.T) {
	root := workspaceOf(t)
	change(t, "lib/lib.go", "package lib\n", "package lib\n\nimport _ \"example.com/w/none\"\n")
	if _, _, err := modules(t, "tidy"); err == nil || !strings.HasPrefix(err.Error(), "lib: ") || !strings.Contains(err.Error(), "example.com/w/none") {
		t.Fatal(err)
	}
	change(t, "lib/lib.go", "\nimport _ \"example.com/w/none\"\n", "")
	change(t, "user/go.mod", "v0.1.0", "v0.1.0 // indirect")

	_, log, err := modules(t, "tidy")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log, "changed user\n") || strings.Contains(log, "changed lib\n") {
		t.Error(log)
	}
	if s := read(t, filepath.Join(root, "user/go.mod")); strings.Contains(s, "indirect") || !strings.Contains(s, "require example.com/w/lib v0.1.0") {
		t.Error(s)
	}
	// All its lines were a sibling's.
	if _, err := os.Stat("user/go.sum"); !os.IsNotExist(err) {
		t.Error("user/go.sum is there", err)
	}
	if _, log, err := modules(t, "tidy"); err != nil || strings.Contains(log, "changed") {
		t.Errorf("the second time: %v\n%s", err, log)
	}
}

func TestAffected(t *testing.T) {
	root := workspaceOf(t)
	write := func(name, text string) {
		t.Helper()
		name = filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	git := func(args ...string) {
		t.Helper()
		args = append([]string{"-C", root, "-c", "user.name=a", "-c", "user.email=a@example.com"}, args...)
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	// lib <- user; nested is in lib's folder and requires nothing; tools tests
	// them all.
	write("go.work", "go 1.25.0\n\nuse (\n\t./lib\n\t./lib/nested\n\t./tools\n\t./user\n)\n")
	for _, m := range []string{"lib/nested", "tools"} {
		write(m+"/go.mod", "module example.com/w/"+m+"\n\ngo 1.25.0\n")
	}
	git("add", "-A")
	git("commit", "-q", "-m", "base")
	git("branch", "base")

	for name, c := range map[string]struct {
		change func()
		want   string
	}{
		"nothing":               {func() {}, ""},
		"the bottom":            {func() { write("lib/lib.go", "package lib\n") }, "lib tools user"},
		"the top":               {func() { write("user/main.go", "package main\n") }, "tools user"},
		"a module in a folder":  {func() { write("lib/nested/new.go", "package nested\n") }, "lib/nested tools"},
		"the tests of all":      {func() { write("tools/x.go", "package tools\n") }, "tools"},
		"a name that begins so": {func() { write("library.txt", "") }, "lib lib/nested tools user"},
		"a file of no module":   {func() { write("go.work.sum", "") }, "lib lib/nested tools user"},
		"a file that is gone":   {func() { os.Remove(filepath.Join(root, "user/main.go")) }, "tools user"},
		"a file that moved":     {func() { git("mv", "lib/lib.go", "lib/nested/lib.go") }, "lib lib/nested tools user"},
		"a commit":              {func() { write("user/new.go", "package main\n"); git("add", "-A"); git("commit", "-q", "-m", "x") }, "tools user"},
		"not what base has since": {func() {
			git("switch", "-q", "base")
			write("lib/lib.go", "package lib // since\n")
			git("commit", "-q", "-a", "-m", "x")
			git("switch", "-q", "-")
			write("user/main.go", "package main // too\n")
		}, "tools user"},
	} {
		t.Run(name, func(t *testing.T) {
			git("switch", "-q", "-C", "work", "base~0")
			c.change()
			out, _, err := modules(t, "affected", "--base", "base")
			if err != nil || strings.Join(strings.Fields(out), " ") != c.want {
				t.Errorf("%v, %v; want %s", strings.Fields(out), err, c.want)
			}
			git("reset", "-q", "--hard")
			git("clean", "-q", "-f", "-d")
		})
	}
	if _, _, err := modules(t, "affected"); err == nil || !strings.Contains(err.Error(), "--base") {
		t.Error(err)
	}
	if _, _, err := modules(t, "affected", "--base", "none"); err == nil || !strings.Contains(err.Error(), "none") {
		t.Error(err)
	}
}

// Dependabot is told of each module, those outside the workspace too.
func TestDependabot(t *testing.T) {
	root := needs.Workspace(t)
	text, err := os.ReadFile(filepath.Join(root, ".github", "dependabot.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, m := range regexp.MustCompile(`(?m)^ +- (/\S+)$`).FindAllSubmatch(text, -1) {
		listed = append(listed, string(m[1]))
	}
	files, err := gitLines(t.Context(), root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "go.mod", "*/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, file := range files {
		want = append(want, "/"+path.Dir(file))
	}
	slices.Sort(want)
	if !slices.Equal(listed, want) {
		t.Errorf(".github/dependabot.yml lists\n%v, the modules are\n%v", listed, want)
	}
}

func TestSameGo(t *testing.T) {
	name := filepath.Join(t.TempDir(), "go.mod")
	if err := os.WriteFile(name, []byte("module m\n\ngo 1.25.0\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := sameGo(name, []byte("module m\n\ngo 1.25.0\n\nrequire example.com/x v1.0.0\n")); err != nil {
		t.Error(err)
	}
	if err := sameGo(name, []byte("module m\n\ngo 1.26.0\n")); err == nil || !strings.Contains(err.Error(), "from 1.25.0 to 1.26.0") {
		t.Error(err)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"frob"}, {"list", "tidy"}, {"--frob"}} {
		if _, _, err := modules(t, args...); err == nil || !strings.Contains(err.Error(), "try --help") {
			t.Errorf("%v: %v", args, err)
		}
	}
	if out, _, err := modules(t, "--help"); err != nil || !strings.Contains(out, "example:") {
		t.Error(err, out)
	}
}
