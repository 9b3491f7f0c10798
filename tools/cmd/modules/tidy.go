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

// tidy tidies the copy and writes what has changed there to the tree.
func (t *task) tidy(ctx context.Context) error {
	if err := t.tidyAll(ctx); err != nil {
		return err
	}
	// The sums of all that the workspace requires. Other commands would add some
	// of them, and none takes one away: what this writes, none changes.
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

// tidyAll tidies all modules of the copy. Siblings' lines stay out of go.sum.
func (t *task) tidyAll(ctx context.Context) error {
	if err := t.tidyModules(ctx, t.copy.Modules); err != nil {
		return err
	}
	return t.withoutSiblings(t.copy.Modules)
}

// tidyModules tidies modules of the copy, each against its siblings in the
// proxy, and puts them there.
func (t *task) tidyModules(ctx context.Context, modules []*workspace.Module) error {
	// A sum of another state of a sibling would be a mismatch.
	if err := t.withoutSiblings(modules); err != nil {
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

// withoutSiblings removes the lines of all siblings from modules' go.sum, and
// a go.sum that has no other.
func (t *task) withoutSiblings(modules []*workspace.Module) error {
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

// changes returns, as git diff does, what has changed in the copy.
func (t *task) changes(ctx context.Context) (string, error) {
	now, err := t.copy.Tree(ctx)
	if err != nil {
		return "", err
	}
	return workspace.Run(ctx, t.copy.Root, nil, "git", "diff", "--no-renames", t.before, now)
}

// apply writes to the tree what has changed in the copy, and prints it in short.
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
