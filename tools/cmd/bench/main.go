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
	"regexp"
	"syscall"

	"github.com/spf13/pflag"
)

const usage = `Usage: go run ./tools/cmd/bench protocol|worker|java [flags]

Measures side by side, in one run and in turns, and prints a report in Markdown.

  protocol  how fast children take the daemon's records, from the daemon's own
            classes on a warm JVM: a processor on this project's library, a loop
            on encoding/json, aws-kcl (Node), and a sink that only finds the ends
            of lines, which is the limit
  worker    whole programs at a local Kinesis and DynamoDB: a worker beside
            children under kcl-bootstrap, one process a shard; throughput of 4
            shards, the time of a start, memory with 1 and 16 idle shards
  java      a worker with other options of Java's: processor time, memory and start,
            for 1 to 64 shards, records of 100 B and 1 KiB, POLLING and FANOUT; each
            cell takes 10 to 20 s

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
	rounds int
	with   []string // environments and Java options
	only   *regexp.Regexp
}

var benches = map[string]func(ctx context.Context, o options, progress io.Writer) (*report, error){
	"protocol": protocolBench,
	"worker":   workerBench,
	"java":     javaBench,
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
	flags.StringArrayVar(&o.with, "with", javaOptions, "`options` of Java, and variables such as JAVA_HOME=DIR, parted by spaces, that java compares; repeatable")
	only := flags.String("only", "", "`pattern` of the loads that java measures, such as '^FANOUT, 1 KiB, (1|64)$'")
	err := flags.Parse(args)
	if errors.Is(err, pflag.ErrHelp) {
		fmt.Fprintf(stdout, usage, flags.FlagUsages())
		return 0
	}
	if err == nil {
		o.only, err = regexp.Compile(*only)
	}
	measure, known := benches[flags.Arg(0)]
	switch {
	case err != nil:
	case flags.NArg() != 1 || !known:
		err = errors.New("name one bench: protocol, worker or java; --help tells more")
	case o.rounds < 1:
		err = fmt.Errorf("--rounds %d is less than 1", o.rounds)
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 2
	}
	r, err := measure(ctx, o, stderr)
	if r != nil {
		err = errors.Join(err, r.write(stdout))
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
