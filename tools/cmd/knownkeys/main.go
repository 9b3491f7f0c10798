// Command knownkeys writes, beside a daemon's lock, which properties that
// daemon reads. Run it when the lock has changed.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/tools/internal/knownkeys"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

const help = `Usage: go run ./tools/cmd/knownkeys

Asks the classes of MultiLangDaemon ` + bootstrap.DaemonVersion + ` which properties it reads, and writes
bootstrap/locks/multilang-daemon-` + bootstrap.DaemonVersion + `.keys. Needs Java 17.

Example:
  go run ./tools/cmd/knownkeys && git diff bootstrap/locks

Exit status: 0 written, 1 failed, 2 wrong usage.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	switch {
	case len(args) == 1 && (args[0] == "--help" || args[0] == "-h"):
		fmt.Print(help)
		return 0
	case len(args) > 0:
		fmt.Fprintf(os.Stderr, "knownkeys: unexpected argument %q; try --help\n", args[0])
		return 2
	}
	if err := write(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "knownkeys:", err)
		return 1
	}
	return 0
}

func write(ctx context.Context) error {
	root, err := workspace.Find(ctx, ".")
	if err != nil {
		return err
	}
	text, err := knownkeys.Of(ctx, bootstrap.DaemonLock())
	if err != nil {
		return err
	}
	name := filepath.Join(root, "bootstrap", "locks", "multilang-daemon-"+bootstrap.DaemonVersion+".keys")
	if err := os.WriteFile(name, text, 0o644); err != nil {
		return err
	}
	fmt.Println(name)
	return nil
}
