package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

func (t *task) check(ctx context.Context) (err error) {
	// The sums of siblings are those of the last release. The tree may have changed since;
	// the next release compares them.
	if err := t.removeSiblingSums(t.copy.Modules); err != nil {
		return err
	}
	if t.before, err = t.copy.Tree(ctx); err != nil {
		return err
	}
	if err := t.tidyAll(ctx); err != nil {
		return err
	}
	diff, err := t.changes(ctx)
	if err != nil {
		return err
	}
	if diff != "" {
		return fmt.Errorf("not tidy: run go run ./tools/cmd/modules tidy:\n%s", diff)
	}
	return t.checkAsUser(ctx)
}

// checkAsUser checks that users can use each selected module as it is in the proxy.
func (t *task) checkAsUser(ctx context.Context) error {
	for _, m := range t.selected() {
		dir := filepath.Join(t.copy.Temp, "users", filepath.FromSlash(m.Dir))
		goMod := []byte("module user.invalid\n\ngo 1.25.0\n")
		if err := errors.Join(os.MkdirAll(dir, 0o777), os.WriteFile(filepath.Join(dir, "go.mod"), goMod, 0o666)); err != nil {
			return err
		}
		env := append(slices.Clone(t.copy.Env), "GOBIN="+filepath.Join(dir, "bin"), "LONG_TESTS=")
		all := m.Path + "/..."
		steps := [][]string{
			{"get", m.Path + "@" + m.Version},
			{"vet", "-mod=mod", all},
			{"test", "-mod=mod", "-vet=off", "-count=1", all},
			{"install", all + "@" + m.Version},
		}
		if m.Dir == testsAll {
			steps = steps[:2] // its tests need the checkout
		}
		for _, args := range steps {
			if err := t.step(args[0], m.Dir, func() error {
				_, err := workspace.Go(ctx, dir, env, args...)
				return err
			}); err != nil {
				return err
			}
		}
	}
	return nil
}
