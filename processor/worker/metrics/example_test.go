package metrics_test

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/handle"
	"github.com/seed96110120/kinesis-client-go/processor/worker"
	"github.com/seed96110120/kinesis-client-go/processor/worker/metrics"
)

// A Prometheus registry of your own.
func ExampleNew() {
	w := worker.New(worker.Config{Stream: "orders", Application: "billing"}, func(worker.ShardInfo) (processor.RecordProcessor, error) {
		return handle.Record(func(context.Context, processor.Record) error { return nil }, nil), nil
	})
	registry := prometheus.NewRegistry()
	fmt.Println(registry.Register(metrics.New(w)))
	// Output: <nil>
}
