// Package lint tests that the rules of .golangci.yml find faults. Linting the modules in CI
// shows that they allow correct code.
package lint

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const prefix = "github.com/seed96110120/kinesis-client-go/"

// planted are imports that a rule of depguard must refuse: the place, the import and the
// rule. The compiler would accept each of them.
var planted = []struct{ dir, file, imports, rule string }{
	{"protocol", "x.go", prefix + "processor", "protocol"},
	{"protocol", "x.go", "golang.org/x/sys/unix", "protocol"},
	{"protocol", "x_test.go", "golang.org/x/sys/unix", "protocol"},
	{"processor", "x.go", prefix + "processor/worker", "processor"},
	{"processor", "x.go", prefix + "bootstrap", "processor"},
	{"processor", "x_test.go", "golang.org/x/sys/unix", "processor"},
	{"processor/handle", "x.go", prefix + "processor/worker", "processor"},
	{"processor/worker", "x.go", "github.com/spf13/pflag", "worker"},
	{"processor/worker", "x_test.go", prefix + "tools/localaws", "worker"},
	{"processor/worker", "x.go", "github.com/prometheus/client_golang/prometheus", "worker-runtime"},
	{"processor/worker", "x.go", "net/http", "worker-runtime"},
	{"bootstrap", "x.go", prefix + "protocol", "bootstrap"},
	{"bootstrap", "x_test.go", prefix + "tools/localaws", "bootstrap"},
	{"bootstrap", "x.go", "github.com/aws/aws-sdk-go-v2/aws", "aws"},
	{"bootstrap", "x.go", "github.com/sirupsen/logrus", "logging"},
	{"consumer-sample", "x.go", prefix + "tools/localaws", "consumer-sample"},
	{"consumer-sample", "x.go", "github.com/aws/aws-sdk-go-v2/config", "aws"},
	{"consumer-sample", "x.go", "github.com/aws/smithy-go", "aws"},
	{"consumer-sample/internal", "x.go", "github.com/sirupsen/logrus", "logging"},
	{"producer", "x.go", prefix + "processor", "producer"},
	{"producer/internal", "x.go", "github.com/sirupsen/logrus", "logging"},
	{"infra", "x.go", prefix + "protocol", "infra"},
	{"infra/internal", "x.go", "github.com/sirupsen/logrus", "logging"},
	{"tools/localaws", "x.go", prefix + "processor", "localaws"},
	{"tools", "x.go", "github.com/sirupsen/logrus", "logging"},
}

// names are refused as package names.
var names = []string{"util", "utils", "common", "helper", "helpers"}

// uncommented are files that lack a comment, and the linter's message.
var uncommented = []struct{ text, said string }{
	{"package p\n", "should have a package comment"},
	{"// Package p is one.\npackage p\n\nfunc F() {}\n", "exported function F should have comment"},
	{"// Package p is one.\npackage p\n\nconst C = 1\n", "exported const C should have comment"},
	{"// Package p is one.\npackage p\n\nvar V = 1\n", "exported var V should have comment"},
	{"// Package p is one.\npackage p\n\ntype T struct{}\n", "exported type T should have comment"},
	{"// Package p is one.\npackage p\n\n// T is one.\ntype T struct{}\n\nfunc (T) M() {}\n", "exported method T.M should have comment"},
	{"// Package p is one.\npackage p\n\n// I is one.\ntype I interface{ M() }\n", "public interface method I.M should be commented"},
}

func TestRulesBite(t *testing.T) {
	root := clone(t)
	want := make(map[string]string) // by file, what is said of it
	var packages []string
	plant := func(dir, file, text, said string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(root, dir), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, dir, file), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		want[dir+"/"+file] = said
		packages = append(packages, "./"+dir)
	}
	for n, p := range planted {
		// A package that nobody imports, so that no import makes a cycle.
		plant(fmt.Sprintf("%s/planted%d", p.dir, n), p.file, fmt.Sprintf("// Package planted%d is one.\npackage planted%[1]d\n\nimport _ %q\n", n, p.imports),
			fmt.Sprintf("import '%s' is not allowed from list '%s'", p.imports, p.rule))
	}
	for _, name := range names {
		plant("tools/internal/"+name, "x.go", "// Package "+name+" is one.\npackage "+name+"\n", `don't use "`+name+`" because it is a bad package name`)
	}
	for n, u := range uncommented {
		plant(fmt.Sprintf("processor/uncommented%d", n), "x.go", u.text, u.said)
	}

	for name, texts := range lint(t, root, packages) {
		said, ok := want[name]
		if !ok || len(texts) != 1 || !strings.Contains(texts[0], said) {
			t.Errorf("%s: said %q, want that %s", name, texts, said)
		}
		delete(want, name)
	}
	for name, said := range want {
		t.Errorf("%s: nothing was said, want that %s", name, said)
	}
}

// TestRulesBite covers each rule of depguard.
func TestEachRuleIsPlanted(t *testing.T) {
	text, err := os.ReadFile("../../.golangci.yml")
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Linters struct {
			Settings struct {
				Depguard struct{ Rules map[string]any }
			}
		}
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	proven := make(map[string]any)
	for _, p := range planted {
		proven[p.rule] = nil
	}
	got, want := slices.Sorted(maps.Keys(proven)), slices.Sorted(maps.Keys(config.Linters.Settings.Depguard.Rules))
	if !slices.Equal(got, want) {
		t.Errorf("imports are planted for the rules %q, .golangci.yml has %q", got, want)
	}
}

// clone copies the files that git tracks or would track to a temporary folder.
func clone(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	source, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = source
	files, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(files), "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join(source, name))
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// lint runs the two linters on the packages, in the workspace of the folder, and returns
// their messages by file.
func lint(t *testing.T, root string, packages []string) map[string][]string {
	t.Helper()
	find := exec.CommandContext(t.Context(), "go", "tool", "-n", "golangci-lint")
	find.Env = append(os.Environ(), "GOWORK=off")
	find.Stderr = os.Stderr
	linter, err := find.Output()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), strings.TrimSpace(string(linter)), "run", "--enable-only", "depguard,revive",
		"--output.text.path", os.DevNull, "--output.json.path", "stdout", "--show-stats=false")
	cmd.Args = append(cmd.Args, packages...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOWORK=", "PWD="+root, "GOLANGCI_LINT_CACHE="+t.TempDir())
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var report struct {
		Issues []struct {
			Text string
			Pos  struct{ Filename string }
		}
	}
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 1 || json.Unmarshal(out, &report) != nil {
		t.Fatalf("golangci-lint: %v\n%s%s", err, out, &stderr)
	}
	said := make(map[string][]string)
	for _, issue := range report.Issues {
		name := filepath.ToSlash(issue.Pos.Filename)
		said[name] = append(said[name], issue.Text)
	}
	return said
}
