//go:build unix

package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed96110120/kinesis-client-go/tools/internal/outside"
	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// published is all modules in a module proxy, as a release of the tree would
// put them there. runTests removes it.
var published = sync.OnceValues(func() (*releasedModules, error) {
	ctx := context.Background()
	ws, err := workspace.Load(shared.root)
	if err != nil {
		return nil, err
	}
	o, err := outside.New(ctx, ws)
	if err != nil {
		return nil, err
	}
	r := &releasedModules{o, ws}
	shared.published = r
	for _, m := range ws.Modules {
		// Users' builds do not look at the go.sum of what they require.
		if _, err := o.Proxy.Publish(ctx, ws, m, nil, nil); err != nil {
			return nil, err
		}
	}
	return r, nil
})

type releasedModules struct {
	*outside.Outside
	ws *workspace.Workspace
}

func released(t *testing.T) *releasedModules {
	t.Helper()
	require(t)
	r, err := published()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// module returns the module in a folder.
func (r *releasedModules) module(t *testing.T, dir string) *workspace.Module {
	t.Helper()
	i := slices.IndexFunc(r.ws.Modules, func(m *workspace.Module) bool { return m.Dir == dir })
	if i < 0 {
		t.Fatalf("no module %s", dir)
	}
	return r.ws.Modules[i]
}

// user makes a module that requires one of ours and has the one file, and
// tidies it.
func (r *releasedModules) user(t *testing.T, env []string, requires, name, text string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	m := r.module(t, requires)
	goMod := "module user.invalid\n\ngo 1.25.0\n\nrequire " + m.Path + " " + m.Version + "\n"
	for name, text := range map[string]string{"go.mod": goMod, name: text} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(text, "PREFIX", r.ws.Prefix)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := outside.Go(t.Context(), dir, env, "mod", "tidy"); err != nil {
		t.Fatal(err)
	}
	return dir
}

// readmeProgram returns the program in the README.
func readmeProgram(t *testing.T) string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(shared.root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(blocks) != 1 {
		t.Fatalf("%d blocks of Go in the README, want 1", len(blocks))
	}
	return blocks[0][1]
}

// The program in the README, as it stands there, is compiled against the
// released modules; the real daemon runs it.
func TestREADMEProgram(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	r := released(t)
	program := readmeProgram(t)
	if n := strings.Count(program, "\n"); n > 25 {
		t.Errorf("the program has %d lines, want 25 at most", n)
	}
	dir := r.user(t, r.Env, "processor/worker", "main.go", program)
	command := sample.Command(shared.bin, "readme-worker")
	if _, err := outside.Go(t.Context(), dir, r.Env, "build", "-o", command, "."); err != nil {
		t.Fatal(err)
	}
	// With the names that stand in it, and what the local services export.
	l := local(t)
	a := &application{t: t, name: "kclgosample", dir: t.TempDir(), environ: sample.Environ(l.Environ(os.Environ()), shared.bin)}
	a.produce(7)
	a.run("kcl-infra", "create", "--application", "hello", "--stream-name", a.name, "--seed-leases", "TRIM_HORIZON")
	p := a.startProcess("hello", exec.Command(command))
	printed := regexp.MustCompile(`(?m) shardId-\d+ sensor-\d+: \{"time"`)
	p.await("the records", func() bool { return len(printed.FindAllString(a.read("hello.log"), -1)) >= 7 })
	p.stopBy(os.Interrupt)
}
