// Command release checks that modules of the workspace can be released, makes
// their tags, and builds what is attached to a release. Each module is checked
// as its users get it: packed, and without the workspace.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/mod/semver"

	"github.com/seed96110120/kinesis-client-go/tools/internal/pinned"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

const usage = `usage: release [flags] [MODULE...] [VERSION]

Checks that the modules - folders, as in protocol or tools/kinesislocal - can be
released at VERSION, in a clean clone of the last commit. Nothing is changed
without a flag that says so. Without VERSION it checks what every commit must
keep - all rules but those of a version - of the tree as it is, committed or
not. A tag, as in protocol/v0.1.0, is a MODULE with its VERSION.

  changelog    CHANGELOG.md has an entry for the version that says something
  tag          the version suits the module and has no tag yet
  replace      go.mod has no replace and no exclude line
  siblings     each sibling that go.mod requires is released, or is now
  tidy         go.mod and go.sum are what "go mod tidy" makes of them
  sums         go.sum's lines of siblings are right, where it has them
  closure      the commands and packages are built of the modules that the
               module's file in tools/closure names, on linux, darwin, windows
  alone        vetted, tested, imported and installed by version with GOWORK=off,
               from a module proxy made of these, with an empty module cache
  gorelease    the API's changes since the last release suit the version
  prepared     with --tag: --prepare has nothing left to do

flags:
%s
examples:
  go run ./tools/cmd/release --all
  go run ./tools/cmd/release --all v0.1.0
  go run ./tools/cmd/release --tag protocol processor v0.2.0
`

// errUsage marks what is the caller's mistake: exit status 2.
var errUsage = errors.New("try --help")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	c := command{stdout: os.Stdout, stderr: os.Stderr, build: pinned.Build, now: time.Now, platforms: workspace.Platforms}
	err := c.run(ctx, os.Args[1:])
	stop()
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "release:", err)
	if errors.Is(err, errUsage) {
		os.Exit(2)
	}
	os.Exit(1)
}

type command struct {
	stdout, stderr io.Writer
	// build builds a program of tools/pinned, see pinned.Build.
	build func(ctx context.Context, root, program, dir string) (string, error)
	now   func() time.Time
	// platforms are those that binaries are built for.
	platforms []workspace.Platform
}

type options struct {
	all, prepare, tag, closure bool
	binaries                   string

	modules []string // folders
	version string   // empty: what every commit must keep
}

func (c *command) run(ctx context.Context, args []string) error {
	o, help, err := parse(args)
	if err != nil {
		return fmt.Errorf("%w; %w", err, errUsage)
	}
	if help != "" {
		_, err := io.WriteString(c.stdout, help)
		return err
	}
	root, err := workspace.Find(ctx, ".")
	if err != nil {
		return err
	}
	if err := c.dispatch(ctx, root, o); err != nil {
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		return err
	}
	return nil
}

func parse(args []string) (o options, help string, err error) {
	flags := pflag.NewFlagSet("release", pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.SortFlags = false
	flags.BoolVar(&o.all, "all", false, "all modules of the workspace")
	flags.BoolVar(&o.prepare, "prepare", false, "write what the release needs into the tree, to be committed: the entry's date,\nthe versions and go.sum lines of siblings")
	flags.BoolVar(&o.tag, "tag", false, "check, then tag the last commit, in dependency order, all or none")
	flags.StringVar(&o.binaries, "binaries", "", "build the commands of one module for all platforms, with checksums and SBOMs,\ninto `FOLDER`/files, and write the changelog's entry to FOLDER/notes.md")
	flags.BoolVar(&o.closure, "update-closure", false, "write the modules' files in tools/closure from the tree as it is, committed or not")
	wantHelp := flags.BoolP("help", "h", false, "print this text")
	if err := flags.Parse(args); err != nil {
		return o, "", err
	}
	if *wantHelp {
		return o, fmt.Sprintf(usage, flags.FlagUsages()), nil
	}
	for i, arg := range flags.Args() {
		last := i == flags.NArg()-1
		switch {
		case last && semver.IsValid(arg):
			o.version = arg
		case last && semver.IsValid(path.Base(arg)):
			o.version = path.Base(arg)
			o.modules = append(o.modules, path.Dir(arg))
		default:
			o.modules = append(o.modules, path.Clean(filepath.ToSlash(arg)))
		}
	}
	if o.version != "" && (semver.Canonical(o.version) != o.version || semver.Build(o.version) != "") {
		return o, "", fmt.Errorf("%s is no version of a module: write it in full, as in v0.1.0", o.version)
	}
	modes := 0
	for _, on := range []bool{o.prepare, o.tag, o.closure, o.binaries != ""} {
		if on {
			modes++
		}
	}
	switch {
	case modes > 1:
		return o, "", errors.New("one of --prepare, --tag, --binaries and --update-closure at a time")
	case o.all == (len(o.modules) > 0):
		return o, "", errors.New("name the modules, or --all")
	case o.closure && o.version != "":
		return o, "", errors.New("--update-closure takes no version")
	case modes == 1 && !o.closure && o.version == "":
		return o, "", errors.New("the version is missing")
	case o.binaries != "" && len(o.modules) != 1:
		return o, "", errors.New("--binaries takes one module")
	}
	return o, "", nil
}

func (c *command) dispatch(ctx context.Context, root string, o options) error {
	if o.closure {
		ws, err := workspace.Load(root)
		if err != nil {
			return err
		}
		return c.updateClosure(ctx, ws, o)
	}
	if o.version != "" {
		dirty, err := uncommitted(ctx, root)
		if err != nil {
			return err
		}
		if dirty != "" && (o.tag || o.prepare || o.binaries != "") {
			return fmt.Errorf("the tree has changes that are not committed: commit or stash them:\n%s", dirty)
		}
		if dirty != "" {
			fmt.Fprintf(c.stderr, "release: what is not committed is not checked:\n%s\n", dirty)
		}
	}
	r, err := c.newRelease(ctx, root, o)
	if err != nil {
		return err
	}
	defer r.remove()
	switch {
	case o.prepare:
		return r.writePrepared(ctx, root)
	case o.binaries != "":
		return r.writeBinaries(ctx, o.binaries)
	}
	if err := r.check(ctx); err != nil {
		return err
	}
	if o.tag {
		return r.tag(ctx, root)
	}
	if o.version != "" {
		for _, m := range r.modules {
			fmt.Fprintln(c.stdout, tagName(m, o.version))
		}
		fmt.Fprintln(c.stderr, r.advice())
	}
	return nil
}

// folders returns the modules' folders as a list in a sentence.
func folders(modules []*workspace.Module) string {
	names := make([]string, len(modules))
	for i, m := range modules {
		names[i] = m.Dir
	}
	return strings.Join(names, ", ")
}
