// Command ours is the record processor that the protocol bench measures: it
// looks at each record and checkpoints each batch, no more.
package main

import (
	"context"

	"github.com/seed96110120/kinesis-client-go/processor"
)

type counter struct{ records, bytes int }

func (*counter) Initialize(context.Context, processor.InitializeInput) error { return nil }

func (c *counter) ProcessRecords(ctx context.Context, in processor.ProcessRecordsInput) error {
	for _, r := range in.Records {
		c.records++
		c.bytes += len(r.Data)
	}
	return in.Checkpointer.Checkpoint(ctx)
}

func (*counter) LeaseLost(context.Context, processor.LeaseLostInput) error { return nil }

func (*counter) ShardEnded(ctx context.Context, in processor.ShardEndedInput) error {
	return in.Checkpointer.Checkpoint(ctx)
}

func (*counter) ShutdownRequested(ctx context.Context, in processor.ShutdownRequestedInput) error {
	return in.Checkpointer.Checkpoint(ctx)
}

func main() { processor.Main(&counter{}) }
