// Package outside runs the go command where go.work does not hold: in the
// folders that users of the modules get, against a module proxy made from the
// tree. The workspace hides a version or a name that is missing; this does not.
package outside

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/child"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// An Outside is a temporary folder with a module proxy of the tree, and a
// module cache of its own, because what is unreleased changes under one
// version.
type Outside struct {
	// Dir is the folder; its subfolders modules, proxy and cache are taken.
	Dir string
	// Proxy has what was packed or published.
	Proxy workspace.Proxy
	// Env is what commands outside the workspace need besides os.Environ.
	Env []string

	ws *workspace.Workspace
}

// New makes one for the modules of ws. Remove removes it.
func New(ctx context.Context, ws *workspace.Workspace) (*Outside, error) {
	settings, err := Go(ctx, ws.Root, nil, "env", "GOPROXY", "GOMODCACHE", "GOFLAGS", "GONOSUMDB")
	if err != nil {
		return nil, err
	}
	lines := strings.Split(settings, "\n")
	usual, cache, flags, unsummed := lines[0], lines[1], lines[2], lines[3]

	dir, err := os.MkdirTemp("", "outside-")
	if err != nil {
		return nil, err
	}
	o := &Outside{Dir: dir, Proxy: workspace.Proxy{Dir: filepath.Join(dir, "proxy")}, ws: ws}
	// What this machine has downloaded already comes before the usual proxy,
	// so that most runs need no network.
	downloaded := workspace.FileURL(filepath.Join(cache, "cache", "download"))
	o.Env = []string{
		"GOWORK=off",
		"GOPROXY=" + o.Proxy.URL() + "," + downloaded + "," + usual,
		"GONOSUMDB=" + strings.Trim(unsummed+","+ws.Unsummed(), ","),
		"GOMODCACHE=" + filepath.Join(dir, "cache"),
		// -modcacherw: the folder can be removed. -trimpath: the build cache
		// serves the next run too, whose folder has another name.
		"GOFLAGS=" + strings.TrimSpace(flags+" -modcacherw -trimpath"),
	}
	return o, nil
}

// EnvWith returns Env with a proxy that is asked before the others.
func (o *Outside) EnvWith(proxy workspace.Proxy) []string {
	env := slices.Clone(o.Env)
	for i, e := range env {
		if usual, ok := strings.CutPrefix(e, "GOPROXY="); ok {
			env[i] = "GOPROXY=" + proxy.URL() + "," + usual
		}
	}
	return env
}

// Remove removes the folder and all in it.
func (o *Outside) Remove() error { return os.RemoveAll(o.Dir) }

// Pack publishes the module, see [workspace.Proxy.Publish], and unpacks it
// again: what lies in the folder returned is what a user gets. Packing a
// module a second time replaces the first, as long as no other has asked the
// proxy for it.
func (o *Outside) Pack(ctx context.Context, m *workspace.Module, goMod, goSum []byte) (string, error) {
	name, err := o.Proxy.Publish(ctx, o.ws, m, goMod, goSum)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(o.Dir, "modules", filepath.FromSlash(m.Dir), "tree")
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	return dir, workspace.Unpack(dir, m, name)
}

// Tidy runs "go mod tidy" on a module in dir and returns its go.mod, and its
// go.sum with the lines of siblings; nil when it has none.
func (o *Outside) Tidy(ctx context.Context, dir string) (goMod, goSum []byte, err error) {
	if _, err := Go(ctx, dir, o.Env, "mod", "tidy"); err != nil {
		return nil, nil, err
	}
	if goMod, err = os.ReadFile(filepath.Join(dir, "go.mod")); err != nil {
		return nil, nil, err
	}
	goSum, err = ReadIfExists(filepath.Join(dir, "go.sum"))
	return goMod, goSum, err
}

