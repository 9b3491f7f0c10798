package workspace

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// write writes a tree of files.
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
		errorHas string
	}{
		"dependencies first, then by path": {
			files: map[string]string{
				"go.work":        "go 1.25.0\nuse (\n\t./a\n\t./b\n\t./c\n\t./tools\n\t./tools/d\n)\n",
				"a/go.mod":       goMod("example.com/x/a", "example.com/x/c v0.2.0"),
				"b/go.mod":       goMod("example.com/x/b"),
				"c/go.mod":       goMod("example.com/x/c", "example.com/x/tools/d v0.2.0", "example.com/other v1.0.0"),
				"tools/go.mod":   goMod("example.com/x/tools", "example.com/x/tools/d v0.2.0", "example.com/x/a v0.3.0"),
				"tools/d/go.mod": goMod("example.com/x/tools/d"),
				"unused/go.mod":  goMod("example.com/y"),
			},
			order: []string{"b@v0.1.0", "tools/d@v0.2.0", "c@v0.2.0", "a@v0.3.0", "tools@v0.1.0"},
		},
		"a circle": {
			files: map[string]string{
				"go.work":  "go 1.25.0\nuse (\n\t./a\n\t./b\n)\n",
				"a/go.mod": goMod("example.com/a", "example.com/b v0.1.0"),
				"b/go.mod": goMod("example.com/b", "example.com/a v0.1.0"),
			},
			errorHas: "require each other",
		},
		"a folder without go.mod": {
			files:    map[string]string{"go.work": "go 1.25.0\nuse ./a\n"},
			errorHas: "a/go.mod",
		},
		"no go.work": {errorHas: "go.work"},
	} {
		t.Run(name, func(t *testing.T) {
			ws, err := Load(write(t, c.files))
			if c.errorHas != "" {
				if err == nil || !strings.Contains(filepath.ToSlash(err.Error()), c.errorHas) {
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
		})
	}
}

// The go command accepts the proxy's layout: it builds a module that requires one made from
// the tree, without any other proxy.
func TestSnapshot(t *testing.T) {
	t.Setenv("GOPROXY", "off")
	root := write(t, map[string]string{
		".gitignore":        "*.out\n",
		"LICENSE":           "Do as you like.\n",
		"go.work":           "go 1.25.0\nuse (\n\t./Lib\n\t./Lib/nested\n\t./user\n)\n",
		"Lib/go.mod":        goMod("example.com/Work/Lib"),
		"Lib/lib.go":        "package lib\n\nconst Answer = 41\n",
		"Lib/gone.go":       "package gone\n",
		"Lib/ignored.out":   "x",
		"Lib/nested/go.mod": goMod("example.com/Work/Lib/nested"),
		"Lib/nested/n.go":   "package nested\n",
		"user/go.mod":       goMod("example.com/Work/user", "example.com/Work/Lib v0.1.0"),
		"user/main.go":      "package main\n\nimport lib \"example.com/Work/Lib\"\n\nfunc main() { println(lib.Answer) }\n",
	})
	for _, args := range [][]string{{"init", "-q"}, {"add", "Lib"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	if err := os.Remove(filepath.Join(root, "Lib", "gone.go")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "Lib", "lib.go"), []byte("package lib\n\nconst Answer = 42\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	ws, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ws.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range s.Modules {
		if err := s.Publish(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	bin := t.TempDir()
	if _, err := Go(t.Context(), bin, append(s.Env, "GOBIN="+bin), "install", "example.com/Work/user@latest"); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(filepath.Join(bin, "user")).CombinedOutput()
	if err != nil || string(out) != "42\n" {
		t.Errorf("%v: %q", err, out)
	}
	packed, err := filepath.Glob(filepath.Join(s.Temp, "cache", "example.com", "!work", "!lib@v0.1.0", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range packed {
		packed[i] = filepath.Base(name)
	}
	if want := []string{"LICENSE", "go.mod", "lib.go"}; !slices.Equal(packed, want) {
		t.Errorf("packed %v, want %v", packed, want)
	}
	if err := s.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.Temp); !os.IsNotExist(err) {
		t.Errorf("%s is there: %v", s.Temp, err)
	}
}
