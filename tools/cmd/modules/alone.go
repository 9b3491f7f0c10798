package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// alone proves each module without the workspace, which hides a version or a
// name that is missing: in the folder that a user of the module gets, and as
// the dependency of a module that requires nothing else.
func alone(ctx context.Context, t *task) error {
	o, err := newOutside(ctx, t.ws)
	if err != nil {
		return err
	}
	defer o.remove()
	for i, m := range t.ws.Modules {
		fmt.Fprintf(t.stderr, "%d/%d %s\n", i+1, len(t.ws.Modules), m.Path)
		if err := t.proveAlone(ctx, o, m); err != nil {
			return fmt.Errorf("%s: %w", m.Dir, err)
		}
	}
	return nil
}

func (t *task) proveAlone(ctx context.Context, o *outside, m *workspace.Module) error {
	var dir string
	if err := t.step("  tidy", func() error {
		sum, err := readIfExists(filepath.Join(t.ws.Root, filepath.FromSlash(m.Dir), "go.sum"))
		if err != nil {
			return err
		}
		if dir, err = o.pack(ctx, t.ws, m, nil, t.ws.WithoutSiblings(sum)); err != nil {
			return err
		}
		// It also adds the sums of the siblings to the copy.
		goMod, goSum, err := o.tidy(ctx, t.ws, dir)
		if err != nil {
			return err
		}
		return untidy(t.ws, m, goMod, goSum)
	}); err != nil {
		return err
	}
	packages, err := listPackages(ctx, dir, o.env, "./...")
	if err != nil {
		return err
	}
	if len(packages) == 0 {
		return fmt.Errorf("it has no package")
	}
	if err := t.step("  vet", func() error {
		_, err := command(ctx, dir, o.env, "vet", "./...")
		return err
	}); err != nil {
		return err
	}
	if err := t.step("  test", func() error {
		args := []string{"test", "-count=1"}
		for _, p := range packages {
			if !t.skipped(m, p.path) {
				args = append(args, p.path)
			}
		}
		if len(args) == 2 {
			return nil
		}
		_, err := command(ctx, dir, o.env, args...)
		return err
	}); err != nil {
		return err
	}
	return t.step("  import, install", func() error { return o.use(ctx, m, packages) })
}

// skipped reports whether the tests of a package are asked to be left out.
func (t *task) skipped(m *workspace.Module, pkg string) bool {
	folder := m.Dir + strings.TrimPrefix(pkg, m.Path)
	return slices.ContainsFunc(t.skipTest, func(s string) bool {
		s = strings.Trim(filepath.ToSlash(s), "./")
		return folder == s || strings.HasPrefix(folder, s+"/")
	})
}

// use requires the module from an empty one, builds its packages there, and
// installs its commands by version, which refuses replace lines.
func (o *outside) use(ctx context.Context, m *workspace.Module, packages []pkg) error {
	dir := filepath.Join(o.dir, "modules", filepath.FromSlash(m.Dir), "user")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module user.invalid\n\ngo 1.25.0\n"), 0o666); err != nil {
		return err
	}
	if _, err := command(ctx, dir, o.env, "get", m.Path+"@"+m.Version); err != nil {
		return err
	}
	if _, err := command(ctx, dir, o.env, "build", "-mod=mod", "-o", os.DevNull, m.Path+"/..."); err != nil {
		return err
	}
	install := []string{"install"}
	for _, p := range packages {
		if p.command {
			install = append(install, p.path+"@"+m.Version)
		}
	}
	if len(install) == 1 {
		return nil
	}
	_, err := command(ctx, dir, append(slices.Clone(o.env), "GOBIN="+filepath.Join(dir, "bin")), install...)
	return err
}

type pkg struct {
	path    string
	command bool // package main
}

func listPackages(ctx context.Context, dir string, env []string, patterns ...string) ([]pkg, error) {
	out, err := command(ctx, dir, env, append([]string{"list", "-f", "{{.Name}} {{.ImportPath}}"}, patterns...)...)
	if err != nil {
		return nil, err
	}
	var packages []pkg
	for line := range strings.Lines(out) {
		name, path, _ := strings.Cut(strings.TrimSpace(line), " ")
		packages = append(packages, pkg{path, name == "main"})
	}
	return packages, nil
}
