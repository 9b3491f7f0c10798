package workspace

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// write makes a tree from "name" -> text.
func write(t *testing.T, files map[string]string) string {
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
	return root
}

func goMod(path string, requires ...string) string {
	s := "module " + path + "\n\ngo 1.25.0\n"
	for _, r := range requires {
		s += "\nrequire " + r + "\n"
	}
	return s
}

func TestLoad(t *testing.T) {
	for name, c := range map[string]struct {
		files    map[string]string
		order    []string // path@version
		prefix   string
		errorHas string
	}{
		"dependencies first, then by path": {
			files: map[string]string{
				"go.work":         "go 1.25.0\nuse (\n\t./a\n\t./b\n\t./c\n\t./tools\n\t./tools/d\n)\n",
				"a/go.mod":        goMod("example.com/x/a", "example.com/x/c v0.2.0"),
				"b/go.mod":        goMod("example.com/x/b"),
				"c/go.mod":        goMod("example.com/x/c", "example.com/x/tools/d v0.2.0", "example.com/other v1.0.0"),
				"tools/go.mod":    goMod("example.com/x/tools", "example.com/x/tools/d v0.2.0", "example.com/x/a v0.3.0"),
				"tools/d/go.mod":  goMod("example.com/x/tools/d"),
				"unused/go.mod":   goMod("example.com/y"),
				"tools/d/sub/x.c": "",
			},
			order:  []string{"tools/d@v0.2.0", "c@v0.2.0", "a@v0.3.0", "b@v0.2.0", "tools@v0.2.0"},
			prefix: "example.com/x",
		},
		"one module": {
			files:  map[string]string{"go.work": "go 1.25.0\nuse ./a\n", "a/go.mod": goMod("example.com/x/a/v3")},
			order:  []string{"a@v3.0.0"},
			prefix: "example.com/x/a/v3",
		},
		"a cycle": {
			files: map[string]string{
				"go.work":  "go 1.25.0\nuse (\n\t./a\n\t./b\n)\n",
				"a/go.mod": goMod("example.com/a", "example.com/b v0.1.0"),
				"b/go.mod": goMod("example.com/b", "example.com/a v0.1.0"),
			},
			errorHas: "example.com/a -> example.com/b -> example.com/a",
		},
		"two versions of a sibling": {
			files: map[string]string{
				"go.work":  "go 1.25.0\nuse (\n\t./a\n\t./b\n\t./c\n)\n",
				"a/go.mod": goMod("example.com/a", "example.com/c v0.1.0"),
				"b/go.mod": goMod("example.com/b", "example.com/c v0.2.0"),
				"c/go.mod": goMod("example.com/c"),
			},
			errorHas: "example.com/c is required at v0.1.0 and, by example.com/b, at v0.2.0",
		},
		"a module used twice": {
			files: map[string]string{
				"go.work":  "go 1.25.0\nuse (\n\t./a\n\t./b\n)\n",
				"a/go.mod": goMod("example.com/a"),
				"b/go.mod": goMod("example.com/a"),
			},
			errorHas: "module example.com/a is in the workspace already",
		},
		"a folder without go.mod": {
			files:    map[string]string{"go.work": "go 1.25.0\nuse ./a\n"},
			errorHas: "go.work uses ./a",
		},
		"no go.work": {errorHas: "go.work"},
	} {
		t.Run(name, func(t *testing.T) {
			ws, err := Load(write(t, c.files))
			if c.errorHas != "" {
				if err == nil || !strings.Contains(err.Error(), c.errorHas) {
					t.Fatalf("error %v, want one with %q", err, c.errorHas)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var order []string
			for _, m := range ws.Modules {
				order = append(order, m.Dir+"@"+m.Version)
			}
			if !slices.Equal(order, c.order) {
				t.Errorf("order %v, want %v", order, c.order)
			}
			if ws.Prefix != c.prefix {
				t.Errorf("prefix %s, want %s", ws.Prefix, c.prefix)
			}
		})
	}
}

func TestWithoutSiblings(t *testing.T) {
	ws := &Workspace{Modules: []*Module{{Path: "example.com/x/a"}}}
	const other = "example.com/x/ab v1.0.0 h1:z=\nexample.com/x/ab v1.0.0/go.mod h1:z=\n"
	got := ws.WithoutSiblings([]byte("example.com/x/a v0.1.0 h1:z=\nexample.com/x/a v0.1.0/go.mod h1:z=\n" + other))
	if string(got) != other {
		t.Fatalf("%q", got)
	}
	if got := ws.WithoutSiblings([]byte("example.com/x/a v0.1.0 h1:z=\n")); got == nil || len(got) > 0 {
		t.Fatalf("%#v", got)
	}
	if got := ws.WithoutSiblings(nil); got != nil {
		t.Fatalf("%#v", got)
	}
}

// The go command itself is the judge of the proxy's layout: it builds a
// module that requires one made from the tree, and nothing else is reachable.
func TestProxy(t *testing.T) {
	root := write(t, map[string]string{
		".gitignore":      "*.out\n",
		"go.work":         "go 1.25.0\nuse (\n\t./Lib\n\t./Lib/nested\n\t./user\n)\n",
		"Lib/go.mod":      goMod("example.com/Work/Lib"),
		"Lib/lib.go":      "package lib\n\nconst Answer = 42\n",
		"Lib/gone.go":     "package gone\n",
		"Lib/ignored.out": "x",
		"Lib/nested/go.mod": goMod(
			"example.com/Work/Lib/nested"),
		"Lib/nested/n.go": "package nested\n",
		"user/go.mod":     goMod("example.com/Work/user", "example.com/Work/Lib v0.1.0"),
		"user/main.go":    "package main\n\nimport lib \"example.com/Work/Lib\"\n\nfunc main() { println(lib.Answer) }\n",
	})
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", root}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("init", "-q")
	git("add", "Lib/gone.go")
	if err := os.Remove(filepath.Join(root, "Lib", "gone.go")); err != nil {
		t.Fatal(err)
	}
	ws, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	proxy := Proxy{Dir: t.TempDir()}
	user := filepath.Join(t.TempDir(), "user")
	for _, m := range ws.Modules {
		name, err := proxy.Publish(context.Background(), ws, m, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if m.Dir == "user" {
			if err := Unpack(user, m, name); err != nil {
				t.Fatal(err)
			}
		}
	}

	var files []string
	err = filepath.WalkDir(proxy.Dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(proxy.Dir, name)
			files = append(files, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"example.com/!work/!lib/@v/list",
		"example.com/!work/!lib/@v/v0.1.0.info",
		"example.com/!work/!lib/@v/v0.1.0.mod",
		"example.com/!work/!lib/@v/v0.1.0.zip",
		"example.com/!work/!lib/nested/@v/list",
		"example.com/!work/!lib/nested/@v/v0.1.0.info",
		"example.com/!work/!lib/nested/@v/v0.1.0.mod",
		"example.com/!work/!lib/nested/@v/v0.1.0.zip",
		"example.com/!work/user/@v/list",
		"example.com/!work/user/@v/v0.1.0.info",
		"example.com/!work/user/@v/v0.1.0.mod",
		"example.com/!work/user/@v/v0.1.0.zip",
	}
	if !slices.Equal(files, want) {
		t.Errorf("files %v, want %v", files, want)
	}
	lib := t.TempDir()
	if err := Unpack(lib, ws.Modules[0], filepath.Join(proxy.Dir, want[3])); err != nil {
		t.Fatal(err)
	}
	packed, err := os.ReadDir(lib)
	if err != nil || len(packed) != 2 || packed[0].Name() != "go.mod" || packed[1].Name() != "lib.go" {
		t.Errorf("packed %v, %v", packed, err)
	}

	cmd := exec.Command("go", "run", "-mod=mod", ".")
	cmd.Dir = user
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-modcacherw", "GOTOOLCHAIN=local",
		"GOPROXY="+proxy.URL(), "GONOSUMDB="+ws.Unsummed(), "GOMODCACHE="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "42") {
		t.Fatalf("go run: %v\n%s", err, out)
	}
}
