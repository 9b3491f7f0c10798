// Command modules tidies, checks and releases the modules of the workspace. They require
// each other at versions that are not released yet. Where go.work does not apply, a module
// proxy that is made from the tree has these versions. See the README of tools.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

const usage = `Usage: go run ./tools/cmd/modules list
       go run ./tools/cmd/modules affected REVISION
       go run ./tools/cmd/modules tidy
       go run ./tools/cmd/modules check [MODULE...]
       go run ./tools/cmd/modules prepare [MODULE...] VERSION
       go run ./tools/cmd/modules tag [MODULE...] VERSION

MODULE is a module's folder, such as processor/worker. The default is all modules.

  list      print the modules' folders in dependency order
  affected  print the modules that have changed since REVISION, and those that depend
            on them
  tidy      run "go mod tidy" in each module with its siblings from the tree, and
            rewrite go.work.sum; no line of a sibling is written to go.sum
  check     check that all modules are tidy; then vet and test each MODULE and install
            its commands as its users do: by version from a module proxy, with
            GOWORK=off and an empty module cache; only vet tools, whose tests need
            the checkout
  prepare   write what a release needs, for you to commit: the date in the changelog,
            the required versions of siblings, and their sums
  tag       check the modules and that nothing is left to prepare, tag the last commit
            for all of them or none, and print how to push the tags

Examples:
  go run ./tools/cmd/modules check protocol processor
  go run ./tools/cmd/modules prepare protocol processor v0.2.0

Exit status: 0 done, 1 failed, 2 wrong usage.
`

// errUsage marks wrong usage, which has exit status 2.
var errUsage = errors.New("try --help")

func main() {
	// Git hooks set these for their own repository.
	for _, name := range []string{"GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"} {
		os.Unsetenv(name)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "modules:", err)
	if errors.Is(err, errUsage) {
		os.Exit(2)
	}
	os.Exit(1)
}

// A task is one run of this command.
type task struct {
	ws             *workspace.Workspace
	copy           *workspace.Snapshot // of ws; nil for list and affected
	before         string              // the git tree of copy before its changes
	dirs           []string            // the selected modules; empty for all
	target         string              // the revision for affected, the version for prepare and tag
	stdout, stderr io.Writer
}

var actions = map[string]func(*task, context.Context) error{
	"list":     (*task).list,
	"affected": (*task).affected,
	"tidy":     (*task).tidy,
	"check":    (*task).check,
	"prepare":  (*task).prepare,
	"tag":      (*task).tag,
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if slices.Contains(args, "--help") || slices.Contains(args, "-h") {
		_, err := io.WriteString(stdout, usage)
		return err
	}
	if len(args) == 0 || actions[args[0]] == nil {
		return fmt.Errorf("name one of list, affected, tidy, check, prepare, tag; %w", errUsage)
	}
	action, n := args[0], len(args)-1
	t := &task{dirs: args[1:], stdout: stdout, stderr: stderr}
	if action == "affected" || action == "prepare" || action == "tag" {
		if n == 0 {
			return fmt.Errorf("%s needs an argument; %w", action, errUsage)
		}
		t.dirs, t.target = args[1:n], args[n]
	}
	if len(t.dirs) > 0 && (action == "list" || action == "affected" || action == "tidy") {
		return fmt.Errorf("%s takes no modules; %w", action, errUsage)
	}
	root, err := workspace.Find(ctx, ".")
	if err != nil {
		return err
	}
	if t.ws, err = workspace.Load(root); err != nil {
		return err
	}
	for _, dir := range t.dirs {
		if !slices.ContainsFunc(t.ws.Modules, func(m *workspace.Module) bool { return m.Dir == dir }) {
			return fmt.Errorf("no module in folder %s: see modules list; %w", dir, errUsage)
		}
	}
	if action != "list" && action != "affected" {
		if t.copy, err = t.ws.Snapshot(ctx); err != nil {
			return err
		}
		defer t.copy.Remove()
		if t.before, err = t.copy.Tree(ctx); err != nil {
			return err
		}
	}
	return actions[action](t, ctx)
}

func (t *task) list(context.Context) error {
	for _, m := range t.ws.Modules {
		fmt.Fprintln(t.stdout, m.Dir)
	}
	return nil
}

// selected returns the selected modules of the copy in dependency order.
func (t *task) selected() []*workspace.Module {
	return slices.DeleteFunc(slices.Clone(t.copy.Modules), func(m *workspace.Module) bool {
		return len(t.dirs) > 0 && !slices.Contains(t.dirs, m.Dir)
	})
}

// step runs f and prints its name and how many seconds it took.
func (t *task) step(name, dir string, f func() error) error {
	start := time.Now()
	if err := f(); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	fmt.Fprintf(t.stderr, "%-40s %6.1f s\n", name+" "+dir, time.Since(start).Seconds())
	return nil
}
