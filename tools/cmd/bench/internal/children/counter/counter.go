// Package counter is the record processor that the benches measure: it looks
// at each record and checkpoints each batch, no more.
package counter

import (
	"context"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// Counter counts.
type Counter struct{ records, bytes int }

// Initialize does nothing.
func (*Counter) Initialize(context.Context, processor.InitializeInput) error { return nil }

// ProcessRecords counts and checkpoints.
func (c *Counter) ProcessRecords(ctx context.Context, in processor.ProcessRecordsInput) error {
	for _, r := range in.Records {
		c.records++
		c.bytes += len(r.Data)
	}
	return in.Checkpointer.Checkpoint(ctx)
}

// LeaseLost does nothing.
func (*Counter) LeaseLost(context.Context, processor.LeaseLostInput) error { return nil }

// ShardEnded checkpoints the end.
func (c *Counter) ShardEnded(ctx context.Context, in processor.ShardEndedInput) error {
	return in.Checkpointer.Checkpoint(ctx)
}

// ShutdownRequested checkpoints.
func (c *Counter) ShutdownRequested(ctx context.Context, in processor.ShutdownRequestedInput) error {
	return in.Checkpointer.Checkpoint(ctx)
}
