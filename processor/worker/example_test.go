package worker_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/handle"
	"github.com/seed96110120/kinesis-client-go/processor/worker"
)

// The whole of a consumer. A test runs the same text, from the README, under the
// real daemon.
func Example() {
	// func main() {
	worker.Shim() // first: the daemon starts this program once more for each shard
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt)
	if err := worker.Run(ctx, worker.Config{Stream: "kclgosample", Application: "hello", Region: "us-east-1"}, func(shardID string) processor.RecordProcessor {
		return handle.Record(func(_ context.Context, r processor.Record) error {
			log.Printf("%s %s: %s", shardID, r.PartitionKey, r.Data)
			return nil // after an error it is tried again, and nothing passes it
		})
	}); err != nil {
		log.Fatal(err)
	}
}

// Metrics and the status page on a server of one's own.
func ExampleWorker_Handler() {
	w := worker.New(worker.Config{Stream: "orders", Application: "billing"}, func(string) processor.RecordProcessor {
		return handle.Record(func(context.Context, processor.Record) error { return nil })
	})
	mux := http.NewServeMux()
	mux.Handle("/kcl/", http.StripPrefix("/kcl", w.Handler()))
	fmt.Println(w.Status().Daemon.State)
	// Output: new
}

// What is wrong with a configuration is said before anything is started.
func ExampleRun() {
	worker.Shim()
	err := worker.Run(context.Background(), worker.Config{Stream: "orders"}, func(string) processor.RecordProcessor { return nil })
	fmt.Println(err)
	// Output: worker: Config.Application is empty: name the application, whose workers share the stream
}
