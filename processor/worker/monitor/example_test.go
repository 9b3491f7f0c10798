package monitor_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/handle"
	"github.com/seed96110120/kinesis-client-go/processor/worker"
	"github.com/seed96110120/kinesis-client-go/processor/worker/monitor"
)

func newProcessor(worker.ShardInfo) (processor.RecordProcessor, error) {
	return handle.Record(func(context.Context, processor.Record) error { return nil }, nil), nil
}

// A worker with its status page at http://127.0.0.1:8080/.
func ExampleRun() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	w := worker.New(worker.Config{Stream: "orders", Application: "billing"}, newProcessor)
	if err := monitor.Run(ctx, w, "127.0.0.1:8080"); err != nil {
		log.Fatal(err)
	}
}

// Metrics and the status page on a server of your own.
func ExampleHandler() {
	w := worker.New(worker.Config{Stream: "orders", Application: "billing"}, newProcessor)
	mux := http.NewServeMux()
	mux.Handle("/kcl/", http.StripPrefix("/kcl", monitor.Handler(w)))
	fmt.Println(w.Status().Daemon.State)
	// Output: new
}
