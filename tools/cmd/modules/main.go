// Command modules does for all modules of the workspace what the go command
// does for one, and releases them. The modules require each other at versions
// that are not released yet; where go.work does not hold, a folder laid out as
// a module proxy, made from the tree, stands in for the release.
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

const usage = `usage: modules list
       modules affected REVISION
       modules tidy
       modules check [MODULE...]
       modules prepare [MODULE...] VERSION
       modules tag [MODULE...] VERSION

A MODULE is a folder, as in processor/worker; without any, all are meant.

  list      print the modules' folders in dependency order
  affected  print those of them that changed since the revision, or are built of
            one that did
  tidy      run "go mod tidy" in each module, siblings from the tree, and write
            go.work.sum anew. go.sum gets no line of a sibling: each commit to it
            would change that
  check     all modules are tidy; each MODULE, as its users get it - by version from
            a module proxy made from the tree, GOWORK=off, an empty module cache -
            passes go vet and its tests, and its commands install. tools passes
            go vet only: it tests and runs the checkout
  prepare   write what a release needs, to be committed: the date in the changelog,
            the versions that siblings are required at, their sums
  tag       check the modules, and that there is nothing left to prepare; tag the
            last commit, all or none; print how to push the tags

examples:
  go run ./tools/cmd/modules check protocol processor
  go run ./tools/cmd/modules prepare protocol processor v0.2.0
`

// errUsage marks what is the caller's mistake: exit status 2.
var errUsage = errors.New("try --help")

func main() {
	// A git hook has these, and they are not those of a copy.
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
	copy           *workspace.Snapshot // of ws, where there is something to do with it
	before         string              // the tree of copy before it was changed
	dirs           []string            // of the modules that are meant; none: all
	last           string              // the revision of affected, the version of prepare and tag
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
		return fmt.Errorf("want one of list, affected, tidy, check, prepare, tag; %w", errUsage)
	}
	todo, n := args[0], len(args)-1
	t := &task{dirs: args[1:], stdout: stdout, stderr: stderr}
	if todo == "affected" || todo == "prepare" || todo == "tag" {
		if n == 0 {
			return fmt.Errorf("%s lacks an argument; %w", todo, errUsage)
		}
		t.dirs, t.last = args[1:n], args[n]
	}
	if len(t.dirs) > 0 && (todo == "list" || todo == "affected" || todo == "tidy") {
		return fmt.Errorf("%s takes no modules; %w", todo, errUsage)
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
			return fmt.Errorf("no module in folder %s, see modules list; %w", dir, errUsage)
		}
	}
	if todo != "list" && todo != "affected" {
		if t.copy, err = t.ws.Snapshot(ctx); err != nil {
			return err
		}
		defer t.copy.Remove()
		if t.before, err = t.copy.Tree(ctx); err != nil {
			return err
		}
	}
	return actions[todo](t, ctx)
}

func (t *task) list(context.Context) error {
	for _, m := range t.ws.Modules {
		fmt.Fprintln(t.stdout, m.Dir)
	}
	return nil
}

// meant returns the modules that are meant, of the copy, in dependency order.
func (t *task) meant() []*workspace.Module {
	return slices.DeleteFunc(slices.Clone(t.copy.Modules), func(m *workspace.Module) bool {
		return len(t.dirs) > 0 && !slices.Contains(t.dirs, m.Dir)
	})
}

// step runs f and prints one line with its name and the seconds that it took.
func (t *task) step(name, dir string, f func() error) error {
	start := time.Now()
	if err := f(); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	fmt.Fprintf(t.stderr, "%-40s %6.1f s\n", name+" "+dir, time.Since(start).Seconds())
	return nil
}
