// Command worker serves the record processor of the benches in one process for
// all shards. The daemon's side is the bench's driver, which starts the shims
// and not a daemon of the worker's own: the Java that this worker runs is this
// program again, which tells the bench what a daemon would start, and waits.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/worker"
	"github.com/seed96110120/kinesis-client-go/tools/internal/protocolbench/children/counter"
)

// A handover is what the bench must know to start a shim.
type handover struct {
	Executable string   `json:"executable"`
	Environ    []string `json:"environ"`
}

func main() {
	worker.Shim()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := serve
	if i := slices.Index(os.Args, "--properties-file"); i > 0 {
		run = func(ctx context.Context) error { return daemon(ctx, os.Args[i+1]) }
	}
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return worker.Run(ctx, worker.Config{
		Stream: "bench", Application: "bench", Region: "us-east-1", MetricsLevel: worker.MetricsNone, InitialPosition: worker.TrimHorizon,
		Java: self, Restart: bootstrap.RestartPolicy{Limit: -1},
		Shim: os.Getenv("BENCH_SHIM"), Relay: os.Getenv("BENCH_RELAY") != "",
	}, func(string) processor.RecordProcessor { return &counter.Counter{} })
}

// daemon writes a handover to the file that the bench waits for.
func daemon(ctx context.Context, properties string) error {
	p, err := bootstrap.ReadProperties(properties)
	if err != nil {
		return err
	}
	var h handover
	h.Executable, _ = p.Get("executableName")
	for _, v := range os.Environ() {
		if strings.HasPrefix(v, "KCL_WORKER_") {
			h.Environ = append(h.Environ, v)
		}
	}
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	file := os.Getenv("BENCH_HANDOVER")
	if err := os.WriteFile(file+".part", text, 0o600); err != nil {
		return err
	}
	if err := os.Rename(file+".part", file); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
