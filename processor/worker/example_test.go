package worker_test

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
)

// The whole of a consumer. That of the root README does the same, and a test runs
// it under the real KCL.
func Example() {
	// func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	config := worker.Config{Stream: "kclgosample", Application: "hello", Region: "us-east-1"}
	err := worker.Run(ctx, config, func(shard worker.ShardInfo) (processor.RecordProcessor, error) {
		return handle.Record(func(_ context.Context, r processor.Record) error {
			log.Printf("%s %s: %s", shard.ShardID, r.PartitionKey, r.Data)
			return nil // after an error it is tried again, and nothing passes it
		}), nil
	})
	if err != nil {
		log.Fatal(err)
	}
}

// Metrics and the status page on a server of one's own.
func ExampleWorker_Handler() {
	w := worker.New(worker.Config{Stream: "orders", Application: "billing"}, func(worker.ShardInfo) (processor.RecordProcessor, error) {
		return handle.Record(func(context.Context, processor.Record) error { return nil }), nil
	})
	mux := http.NewServeMux()
	mux.Handle("/kcl/", http.StripPrefix("/kcl", w.Handler()))
	fmt.Println(w.Status().Daemon.State)
	// Output: new
}

// What is wrong with a configuration is said before anything is started.
func ExampleRun() {
	err := worker.Run(context.Background(), worker.Config{Stream: "orders"}, func(worker.ShardInfo) (processor.RecordProcessor, error) {
		return nil, nil
	})
	fmt.Println(err)
	// Output: worker: Config.Application is empty: name the application, whose workers share the stream
}
