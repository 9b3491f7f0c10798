package worker_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/handle"
	"github.com/seed96110120/kinesis-client-go/processor/worker"
)

// A complete consumer. The root README has the same, and a test runs that under the real
// KCL.
func Example() {
	// func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	config := worker.Config{Stream: "kclgosample", Application: "hello", Region: "us-east-1"}
	err := worker.Run(ctx, config, func(shard worker.ShardInfo) (processor.RecordProcessor, error) {
		return handle.Record(func(_ context.Context, r processor.Record) error {
			log.Printf("%s %s: %s", shard.ShardID, r.PartitionKey, r.Data)
			return nil // an error means: try again; later records wait
		}, nil), nil
	})
	if err != nil {
		log.Fatal(err)
	}
}

// What is wrong with a configuration is reported before anything is started.
func ExampleRun() {
	err := worker.Run(context.Background(), worker.Config{Stream: "orders"}, func(worker.ShardInfo) (processor.RecordProcessor, error) {
		return nil, nil
	})
	fmt.Println(err)
	// Output: worker: Config.Application: it is empty; name the application, whose workers share the stream
}
