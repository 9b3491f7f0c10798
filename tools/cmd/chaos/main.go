//go:build linux

// Command chaos runs KCL applications with a local Kinesis and DynamoDB, injects faults,
// and checks that no record is lost, duplicated or out of order. See the README of tools.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/worker"
	"github.com/seed96110120/kinesis-client-go/tools/cmd/chaos/internal/cluster"
	"github.com/seed96110120/kinesis-client-go/tools/cmd/chaos/internal/consumer"
)

const help = `Usage: go run ./tools/cmd/chaos [flags]

Runs two workers and a kcl-bootstrap with its children, under the real KCL, with a
local Kinesis and DynamoDB. It puts records all the time and injects one fault after
the other: kills, pauses, resharding, throttling, a full disk. At the end it checks
that each host that had a record wrote it once, in the order of its key, that no
checkpoint was ahead of the disk, and that no host used a lease that another one had.
Needs Linux and Go, and root for the full disk.

Flags:
%s
Examples:
  go run ./tools/cmd/chaos --for 30m
  go run ./tools/cmd/chaos --for 2m --seed 7 --kinds java-kill,child-kill
  go run ./tools/cmd/chaos --list

Standard error gets a line every second, standard output the results. Exit status: 0 all
checks passed, 1 a check or the run failed, 2 wrong usage.
`

type options struct {
	duration time.Duration
	seed     uint64
	folder   string
	kinds    []*kind
}

// restart is the restart policy of a worker's Java. With the default, each of the many
// faults of a run would delay the next restart more.
var restart = bootstrap.RestartPolicy{Limit: 1000, MaxDelay: time.Second}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	if as := os.Getenv(cluster.ConsumerEnv); as != "" {
		if err := consume(ctx, as); err != nil {
			fmt.Fprintln(os.Stderr, consumerName+":", err)
			os.Exit(1)
		}
		return
	}
	// A second signal ends chaos at once, and all that it has started.
	context.AfterFunc(ctx, stop)
	os.Exit(execute(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// consume runs this program as a consumer of a host.
func consume(ctx context.Context, as string) error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	log := func(level slog.Level) *slog.Logger {
		return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	}
	if as == cluster.Child {
		processor.MainWithOptions(consumer.New(dir), &processor.Options{Logger: log(slog.LevelWarn)}) // which ends the process
	}
	return worker.Run(ctx, worker.Config{
		// At Debug KCL says when it assigns leases, which a long wait needs to be explained.
		PropertiesFile: cluster.PropertiesFile, Logger: log(slog.LevelDebug),
		Leases: worker.LeaseOptions{WorkerID: as},
		Java:   worker.JavaOptions{Options: cluster.JavaOptions, Restart: restart},
	}, func(worker.ShardInfo) (processor.RecordProcessor, error) { return consumer.New(dir), nil })
}

func parse(args []string) (o options, out string, err error) {
	flags := pflag.NewFlagSet("chaos", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.Usage = func() {}
	flags.DurationVar(&o.duration, "for", 3*time.Minute, "how long faults are injected; the end takes another minute")
	flags.Uint64Var(&o.seed, "seed", 0, "`number` that determines kinds and times of the faults (default: random)")
	flags.StringVar(&o.folder, "dir", "", "new or empty `folder` for files and logs (default: a temporary one, kept if a check fails)")
	names := flags.StringSlice("kinds", nil, "comma-separated `kinds` of faults (default: all)")
	list := flags.Bool("list", false, "list the kinds of faults")
	if err := flags.Parse(args); errors.Is(err, pflag.ErrHelp) {
		return o, fmt.Sprintf(help, flags.FlagUsages()), nil
	} else if err != nil {
		return o, "", err
	}
	switch {
	case flags.NArg() > 0:
		return o, "", fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case o.duration <= 0:
		return o, "", fmt.Errorf("--for %v must be above 0", o.duration)
	case *list:
		var b strings.Builder
		for _, k := range kinds {
			fmt.Fprintf(&b, "%-18s %s\n", k.name, k.what)
		}
		return o, b.String(), nil
	}
	if !flags.Changed("seed") {
		o.seed = uint64(rand.Uint32())
	}
	for _, name := range *names {
		if !slices.ContainsFunc(kinds, func(k *kind) bool { return k.name == name }) {
			return o, "", fmt.Errorf("--kinds: unknown kind %q; --list shows all", name)
		}
	}
	for _, k := range kinds {
		if len(*names) == 0 || slices.Contains(*names, k.name) {
			o.kinds = append(o.kinds, k)
		}
	}
	return o, "", nil
}

// execute runs the command and returns its exit status.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, out, err := parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "chaos: %v; try --help\n", err)
		return 2
	}
	if out != "" {
		fmt.Fprint(stdout, out)
		return 0
	}
	r, err := run(ctx, o, stderr)
	switch {
	case ctx.Err() != nil:
		err = errors.New("interrupted; all processes have been stopped")
	case r != nil && r.found != nil:
		r.print(stdout)
		r.breaches(stderr)
	}
	if err != nil {
		fmt.Fprintf(stderr, "chaos: %v\n", err)
	}
	failed := err != nil || !r.passed()
	switch {
	case r == nil: // the run has not begun
	case failed && ctx.Err() == nil && r.cluster != nil:
		fmt.Fprintf(stderr, "chaos: the files of the run are in %s; repeat it with\n  %s\n", r.dir, r.repeatCommand())
	case o.folder == "":
		if err := os.RemoveAll(r.dir); err != nil {
			fmt.Fprintf(stderr, "chaos: %v\n", err)
			failed = true
		}
	}
	if failed {
		return 1
	}
	return 0
}
