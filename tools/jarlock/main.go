// Command jarlock writes the locks of a MultiLangDaemon version: the jars it
// runs on, with their hashes. See README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
)

const help = `Usage: GOWORK=off go run . --version VERSION [flags]

Resolves MultiLangDaemon VERSION as Maven does, downloads all its jars, and
writes two locks: multilang-daemon-VERSION-full.lock with the whole closure, and
multilang-daemon-VERSION.lock without what only the Glue Schema Registry needs.

      --version VERSION  the daemon's version (required)
      --out DIR          where the locks are written
                         (default ../../bootstrap/locks)
      --repo URL         the Maven repository (default: that of KCL_MAVEN_REPO or
                         KCL_MVN_REPO_SEARCH_URL, else Maven Central)
  -h, --help             print this text

Example:
  GOWORK=off go run . --version 3.1.3 && git diff ../../bootstrap/locks
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := pflag.NewFlagSet("jarlock", pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	version := flags.String("version", "", "")
	out := flags.String("out", filepath.FromSlash("../../bootstrap/locks"), "")
	repo := flags.String("repo", bootstrap.DefaultRepository(), "")
	wantHelp := flags.BoolP("help", "h", false, "")
	err := flags.Parse(args)
	switch {
	case err != nil:
	case *wantHelp:
		fmt.Fprint(stdout, help)
		return 0
	case flags.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case *version == "":
		err = errors.New("--version VERSION is required")
	}
	if err != nil {
		fmt.Fprintf(stderr, "jarlock: %v; try --help\n", err)
		return 2
	}
	if err := writeLocks(ctx, *repo, *version, *out, stdout); err != nil {
		fmt.Fprintf(stderr, "jarlock: %v\n", err)
		return 1
	}
	return 0
}

// writeLocks writes both locks to a folder and says so, a line each.
func writeLocks(ctx context.Context, root, version, dir string, stdout io.Writer) error {
	repo, err := newRepository(root)
	if err != nil {
		return err
	}
	locks, err := makeLocks(ctx, repo, version)
	if err != nil {
		return err
	}
	for _, l := range locks {
		name := filepath.Join(dir, l.name)
		if err := os.WriteFile(name, l.text(), 0o644); err != nil {
			return fmt.Errorf("cannot write the lock: %w", err)
		}
		fmt.Fprintf(stdout, "%s: %d files, %.1f MB\n", name, len(l.files), float64(l.size())/1e6)
	}
	return nil
}
