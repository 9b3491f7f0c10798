// Command modules does for all modules of the workspace what the go command
// does for one: it tidies them and cross-builds their commands. The modules
// require each other at a version that is not released yet; where go.work does
// not hold, a folder laid out as a module proxy, made from the tree, stands in
// for the release.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

const usage = `usage: modules list|tidy|cross|affected [flags]

  list    print the modules in dependency order: folder, path, version, siblings
  tidy    run "go mod tidy" in each module, siblings from the tree; the lines of
          siblings stay out of go.sum, they change with each commit
  cross   build all commands for linux, darwin and windows, amd64 and arm64
  affected
          print the folders of the modules that the changes since --base affect:
          those that changed, and those that are built of them

flags:
%s
example:
  go run ./tools/cmd/modules tidy
`

// errUsage marks what is the caller's mistake: exit status 2.
var errUsage = errors.New("try --help")

func main() {
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

type options struct {
	dirs bool
	base string
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var opts options
	flags := pflag.NewFlagSet("modules", pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&opts.dirs, "dirs", false, "list: print the folders only")
	flags.StringVar(&opts.base, "base", "", "affected: the git `REVISION` that the tree is compared with")
	help := flags.BoolP("help", "h", false, "print this text")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("%w; %w", err, errUsage)
	}
	if *help {
		_, err := fmt.Fprintf(stdout, usage, flags.FlagUsages())
		return err
	}
	if flags.NArg() != 1 {
		return fmt.Errorf("want one of list, tidy, cross, affected; %w", errUsage)
	}
	todo, ok := map[string]func(context.Context, *task) error{
		"list": list, "tidy": tidy, "cross": cross, "affected": affected,
	}[flags.Arg(0)]
	if !ok {
		return fmt.Errorf("no such thing to do: %q; %w", flags.Arg(0), errUsage)
	}
	root, err := workspace.Find(ctx, ".")
	if err != nil {
		return err
	}
	ws, err := workspace.Load(root)
	if err != nil {
		return err
	}
	t := &task{options: opts, ws: ws, stdout: stdout, stderr: stderr}
	if err := todo(ctx, t); err != nil {
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		return err
	}
	return nil
}

func list(_ context.Context, t *task) error {
	for _, m := range t.ws.Modules {
		if t.dirs {
			fmt.Fprintln(t.stdout, m.Dir)
			continue
		}
		names := make([]string, len(m.Siblings))
		for i, s := range m.Siblings {
			names[i] = s.Dir
		}
		fmt.Fprintln(t.stdout, strings.Join(append([]string{m.Dir, m.Path, m.Version}, names...), " "))
	}
	return nil
}
