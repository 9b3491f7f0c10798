// Command demo puts records into a local Kinesis and runs the sample consumer under the
// real KCL until each record is in a shard's file. See the README of tools.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
)

const help = `Usage: go run ./tools/cmd/demo [flags]

Builds the commands, starts a local Kinesis and DynamoDB, creates stream and tables
with kcl-infra, puts records with the producer, and runs the sample consumer under the
real KCL (kcl-bootstrap -e; with --worker consumer-sample run). It waits until each
record is in a shard's file, stops everything and removes its files.
Needs Go. The first run downloads KCL's jars, about 34 MB, and, if no Java 17 or later
is installed, a Java of 45 MB.

Flags:
%s
Examples:
  go run ./tools/cmd/demo --records 500 --dir demo-out
  go run ./tools/cmd/demo --file README.md
  go run ./tools/cmd/demo --worker --shards 8

The last line on standard output is
  demo: sent=N received=N missing=0 duplicates=0 shards=S first_record_s=X.X total_s=X.X
Exit status: 0 each record was received once and all processes stopped in order, 1
otherwise, 2 wrong usage.
`

type options struct {
	records, shards int
	file, dir       string
	jarPath         string
	worker          bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// A second signal ends the demo at once, and its children with it.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func parse(args []string) (o options, usage string, err error) {
	flags := pflag.NewFlagSet("demo", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.Usage = func() {}
	flags.IntVarP(&o.records, "records", "n", 10, "`number` of sensor records to put")
	flags.IntVar(&o.shards, "shards", 2, "`number` of shards of the stream, 1 to 100")
	flags.StringVarP(&o.file, "file", "f", "", "put the lines of `FILE` instead of sensor records")
	flags.StringVarP(&o.dir, "dir", "d", "", "new or empty `folder` for shard files and logs (default: a temporary one, removed at the end)")
	flags.StringVarP(&o.jarPath, "jar-path", "c", "", "`folder` for the jars (default: kcl-bootstrap/maven in the user's cache folder)")
	flags.BoolVarP(&o.worker, "worker", "w", false, "serve all shards in one process (consumer-sample run)")
	if err := flags.Parse(args); errors.Is(err, pflag.ErrHelp) {
		return o, fmt.Sprintf(help, flags.FlagUsages()), nil
	} else if err != nil {
		return o, "", err
	}
	switch {
	case flags.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case o.records < 1 || o.records > 1_000_000:
		err = fmt.Errorf("--records %d must be between 1 and 1000000", o.records)
	case o.shards < 1 || o.shards > 100:
		err = fmt.Errorf("--shards %d must be between 1 and 100", o.shards)
	case flags.Changed("file") && flags.Changed("records"):
		err = errors.New("--file and --records cannot be combined: the lines of the file are the records")
	}
	return o, "", err
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, usage, err := parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "demo: %v; try --help\n", err)
		return 2
	}
	if usage != "" {
		fmt.Fprint(stdout, usage)
		return 0
	}
	result, err := demo(ctx, o, stderr)
	if err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted; all processes have been stopped")
		}
		fmt.Fprintf(stderr, "demo: %v\n", err)
	}
	if result != nil {
		fmt.Fprintln(stdout, result)
	}
	if err != nil || result.missing > 0 || result.duplicates > 0 {
		return 1
	}
	return 0
}
