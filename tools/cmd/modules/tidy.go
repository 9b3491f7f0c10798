package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// tidy tidies the copy and applies its changes to the tree.
func (t *task) tidy(ctx context.Context) error {
	if err := t.tidyAll(ctx); err != nil {
		return err
	}
	// The sums of all that the workspace requires. Other go commands would add some of
	// them and remove none, so none of them changes this file.
	if err := t.step("download", "go.work", func() error {
		if err := os.RemoveAll(filepath.Join(t.copy.Root, "go.work.sum")); err != nil {
			return err
		}
		_, err := workspace.Go(ctx, t.copy.Root, []string{"GOWORK=" + filepath.Join(t.copy.Root, "go.work")}, "mod", "download")
		return err
	}); err != nil {
		return err
	}
	return t.apply(ctx)
}

// tidyAll tidies all modules of the copy, without lines of siblings in go.sum.
func (t *task) tidyAll(ctx context.Context) error {
	if err := t.tidyModules(ctx, t.copy.Modules); err != nil {
		return err
	}
	return t.removeSiblingSums(t.copy.Modules)
}

// tidyModules tidies modules of the copy with their siblings from the proxy, and puts them
// there.
func (t *task) tidyModules(ctx context.Context, modules []*workspace.Module) error {
	// The sums may be of another state of a sibling.
	if err := t.removeSiblingSums(modules); err != nil {
		return err
	}
	for _, m := range modules {
		if err := t.step("tidy", m.Dir, func() error {
			if _, err := workspace.Go(ctx, t.copy.File(m, ""), t.copy.Env, "mod", "tidy"); err != nil {
				return err
			}
			return t.copy.Publish(ctx, m)
		}); err != nil {
			return err
		}
	}
	return nil
}

// removeSiblingSums removes the lines of all siblings from the modules' go.sum, and removes
// a go.sum that has no other lines.
func (t *task) removeSiblingSums(modules []*workspace.Module) error {
	var paths []string
	for _, m := range t.copy.Modules {
		paths = append(paths, regexp.QuoteMeta(m.Path))
	}
	lines := regexp.MustCompile(`(?m)^(?:` + strings.Join(paths, "|") + `) .*\n`)
	for _, m := range modules {
		name := t.copy.File(m, "go.sum")
		text, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		text = lines.ReplaceAll(text, nil)
		if err := os.WriteFile(name, text, 0o666); err != nil {
			return err
		}
		if len(text) == 0 {
			if err := os.Remove(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// changes returns the changes of the copy in the format of git diff.
func (t *task) changes(ctx context.Context) (string, error) {
	now, err := t.copy.Tree(ctx)
	if err != nil {
		return "", err
	}
	return workspace.Run(ctx, t.copy.Root, nil, "git", "diff", "--no-renames", t.before, now)
}

// apply applies the changes of the copy to the tree and prints a summary.
func (t *task) apply(ctx context.Context) error {
	diff, err := t.changes(ctx)
	if err != nil || diff == "" {
		return err
	}
	patch := filepath.Join(t.copy.Temp, "patch")
	if err := os.WriteFile(patch, []byte(diff), 0o666); err != nil {
		return err
	}
	short, err := workspace.Run(ctx, t.ws.Root, nil, "git", "apply", "--stat", "--apply", patch)
	fmt.Fprint(t.stdout, short)
	return err
}
