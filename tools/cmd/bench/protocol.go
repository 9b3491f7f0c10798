package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/tools/internal/protocolbench"
)

const protocolHelp = `Usage: go run ./tools/cmd/bench protocol [flags]

Measures how fast children of the MultiLangDaemon take its records: a processor
on this project's library, a loop on encoding/json, aws-kcl (Node), amazon-kclpy
(Python), and a sink that only finds the ends of lines, which is the limit. The
daemon's own classes drive them, in turns, on one warm JVM; memory and CPU time
are measured on Linux only. Needs Go, a JDK of version 17 or later, Node with npm
and Python 3 with pip; what it installs goes to the user's cache folder.

Flags:
%s
Example:
  go run ./tools/cmd/bench protocol --json bench.json >bench.md
`

func benchProtocol(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := pflag.NewFlagSet("protocol", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.Usage = func() {}
	rounds := flags.IntP("rounds", "n", 21, "`number` of rounds, 1 to 1000")
	quick := flags.Bool("quick", false, "3 rounds: to see that it works")
	jsonFile := flags.String("json", "", "write all figures to `FILE` too")
	if err := flags.Parse(args); errors.Is(err, pflag.ErrHelp) {
		fmt.Fprintf(stdout, protocolHelp, flags.FlagUsages())
		return nil
	} else if err != nil {
		return usageError{err}
	}
	switch {
	case flags.NArg() > 0:
		return usageError{fmt.Errorf("unexpected argument %q", flags.Arg(0))}
	case *rounds < 1 || *rounds > 1000:
		return usageError{fmt.Errorf("--rounds %d is not between 1 and 1000", *rounds)}
	case *quick && flags.Changed("rounds"):
		return usageError{errors.New("--quick and --rounds exclude each other")}
	case *quick:
		*rounds = 3
	}
	report, err := protocolbench.Run(ctx, protocolbench.Options{Rounds: *rounds, Progress: stderr})
	if err != nil {
		return err
	}
	if *jsonFile != "" {
		file, err := os.Create(*jsonFile)
		if err != nil {
			return err
		}
		if err := errors.Join(report.WriteJSON(file), file.Close()); err != nil {
			return err
		}
	}
	return report.WriteMarkdown(stdout)
}
