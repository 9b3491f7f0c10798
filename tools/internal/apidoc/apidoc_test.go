package apidoc

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// write makes files in a new folder.
func write(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// good is a package that lacks nothing.
const (
	goodDoc  = "// Package p does p.\npackage p\n"
	goodCode = `package p

// A T is one.
type T struct {
	// A and the following belong together.
	A int
	B int

	C int // seconds
	d int
	Embedded
}

// Embedded is in T.
type Embedded struct{}

// I is an interface.
type I interface {
	// M does m.
	M()
}

// The colours.
const (
	Red = iota
	Green
)

const (
	// Small and Big are sizes.
	Small = 1
	Big   = 2
)

// Method does it.
func (*T) Method() {}

func (T) String() string { return "" }

type hidden struct{ X int }

func (hidden) Exported() {}

// Option is an option.
type Option interface{}

// WithA is an option.
func WithA() Option { return nil }

// Make makes a T, Start starts it.
func Make() T { return T{} }

// Start starts one.
func Start() {}
`
	goodExample = `package p_test

import "p"

func Example() {
	p.Make()
	// Output:
}

func ExampleStart() {
	p.Start()
	// Output:
}
`
)

func check(t *testing.T, files map[string]string, cannotRun ...string) (found []string) {
	t.Helper()
	all, err := Packages(write(t, files))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		for _, f := range p.Check(cannotRun...) {
			found = append(found, f.String())
		}
	}
	return found
}

// Each fault is found, and nothing but it.
func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		in, old, new string
		want         string
	}{
		"nothing":                     {"code.go", "", "", ""},
		"no package comment":          {"doc.go", "// Package p does p.\n", "", ".: there is no package comment"},
		"package comment of another":  {"doc.go", "Package p ", "Package q ", ".: the package comment does not begin with Package p"},
		"no doc.go":                   {"doc.go", "", "move", ".: the package comment is in code.go, not in doc.go"},
		"type":                        {"code.go", "// A T is one.\n", "", "code.go:3: type T has no comment"},
		"field":                       {"code.go", " // seconds", "", "code.go:9: field T.C has no comment"},
		"field after a blank line":    {"code.go", "\tB int\n", "\n\tB int\n", "code.go:8: field T.B has no comment"},
		"first field of a block":      {"code.go", "\t// A and the following belong together.\n", "", "code.go:5: field T.A has no comment code.go:6: field T.B has no comment"},
		"method of an interface":      {"code.go", "\t// M does m.\n", "", "code.go:19: method I.M has no comment"},
		"constants":                   {"code.go", "// The colours.\n", "", "code.go:24: const Red has no comment code.go:25: const Green has no comment"},
		"constants of a block":        {"code.go", "\t// Small and Big are sizes.\n", "", "code.go:30: const Small has no comment code.go:31: const Big has no comment"},
		"method":                      {"code.go", "// Method does it.\n", "", "code.go:35: method T.Method has no comment"},
		"function":                    {"code.go", "// Start starts one.\n", "", "code.go:53: func Start has no comment"},
		"a directive is no comment":   {"code.go", "// Start starts one.\n", "//go:noinline\n", "code.go:54: func Start has no comment"},
		"no example of a function":    {"example_test.go", "\tp.Start()\n", "", "code.go:54: no example whose output is compared shows func Start"},
		"an example that is not run":  {"example_test.go", "\tp.Start()\n\t// Output:\n", "\tp.Start()\n", "code.go:54: no example whose output is compared shows func Start"},
		"no example that runs at all": {"example_test.go", "// Output:", "// No output", "code.go:51: no example whose output is compared shows func Make code.go:54: no example whose output is compared shows func Start .: there is no example whose output is compared"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"doc.go": goodDoc, "code.go": goodCode, "example_test.go": goodExample}
			if c.new == "move" {
				files["doc.go"] = "package p\n"
				files["code.go"] = strings.Replace(goodCode, "package p\n", goodDoc, 1)
			} else if c.old != "" {
				changed := strings.ReplaceAll(files[c.in], c.old, c.new)
				if changed == files[c.in] {
					t.Fatal("nothing was changed")
				}
				files[c.in] = changed
			}
			if got := strings.Join(check(t, files), " "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// A function of which no example can run must still be shown by one.
func TestCannotRun(t *testing.T) {
	files := map[string]string{"doc.go": goodDoc, "code.go": goodCode, "example_test.go": strings.ReplaceAll(goodExample, "\tp.Start()\n\t// Output:\n", "\tp.Start()\n")}
	if found := check(t, files, "Start"); len(found) > 0 {
		t.Error(found)
	}
	files["example_test.go"] = strings.ReplaceAll(goodExample, "\tp.Start()\n", "")
	if found := check(t, files, "Start"); !slices.Equal(found, []string{"code.go:54: no example shows func Start"}) {
		t.Error(found)
	}
}

// Only what others can import or install is looked at, on whatever system it is
// for; of a command only its package comment.
func TestPackages(t *testing.T) {
	const bare = "package bare\n\nfunc Bare() {}\n"
	found := check(t, map[string]string{
		"internal/a/a.go":        bare,
		"a/internal/b.go":        bare,
		"testdata/a.go":          bare,
		".hidden/a.go":           bare,
		"_hidden/a.go":           bare,
		"nested/go.mod":          "module nested\n",
		"nested/a.go":            bare,
		"tests/only_test.go":     "package only\n",
		"empty/doc.go":           "// Package empty is nothing.\npackage empty\n",
		"cmd/good/main.go":       "// Command good is good.\npackage main\n\nfunc Exported() {}\n",
		"cmd/bad/main.go":        "package main\n",
		"system/doc.go":          "// Package system is for one.\npackage system\n",
		"system/only_windows.go": "package system\n\nvar Windows = 1\n",
	})
	want := []string{
		"cmd/bad: there is no package comment",
		"system/only_windows.go:3: var Windows has no comment",
		"system: there is no example whose output is compared",
	}
	if !slices.Equal(found, want) {
		t.Errorf("got  %q\nwant %q", found, want)
	}
}
