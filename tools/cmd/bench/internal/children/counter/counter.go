// Package counter has the record processor that the benches measure. It counts records
// and bytes and checkpoints each batch.
package counter

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// Socket is an environment variable that names a Unix socket. If it is set, each batch
// that was checkpointed is reported there in a line: the number of records, and the
// times of the batch's arrival and of the checkpoint's end in nanoseconds since 1970.
const Socket = "BENCH_SOCKET"

// Counter counts.
type Counter struct {
	records, bytes int
	reports        net.Conn // nil for none
}

// Initialize connects to the socket.
func (c *Counter) Initialize(context.Context, processor.InitializeInput) (err error) {
	if path := os.Getenv(Socket); path != "" {
		c.reports, err = net.Dial("unix", path)
	}
	return err
}

// ProcessRecords counts and checkpoints.
func (c *Counter) ProcessRecords(ctx context.Context, in processor.ProcessRecordsInput) error {
	arrival := time.Now()
	for _, r := range in.Records {
		c.records++
		c.bytes += len(r.Data)
	}
	err := in.Checkpointer.Checkpoint(ctx)
	if err == nil && c.reports != nil {
		_, err = fmt.Fprintf(c.reports, "%d %d %d\n", len(in.Records), arrival.UnixNano(), time.Now().UnixNano())
	}
	return err
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
