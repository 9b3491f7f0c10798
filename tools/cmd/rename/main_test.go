package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed96110120/kinesis-client-go/tools/internal/needs"
	"github.com/seed96110120/kinesis-client-go/tools/internal/outside"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

func TestReplace(t *testing.T) {
	const from, to = "example.com/old", "other.org/acme/new"
	for text, want := range map[string]string{
		"":                                    "",
		"example.com/old":                     to,
		"\"example.com/old/lib\"":             "\"" + to + "/lib\"",
		"see https://example.com/old.":        "see https://" + to + ".",
		"example.com/old/a example.com/old/b": to + "/a " + to + "/b",
		"example.com/older":                   "example.com/older",
		"example.com/old-er/lib":              "example.com/old-er/lib",
		"www.example.com/old":                 "www.example.com/old",
		"myexample.com/old example.com/old":   "myexample.com/old " + to,
	} {
		got, n := replace([]byte(text), from, to)
		if string(got) != want || n != strings.Count(want, to) {
			t.Errorf("%q: %q, %d times", text, got, n)
		}
	}
}

// repository makes one with a commit of the files, and makes it the working
// directory.
func repository(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		name = filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "-A"}, {"-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "-m", "x"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	t.Chdir(root)
	t.Setenv("GOWORK", "")
	return root
}

func rename(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, log bytes.Buffer
	err = run(t.Context(), args, &out, &log)
	return out.String(), log.String(), err
}

// What hangs on the prefix besides the prefix itself: the order of lines, and
// sums.
func TestRename(t *testing.T) {
	files := map[string]string{
		"go.work":                "go 1.25.0\n\nuse (\n\t./lib\n\t./user\n)\n",
		"lib/go.mod":             "module example.com/w/lib\n\ngo 1.25.0\n",
		"lib/lib.go":             "package lib\n",
		"user/go.mod":            "module example.com/w/user\n\ngo 1.25.0\n\nrequire (\n\texample.com/w/lib v0.1.0\n\texample.net/x v1.0.0\n)\n",
		"user/go.sum":            "example.com/w/lib v0.1.0 h1:AAAA=\nexample.net/x v1.0.0 h1:BBBB=\n",
		"user/main.go":           "package main\n\nimport (\n\t_ \"example.com/w/lib\"\n\t_ \"example.net/x\"\n)\n",
		"user/run.sh":            "go install example.com/w/user@latest\n",
		"tools/closure/user.txt": "example.com/w/lib\nexample.net/x\n",
		"other.txt":              "example.com/where\n",
	}
	root := repository(t, files)
	out, log, err := rename(t, "zoo.org/z")
	if err != nil || !strings.Contains(log, "would become zoo.org/z, 7 times in 6 files") || !strings.Contains(out, "    2  user/go.mod\n") {
		t.Fatalf("%v\n%s%s", err, out, log)
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for name, text := range files {
		if read(name) != text {
			t.Errorf("a dry run has changed %s", name)
		}
	}
	if _, _, err := rename(t, "--write", "zoo.org/z"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"lib/go.mod":             "module zoo.org/z/lib\n\ngo 1.25.0\n",
		"user/go.mod":            "module zoo.org/z/user\n\ngo 1.25.0\n\nrequire (\n\texample.net/x v1.0.0\n\tzoo.org/z/lib v0.1.0\n)\n",
		"user/go.sum":            "example.net/x v1.0.0 h1:BBBB=\n",
		"user/main.go":           "package main\n\nimport (\n\t_ \"example.net/x\"\n\t_ \"zoo.org/z/lib\"\n)\n",
		"user/run.sh":            "go install zoo.org/z/user@latest\n",
		"tools/closure/user.txt": "example.net/x\nzoo.org/z/lib\n",
		"other.txt":              "example.com/where\n",
	} {
		if got := read(name); got != want {
			t.Errorf("%s:\n%s", name, got)
		}
	}
	// The tree is dirty now.
	if _, _, err := rename(t, "--write", "zoo.org/y"); err == nil || !strings.Contains(err.Error(), "not committed") || !strings.Contains(err.Error(), "user/run.sh") {
		t.Error(err)
	}
	for _, args := range [][]string{{}, {"a", "b"}, {"--frob", "zoo.org/y"}, {"zoo.org/z"}, {"no host/x"}, {"zoo.org/y/v2"}} {
		if _, _, err := rename(t, args...); !errors.Is(err, errUsage) {
			t.Errorf("%v: %v", args, err)
		}
	}
	if out, _, err := rename(t, "--help"); err != nil || !strings.Contains(out, "example:") {
		t.Error(err, out)
	}
}

// This project, under another prefix, builds, is vetted with all its tests,
// passes some of them, and names the old prefix nowhere.
func TestThisProject(t *testing.T) {
	real := needs.Workspace(t)
	ws, err := workspace.Load(real)
	if err != nil {
		t.Fatal(err)
	}
	list, err := git(t.Context(), real, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	for name := range strings.SplitSeq(list, "\x00") {
		text, err := os.ReadFile(filepath.Join(real, filepath.FromSlash(name)))
		if name == "" || os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	root := repository(t, files)
	// Sorted behind all that the project requires, and with capitals, which
	// module proxies escape.
	const to = "z.example.org/Acme/kinesis"
	if _, _, err := rename(t, "--write", to); err != nil {
		t.Fatal(err)
	}
	if out, err := git(t.Context(), root, "grep", "-l", "-F", strings.TrimPrefix(ws.Prefix, "github.com/")); err == nil {
		t.Errorf("the old prefix is still in\n%s", out)
	}
	for _, args := range [][]string{
		{"vet", "work"},
		{"test", "-count=1", "./processor/...", "./consumer-sample/...", "./tools/internal/workspace/..."},
		// Outside the workspace too, and their files in tools/closure say the same.
		{"run", "./tools/cmd/release", "--update-closure", "protocol", "processor", "consumer-sample"},
	} {
		out, err := outside.Go(t.Context(), root, nil, args...)
		if err != nil || args[0] == "run" && out != "" {
			t.Error(err, out)
		}
	}
	unformatted, err := outside.Run(t.Context(), root, nil, "gofmt", "-l", ".")
	if err != nil || unformatted != "" {
		t.Errorf("%v, not formatted: %s", err, unformatted)
	}
}
