// Command jarlock writes the locks of a MultiLangDaemon version: its jars with their hashes.
// See README.md.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
)

const help = `Usage: GOWORK=off go run . --version VERSION

Resolves MultiLangDaemon VERSION as Maven does, downloads all its jars, and writes two
locks to ../../bootstrap/locks: multilang-daemon-VERSION-full.lock with all jars, and
multilang-daemon-VERSION.lock without those that only the Glue Schema Registry needs.
KCL_MAVEN_REPO or KCL_MVN_REPO_SEARCH_URL set another Maven repository than Maven
Central.

Example:
  GOWORK=off go run . --version 3.1.3 && git diff ../../bootstrap/locks

Exit status: 0 written, 1 failed, 2 wrong usage.
`

func main() {
	switch args := os.Args[1:]; {
	case len(args) == 1 && (args[0] == "--help" || args[0] == "-h"):
		fmt.Print(help)
		return
	case len(args) != 2 || args[0] != "--version":
		fmt.Fprintln(os.Stderr, "jarlock: want only --version VERSION; try --help")
		os.Exit(2)
	}
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt)
	dir := filepath.FromSlash("../../bootstrap/locks")
	if err := writeLocks(ctx, bootstrap.DefaultRepository(), os.Args[2], dir, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "jarlock:", err)
		os.Exit(1)
	}
}

// writeLocks writes both locks to a folder and prints a line for each.
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
		fmt.Fprintf(stdout, "%s: %d files\n", name, len(l.files))
	}
	return nil
}
