// Command worker serves the record processor of the benches in one process for
// all shards. The daemon's side is the bench's driver, which starts the shims
// and not a daemon of the worker's own: the Java that this worker runs is this
// program again, which tells the bench what a daemon would start, and waits.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/worker"
	"github.com/seed96110120/kinesis-client-go/tools/cmd/bench/internal/children/counter"
)

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

// daemon tells the bench what it must know to start a shim.
func daemon(ctx context.Context, properties string) error {
	p, err := bootstrap.ReadProperties(properties)
	if err != nil {
		return err
	}
	var told struct {
		Executable string
		Environ    []string
	}
	told.Executable, _ = p.Get("executableName")
	for _, v := range os.Environ() {
		if strings.HasPrefix(v, "KCL_WORKER_") {
			told.Environ = append(told.Environ, v)
		}
	}
	conn, err := net.Dial("tcp", os.Getenv("BENCH_ADDR"))
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := json.NewEncoder(conn).Encode(told); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
