//go:build linux

// Command chaos runs KCL applications against a local Kinesis and DynamoDB, disturbs
// them in every way that is known to happen, and checks that no record is lost, doubled
// or out of order. See the README of tools.
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

Runs two workers and a kcl-bootstrap with its children, under the real KCL, against a
local Kinesis and DynamoDB; puts records all the time, and has one fault after the
other: kills, pauses, resharding, throttling, a full disk. When all has come to rest
it checks that each record was written once by each host that had it, in the order of
its key, that no checkpoint was ahead of the disk, and that nobody went on with a lease
that another one had.
Needs Linux and Go, and root for the full disk.

Flags:
%s
Examples:
  go run ./tools/cmd/chaos --for 30m
  go run ./tools/cmd/chaos --for 2m --seed 7 --kinds java-kill,child-kill
  go run ./tools/cmd/chaos --list

A line a second goes to standard error, the table to standard output. Exit status: 0
when nothing was found, 1 when something was, 2 wrong usage.
`

type options struct {
	duration time.Duration
	seed     uint64
	folder   string
	kinds    []*kind
}

// restart is how a worker starts Java again. A run has more faults in a few minutes than
// a machine in a year: with the default each would wait longer than the one before.
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
	// A second signal ends it at once; what it has started goes with it.
	context.AfterFunc(ctx, stop)
	os.Exit(execute(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// consume is what this program does as a consumer of a host.
func consume(ctx context.Context, as string) error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	log := func(level slog.Level) *slog.Logger {
		return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	}
	if as == cluster.Child {
		processor.Main(consumer.New(dir), processor.WithLogger(log(slog.LevelWarn))) // which ends the process
	}
	return worker.Run(ctx, worker.Config{
		PropertiesFile: cluster.PropertiesFile, WorkerID: as, JavaOptions: cluster.JavaOptions,
		Restart: restart, Log: log(slog.LevelInfo),
	}, func(worker.ShardInfo) (processor.RecordProcessor, error) { return consumer.New(dir), nil })
}

func parse(args []string) (o options, out string, err error) {
	flags := pflag.NewFlagSet("chaos", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.Usage = func() {}
	flags.DurationVar(&o.duration, "for", 3*time.Minute, "how long faults begin; the end takes a minute more")
	flags.Uint64Var(&o.seed, "seed", 0, "`number` that decides which faults come and when (default: a random one)")
	flags.StringVar(&o.folder, "dir", "", "new or empty `folder` for what the run leaves (default: a temporary one, kept when something was found)")
	names := flags.StringSlice("kinds", nil, "the `kinds` of faults to have, with commas between (default: all)")
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
		return o, "", fmt.Errorf("--for %v is not above 0", o.duration)
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
			return o, "", fmt.Errorf("--kinds: there is no kind %q; --list shows them", name)
		}
	}
	for _, k := range kinds {
		if len(*names) == 0 || slices.Contains(*names, k.name) {
			o.kinds = append(o.kinds, k)
		}
	}
	return o, "", nil
}

// execute is the command; it returns its status.
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
		err = errors.New("interrupted; everything was stopped")
	case r != nil && r.found != nil:
		r.print(stdout)
		r.breaches(stderr)
	}
	if err != nil {
		fmt.Fprintf(stderr, "chaos: %v\n", err)
	}
	failed := err != nil || !r.good()
	switch {
	case r == nil: // it has not begun
	case failed && ctx.Err() == nil && r.cluster != nil:
		fmt.Fprintf(stderr, "chaos: the files of the run are in %s; it is repeated by\n  %s\n", r.dir, r.repeat())
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
