package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// testsAll is the module whose tests build the commands of all others from the tree. Its
// go.mod does not require all of them.
const testsAll = "tools"

func (t *task) affected(ctx context.Context) error {
	// Tracked files that differ, and new ones.
	changed, err := workspace.Run(ctx, t.ws.Root, nil, "git", "diff", "--name-only", "--no-renames", "--merge-base", t.target)
	if err != nil {
		return err
	}
	added, err := workspace.Run(ctx, t.ws.Root, nil, "git", "ls-files", "--others", "--exclude-standard")
	if err != nil {
		return err
	}
	affected := make(map[*workspace.Module]bool)
	for file := range strings.Lines(changed + added) {
		affected[moduleOf(t.ws, file)] = true
	}
	for _, m := range t.ws.Modules {
		// Required modules come first. A file outside the modules, such as go.work, the
		// CI, or the README with its tested program, affects all.
		siblings := slices.ContainsFunc(m.Siblings, func(s *workspace.Module) bool { return affected[s] })
		if siblings || affected[nil] || m.Dir == testsAll && len(affected) > 0 {
			affected[m] = true
		}
		if affected[m] {
			fmt.Fprintln(t.stdout, m.Dir)
		}
	}
	return nil
}

// moduleOf returns the innermost module that contains a file, nil if there is none or if
// git quotes the file's name.
func moduleOf(ws *workspace.Workspace, file string) (found *workspace.Module) {
	for _, m := range ws.Modules {
		if strings.HasPrefix(file, m.Dir+"/") && (found == nil || len(m.Dir) > len(found.Dir)) {
			found = m
		}
	}
	return found
}
