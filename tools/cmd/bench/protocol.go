package main

import (
	"context"
	"errors"
	"io"

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
	flags := newFlags("protocol", protocolHelp, 21, 1000)
	quick := flags.Bool("quick", false, "3 rounds: to see that it works")
	if helped, err := flags.parse(args, stdout); helped || err != nil {
		return err
	}
	if *quick {
		if flags.Changed("rounds") {
			return usageError{errors.New("--quick and --rounds exclude each other")}
		}
		flags.rounds = 3
	}
	report, err := protocolbench.Run(ctx, protocolbench.Options{Rounds: flags.rounds, Progress: stderr})
	if err != nil {
		return err
	}
	return flags.write(report, stdout)
}
