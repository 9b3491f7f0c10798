// Command bench compares this project with its alternatives in one run. They take
// turns, so that a slow moment of the machine affects all of them. See the README
// of tools.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"

	"github.com/spf13/pflag"
)

const usage = `Usage: go run ./tools/cmd/bench protocol|worker|java [flags]

Measures programs in turns, in one run, and prints a report in Markdown.

  protocol  how fast children take records from the daemon's own classes on a warm
            JVM: a processor of this project, a loop on encoding/json, aws-kcl
            (Node.js), and a sink that only finds the ends of lines, which is the
            upper bound
  worker    whole programs with a local Kinesis and DynamoDB: a worker, and
            kcl-bootstrap with one process per shard; throughput of 4 shards, start
            time, memory with 1 and 16 idle shards
  java      a worker with different Java options: CPU time, memory and start time
            for 1 to 64 shards; each combination takes 10 to 20 s. The names of the
            loads are "MODE, RECORDS, SHARDS": POLLING or FANOUT; idle, 100 B, 1 KiB
            or 100 B for long; 1, 4, 16 or 64

Needs Java 17 or later. protocol needs a JDK, and Node.js with npm; it installs aws-kcl
in the user's cache folder. CPU time, memory and start time are measured on Linux only.
Run nothing else meanwhile.

Flags:
%s
Without --with, java compares these, one a line:
  ''
  %s

Examples:
  go run ./tools/cmd/bench protocol --rounds 21 >bench.md
  go run ./tools/cmd/bench java --only '^FANOUT, 1 KiB, (1|64)$' --with '' --with -XX:+UseG1GC

Exit status: 0 measured, 1 failed, 2 wrong usage.
`

type options struct {
	rounds int
	with   []string // Java options and environment variables
	only   *regexp.Regexp
}

var benches = map[string]func(ctx context.Context, o options, progress io.Writer) (*report, error){
	"protocol": measureProtocol,
	"worker":   measurePrograms,
	"java":     measureJava,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// A second signal ends the bench at once, and its children with it.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := pflag.NewFlagSet("bench", pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	var o options
	flags.IntVarP(&o.rounds, "rounds", "n", 15, "`number` of rounds that count; protocol has 3 more to warm up")
	flags.StringArrayVar(&o.with, "with", nil, "Java `options`, and variables such as JAVA_HOME=DIR, separated by spaces, that java compares; repeatable (default: below)")
	only := flags.String("only", "", "regular `expression` for the names of the loads that java measures (default: all)")
	err := flags.Parse(args)
	if errors.Is(err, pflag.ErrHelp) {
		fmt.Fprintf(stdout, usage, flags.FlagUsages(), strings.Join(javaOptions[1:], "\n  "))
		return 0
	}
	if !flags.Changed("with") {
		o.with = javaOptions
	}
	if err == nil {
		o.only, err = regexp.Compile(*only)
	}
	measure, known := benches[flags.Arg(0)]
	switch {
	case err != nil:
	case flags.NArg() != 1 || !known:
		err = errors.New("name one bench: protocol, worker or java; try --help")
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
		err = errors.New("interrupted; all processes have been stopped")
	}
	if err != nil {
		fmt.Fprintf(stderr, "bench %s: %v\n", flags.Arg(0), err)
		return 1
	}
	return 0
}
