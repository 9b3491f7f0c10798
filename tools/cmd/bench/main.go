// Command bench compares this project with what else there is, side by side in
// one run: rounds take turns, so that whatever slows the machine slows all of
// them. The daemon's side is that of package conformance.
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

Measures side by side, in one run, and prints a report in Markdown. The daemon's
own classes drive all that is compared, in turns, on a warm JVM.

  protocol  how fast children take the daemon's records: a processor on this
            project's library, a loop on encoding/json, aws-kcl (Node), and a
            sink that only finds the ends of lines, which is the limit
  worker    a worker, one Go process for all shards, beside children, one process
            for each: throughput of 4 shards, and memory with 16 idle ones

Needs a JDK of version 17 or later, and Node with npm; aws-kcl goes to the user's
cache folder. CPU time and memory are measured on Linux only. Nothing else should
run meanwhile.

Flags:
%s
Example:
  go run ./tools/cmd/bench worker --rounds 7 >bench.md

Exit status: 0 measured, 1 failed, 2 wrong usage.
`

var benches = map[string]struct {
	measure func(*bench, context.Context, []load) (*report, error)
	loads   []load
}{
	"protocol": {(*bench).protocol, protocolLoads},
	"worker":   {(*bench).worker, workerLoads},
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
	rounds := flags.IntP("rounds", "n", 11, "`number` of rounds that count, after 3 to warm up")
	err := flags.Parse(args)
	if errors.Is(err, pflag.ErrHelp) {
		fmt.Fprintf(stdout, usage, flags.FlagUsages())
		return 0
	}
	chosen, known := benches[flags.Arg(0)]
	switch {
	case err != nil:
	case flags.NArg() != 1 || !known:
		err = errors.New("name one bench, protocol or worker; --help tells more")
	case *rounds < 1:
		err = fmt.Errorf("--rounds %d is less than 1", *rounds)
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 2
	}
	err = func() error {
		b, done, err := setUp(ctx, *rounds, stderr)
		if err != nil {
			return err
		}
		defer done()
		r, err := chosen.measure(b, ctx, chosen.loads)
		if err != nil {
			return err
		}
		return r.write(stdout)
	}()
	if ctx.Err() != nil {
		err = errors.New("interrupted; everything was stopped")
	}
	if err != nil {
		fmt.Fprintf(stderr, "bench %s: %v\n", flags.Arg(0), err)
		return 1
	}
	return 0
}
