// Command worker serves the record processor of the benches in one process for
// all shards. Its argument is the properties file.
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/worker"
	"github.com/seed96110120/kinesis-client-go/tools/cmd/bench/internal/children/counter"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	config := worker.Config{PropertiesFile: os.Args[1]}
	err := worker.Run(ctx, config, func(worker.ShardInfo) (processor.RecordProcessor, error) {
		return counter.New(), nil
	})
	if err != nil {
		log.Fatal(err)
	}
}
