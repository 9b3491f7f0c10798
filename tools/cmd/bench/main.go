// Command bench compares this project with what else there is, side by side in
// one run: rounds take turns, so that whatever slows the machine slows all of
// them. See the README of tools.
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
)

// A bench is one comparison, with a file of its own in this folder.
type bench struct {
	name, summary string
	// run writes a Markdown report to stdout and progress to stderr. It
	// returns a usageError for what is wrong with args.
	run func(ctx context.Context, args []string, stdout, stderr io.Writer) error
}

var benches = []bench{
	{"bootstrap", "kcl-bootstrap against the bootstrap for Node.js, aws-kcl (npm)", benchBootstrap},
	{"local", "kinesislocal against kinesis-local (npm) and ferrokinesis (Cargo)", benchLocal},
	{"protocol", "how fast children take the daemon's records", benchProtocol},
	{"worker", "one process for all shards against one for each", benchWorker},
}

// A usageError is for the person who typed the command: exit status 2.
type usageError struct{ error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// A second signal ends the bench at once; its children go with it.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 || args[0] == "--help" || args[0] == "-h" {
		fmt.Fprint(stdout, usage())
		return 0
	}
	for _, b := range benches {
		if b.name != args[0] {
			continue
		}
		err := b.run(ctx, args[1:], stdout, stderr)
		if err == nil {
			return 0
		}
		if ctx.Err() != nil {
			err = errors.New("interrupted; everything was stopped")
		}
		fmt.Fprintf(stderr, "bench %s: %v\n", b.name, err)
		if errors.As(err, new(usageError)) {
			return 2
		}
		return 1
	}
	fmt.Fprintf(stderr, "bench: there is no bench %q; try --help\n", args[0])
	return 2
}

func usage() string {
	var s strings.Builder
	s.WriteString("Usage: go run ./tools/cmd/bench NAME [flags]\n\nMeasures side by side, in one run, and prints a Markdown report.\n\n")
	for _, b := range benches {
		fmt.Fprintf(&s, "  %-10s %s\n", b.name, b.summary)
	}
	s.WriteString(`
Each has a --help of its own.

Exit status: 0 measured, 1 failed, 2 wrong usage.
`)
	return s.String()
}
