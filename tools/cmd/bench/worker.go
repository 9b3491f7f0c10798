package main

import (
	"context"
	"io"

	"github.com/seed96110120/kinesis-client-go/tools/internal/protocolbench"
)

const workerHelp = `Usage: go run ./tools/cmd/bench worker [flags]

Compares a worker, one Go process for all shards, with children of the daemon's,
one process for each: throughput of 4 shards, and memory with 16 idle ones, beside
that of 16 children in Node (aws-kcl). The daemon's own classes drive them all, on
one warm JVM. Needs what bench protocol needs, and Linux for the memory.

Flags:
%s
Example:
  go run ./tools/cmd/bench worker --rounds 11
`

func benchWorker(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := newFlags("worker", workerHelp, 11, 1000)
	if helped, err := flags.parse(args, stdout); helped || err != nil {
		return err
	}
	report, err := protocolbench.RunWorker(ctx, protocolbench.Options{Rounds: flags.rounds, Progress: stderr})
	if err != nil {
		return err
	}
	return flags.write(report, stdout)
}