// Use requires the module from an empty one, builds its packages there, and
// installs its commands by version, which refuses replace lines.
func (o *Outside) Use(ctx context.Context, m *workspace.Module, packages []Package) error {
	dir := filepath.Join(o.Dir, "modules", filepath.FromSlash(m.Dir), "user")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module user.invalid\n\ngo 1.25.0\n"), 0o666); err != nil {
		return err
	}
	if _, err := Go(ctx, dir, o.Env, "get", m.Path+"@"+m.Version); err != nil {
		return err
	}
	if _, err := Go(ctx, dir, o.Env, "build", "-mod=mod", "-o", os.DevNull, m.Path+"/..."); err != nil {
		return err
	}
	install := []string{"install"}
	for _, p := range packages {
		if p.Command {
			install = append(install, p.Path+"@"+m.Version)
		}
	}
	if len(install) == 1 {
		return nil
	}
	_, err := Go(ctx, dir, append(slices.Clone(o.Env), "GOBIN="+filepath.Join(dir, "bin")), install...)
	return err
}

// Prove vets and tests a module in dir, the folder that a user gets, and uses
// it as Use does. Each is done by step, which gets its name.
func (o *Outside) Prove(ctx context.Context, m *workspace.Module, dir string, step func(string, func() error) error) error {
	packages, err := Packages(ctx, dir, o.Env, "./...")
	if err != nil {
		return err
	}
	if len(packages) == 0 {
		return errors.New("it has no package")
	}
	if err := step("  vet", func() error {
		_, err := Go(ctx, dir, o.Env, "vet", "./...")
		return err
	}); err != nil {
		return err
	}
	if err := step("  test", func() error {
		_, err := Go(ctx, dir, o.Env, "test", "-count=1", "./...")
		return err
	}); err != nil {
		return err
	}
	return step("  import, install", func() error { return o.Use(ctx, m, packages) })
}

// A Package is one that the go command lists.
type Package struct {
	// Path is its import path.
	Path string
	// Command says that it is a package main.
	Command bool
}

// Packages lists those that match the patterns, in dir.
func Packages(ctx context.Context, dir string, env []string, patterns ...string) ([]Package, error) {
	out, err := Go(ctx, dir, env, append([]string{"list", "-f", "{{.Name}} {{.ImportPath}}"}, patterns...)...)
	if err != nil {
		return nil, err
	}
	var packages []Package
	for line := range strings.Lines(out) {
		name, path, _ := strings.Cut(strings.TrimSpace(line), " ")
		packages = append(packages, Package{path, name == "main"})
	}
	return packages, nil
}

// stopGrace is how long a command may take to end after a Ctrl-C.
const stopGrace = 5 * time.Second

// Go runs the go command in dir with env added to the environment, and returns
// its standard output. Its error holds all that the command printed.
func Go(ctx context.Context, dir string, env []string, args ...string) (string, error) {
	return Run(ctx, dir, env, "go", args...)
}

// Run runs a command as Go does.
func Run(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stdout, all bytes.Buffer
	// Both streams are written to all, from two goroutines.
	var mu sync.Mutex
	cmd.Stdout = writer(func(b []byte) { mu.Lock(); defer mu.Unlock(); stdout.Write(b); all.Write(b) })
	cmd.Stderr = writer(func(b []byte) { mu.Lock(); defer mu.Unlock(); all.Write(b) })
	err := child.Run(ctx, cmd, stopGrace)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		// Without env: a GOPROXY may have a password in it.
		return "", fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, bytes.TrimSpace(all.Bytes()))
	}
	return stdout.String(), nil
}

type writer func([]byte)

func (w writer) Write(b []byte) (int, error) {
	w(b)
	return len(b), nil
}

// ReadIfExists returns a file's text, nil if there is no such file.
func ReadIfExists(name string) ([]byte, error) {
	text, err := os.ReadFile(name)
	if os.IsNotExist(err) {
		return nil, nil
	}
	return text, err
}

// FirstDifference returns the first line that only one of two texts has,
// marked with - (have) or + (want), and its number there. The line is empty if
// there is none.
func FirstDifference(have, want []byte) (line string, number int) {
	for _, side := range []struct {
		mark     string
		in, from []byte
	}{{"-", want, have}, {"+", have, want}} {
		in := make(map[string]bool)
		for line := range bytes.Lines(side.in) {
			in[string(line)] = true
		}
		n := 0
		for line := range bytes.Lines(side.from) {
			n++
			if !in[string(line)] {
				return side.mark + string(bytes.TrimSpace(line)), n
			}
		}
	}
	return "", 0
}
