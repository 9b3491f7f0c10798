package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/child"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// endToEnd is the module whose tests build the commands of all others from the
// tree, which no go.mod says.
const endToEnd = "tools"

// affected prints the folders of the modules that the changes since the common
// ancestor with --base affect, in dependency order: those that changed, and
// those that are built of them.
func affected(ctx context.Context, t *task) error {
	if t.base == "" {
		return fmt.Errorf("affected needs --base, as in --base origin/main; %w", errUsage)
	}
	// Of the tree as it is: tracked files that differ, and new ones.
	changed, err := gitLines(ctx, t.ws.Root, "diff", "--name-only", "--no-renames", "-z", "--merge-base", t.base)
	if err != nil {
		return err
	}
	added, err := gitLines(ctx, t.ws.Root, "ls-files", "-z", "--others", "--exclude-standard")
	if err != nil {
		return err
	}
	for _, m := range affectedBy(t.ws, append(changed, added...)) {
		fmt.Fprintln(t.stdout, m.Dir)
	}
	return nil
}

// affectedBy returns the modules that changes to the files affect. A file that
// is in no module - go.work, the CI, the README with its tested program - is
// taken to affect all.
func affectedBy(ws *workspace.Workspace, files []string) (modules []*workspace.Module) {
	hit := make(map[*workspace.Module]bool)
	for _, file := range files {
		m := owner(ws, file)
		if m == nil {
			return ws.Modules
		}
		hit[m] = true
	}
	// In dependency order, so what a module requires has been looked at.
	for _, m := range ws.Modules {
		if slices.ContainsFunc(m.Siblings, func(s *workspace.Module) bool { return hit[s] }) || m.Dir == endToEnd && len(hit) > 0 {
			hit[m] = true
		}
		if hit[m] {
			modules = append(modules, m)
		}
	}
	return modules
}

// owner returns the module that a file is in: the innermost.
func owner(ws *workspace.Workspace, file string) (found *workspace.Module) {
	for _, m := range ws.Modules {
		if strings.HasPrefix(file, m.Dir+"/") && (found == nil || len(m.Dir) > len(found.Dir)) {
			found = m
		}
	}
	return found
}

func gitLines(ctx context.Context, dir string, args ...string) ([]string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := child.Run(ctx, cmd, time.Second); err != nil {
		if text := strings.TrimSpace(stderr.String()); text != "" {
			err = errors.New(text)
		}
		return nil, fmt.Errorf("git %s: %w", args[0], err)
	}
	return strings.FieldsFunc(stdout.String(), func(r rune) bool { return r == 0 }), nil
}
