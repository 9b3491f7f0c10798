package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed96110120/kinesis-client-go/tools/internal/outside"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// closureFolder has a file for each module: the modules that its packages are
// built of, itself included, one a line. Versions are go.mod's business.
const closureFolder = "tools/closure"

func closureFile(m *workspace.Module) string { return path.Join(closureFolder, m.Dir+".txt") }

// closure returns the text of that file for the module in dir, which is
// outside the workspace. Tests are not in it: they are not what a user builds.
func closure(ctx context.Context, o *outside.Outside, dir string) (string, error) {
	built := make(map[string]bool)
	for _, goos := range []string{"linux", "darwin", "windows"} {
		env := append(slices.Clone(o.Env), "GOOS="+goos, "GOARCH=amd64", "CGO_ENABLED=0")
		out, err := outside.Go(ctx, dir, env, "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "./...")
		if err != nil {
			return "", err
		}
		for line := range strings.Lines(out) {
			if line := strings.TrimSpace(line); line != "" {
				built[line+"\n"] = true
			}
		}
	}
	lines := make([]string, 0, len(built))
	for line := range built {
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return strings.Join(lines, ""), nil
}

func (r *release) checkClosure(ctx context.Context, m *workspace.Module, dir string) error {
	const renew = "if that is meant, run go run ./tools/cmd/release --update-closure "
	have, err := outside.ReadIfExists(filepath.Join(r.ws.Root, filepath.FromSlash(closureFile(m))))
	if err != nil {
		return err
	}
	text, err := closure(ctx, r.out, dir)
	if err != nil {
		return err
	}
	if have == nil {
		r.failClosure(m, 1, "there is no such file: run go run ./tools/cmd/release --update-closure "+m.Dir+", and read what it writes")
		return nil
	}
	line, n := outside.FirstDifference(have, []byte(text))
	switch {
	case strings.HasPrefix(line, "-"):
		r.failClosure(m, n, "nothing is built of "+line[1:]+" any more: "+renew+m.Dir)
	case line != "":
		r.failClosure(m, n, line[1:]+" is new in what the module is built of: "+renew+m.Dir)
	}
	return nil
}

func (r *release) failClosure(m *workspace.Module, line int, text string) {
	r.failures = append(r.failures, failure{"closure", m.Dir, closureFile(m), line, text})
}

// checkClosureFiles finds files of modules that are no more.
func (r *release) checkClosureFiles() error {
	if !r.all {
		return nil
	}
	root := filepath.Join(r.ws.Root, filepath.FromSlash(closureFolder))
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(name) != ".txt" {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		dir := strings.TrimSuffix(filepath.ToSlash(rel), ".txt")
		if !slices.ContainsFunc(r.ws.Modules, func(m *workspace.Module) bool { return m.Dir == dir }) {
			r.failures = append(r.failures, failure{"closure", dir, path.Join(closureFolder, dir+".txt"), 1, "there is no such module: remove the file"})
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// updateClosure writes the files of the modules asked for, from the tree as it
// is: a module that is being written has no commit yet.
func (c *command) updateClosure(ctx context.Context, ws *workspace.Workspace, o options) error {
	chosen, err := choose(ws, o)
	if err != nil {
		return err
	}
	out, err := outside.New(ctx, ws)
	if err != nil {
		return err
	}
	defer out.Remove()
	for _, m := range ws.Modules {
		sum, err := outside.ReadIfExists(filepath.Join(ws.Root, filepath.FromSlash(m.Dir), "go.sum"))
		if err != nil {
			return err
		}
		dir, err := out.Pack(ctx, m, nil, ws.WithoutSiblings(sum))
		if err != nil {
			return err
		}
		goMod, goSum, err := out.Tidy(ctx, dir)
		if err != nil {
			return fmt.Errorf("%s: %w", m.Dir, err)
		}
		if dir, err = out.Pack(ctx, m, goMod, goSum); err != nil {
			return err
		}
		if !slices.Contains(chosen, m) {
			continue
		}
		text, err := closure(ctx, out, dir)
		if err != nil {
			return fmt.Errorf("%s: %w", m.Dir, err)
		}
		name := filepath.Join(ws.Root, filepath.FromSlash(closureFile(m)))
		have, err := outside.ReadIfExists(name)
		if err != nil {
			return err
		}
		if string(have) == text {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			return err
		}
		fmt.Fprintln(c.stdout, closureFile(m))
	}
	return nil
}
