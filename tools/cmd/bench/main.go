// Command bench compares this project with what else there is, side by side in
// one run: rounds take turns, so that whatever slows the machine slows all of
// them.
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

const usage = `Usage: go run ./tools/cmd/bench protocol|worker [flags]

Measures side by side, in one run and in turns, and prints a report in Markdown.

  protocol  how fast children take the daemon's records, from the daemon's own
            classes on a warm JVM: a processor on this project's library, a loop
            on encoding/json, aws-kcl (Node), and a sink that only finds the ends
            of lines, which is the limit
  worker    whole programs at a local Kinesis and DynamoDB: a worker beside
            children under kcl-bootstrap, one process a shard; throughput of 4
            shards, the time of a start, memory with 1 and 16 idle shards

The program of --against is started with a properties file as its argument. It
serves the application with processors that checkpoint each batch, prints nothing,
and ends at SIGTERM. Each processor connects to the Unix socket that the variable
BENCH_SOCKET names, and writes a line for each batch once it is checkpointed: the
number of records, and the times of the batch's arrival and of the checkpoint's end
in nanoseconds since 1970. It may be the worker of another checkout.

Needs Java 17 or later; protocol a JDK, and Node with npm, whose aws-kcl goes to the
user's cache folder. CPU time, memory and start are measured on Linux only. Nothing
else should run meanwhile.

Flags:
%s
Example:
  go run ./tools/cmd/bench protocol --rounds 21 >bench.md

Exit status: 0 measured, 1 failed, 2 wrong usage.
`

type options struct {
	rounds  int
	against string
}

var benches = map[string]func(ctx context.Context, o options, progress io.Writer) (*report, error){
	"protocol": protocolBench,
	"worker":   workerBench,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// A second signal ends the bench at once; its children go with it.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := pflag.NewFlagSet("bench", pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	var o options
	flags.IntVarP(&o.rounds, "rounds", "n", 15, "`number` of rounds that count; protocol has 3 more to warm up")
	flags.StringVar(&o.against, "against", "", "`program` that worker measures too")
	err := flags.Parse(args)
	if errors.Is(err, pflag.ErrHelp) {
		fmt.Fprintf(stdout, usage, flags.FlagUsages())
		return 0
	}
	measure, known := benches[flags.Arg(0)]
	switch {
	case err != nil:
	case flags.NArg() != 1 || !known:
		err = errors.New("name one bench, protocol or worker; --help tells more")
	case o.rounds < 1:
		err = fmt.Errorf("--rounds %d is less than 1", o.rounds)
	case o.against != "" && flags.Arg(0) != "worker":
		err = errors.New("--against is for worker only")
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 2
	}
	r, err := measure(ctx, o, stderr)
	if err == nil {
		err = r.write(stdout)
	}
	if ctx.Err() != nil {
		err = errors.New("interrupted; everything was stopped")
	}
	if err != nil {
		fmt.Fprintf(stderr, "bench %s: %v\n", flags.Arg(0), err)
		return 1
	}
	return 0
}
