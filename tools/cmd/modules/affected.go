package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// endToEnd is the module whose tests build the commands of all others from the
// tree, which no go.mod says.
const endToEnd = "tools"

func (t *task) affected(ctx context.Context) error {
	// Of the tree as it is: tracked files that differ, and new ones.
	changed, err := workspace.Run(ctx, t.ws.Root, nil, "git", "diff", "--name-only", "--no-renames", "--merge-base", t.last)
	if err != nil {
		return err
	}
	added, err := workspace.Run(ctx, t.ws.Root, nil, "git", "ls-files", "--others", "--exclude-standard")
	if err != nil {
		return err
	}
	hit := make(map[*workspace.Module]bool)
	for file := range strings.Lines(changed + added) {
		hit[owner(t.ws, file)] = true
	}
	for _, m := range t.ws.Modules {
		// What it requires comes before it. A file that is in no module - go.work,
		// the CI, the README with its tested program - affects all.
		siblings := slices.ContainsFunc(m.Siblings, func(s *workspace.Module) bool { return hit[s] })
		if siblings || hit[nil] || m.Dir == endToEnd && len(hit) > 0 {
			hit[m] = true
		}
		if hit[m] {
			fmt.Fprintln(t.stdout, m.Dir)
		}
	}
	return nil
}

// owner returns the module that a file is in, the innermost; nil if it is in
// none, or git quotes its name.
func owner(ws *workspace.Workspace, file string) (found *workspace.Module) {
	for _, m := range ws.Modules {
		if strings.HasPrefix(file, m.Dir+"/") && (found == nil || len(m.Dir) > len(found.Dir)) {
			found = m
		}
	}
	return found
}
