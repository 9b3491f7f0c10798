package processor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/protocol"
)

// printer prints its records and checkpoints after each batch.
type printer struct{}

func (printer) Initialize(ctx context.Context, in processor.InitializeInput) error {
	fmt.Fprintf(os.Stderr, "%s from %v\n", in.Lease.ShardID(), in.Position)
	return nil
}

func (printer) ProcessRecords(ctx context.Context, in processor.ProcessRecordsInput) error {
	for _, r := range in.Records {
		fmt.Fprintf(os.Stderr, "%s: %s\n", r.PartitionKey, r.Data)
	}
	return in.Checkpointer.Checkpoint(ctx)
}

func (printer) LeaseLost(ctx context.Context, in processor.LeaseLostInput) error { return nil }

func (printer) ShardEnded(ctx context.Context, in processor.ShardEndedInput) error {
	return in.Checkpointer.Checkpoint(ctx)
}

func (printer) ShutdownRequested(ctx context.Context, in processor.ShutdownRequestedInput) error {
	return in.Checkpointer.Checkpoint(ctx)
}

// A whole consumer: with this main the program is ready to be executableName.
func ExampleMain() {
	processor.Main(printer{})
}

// A whole consumer in one function. What it leaves out has a default: a checkpoint at
// the shard's end and before a stop.
func ExampleFuncs() {
	processor.Main(processor.Funcs{
		ProcessRecords: func(ctx context.Context, in processor.ProcessRecordsInput) error {
			for _, r := range in.Records {
				fmt.Fprintf(os.Stderr, "%s: %s\n", r.PartitionKey, r.Data)
			}
			return in.Checkpointer.Checkpoint(ctx)
		},
	}.Processor())
}

// Run serves a processor over any reader and writer: here the daemon is two
// pipes away, and the lease is lost at once. For tests see package processortest.
func ExampleRun() {
	childIn, toChild := io.Pipe()
	fromChild, childOut := io.Pipe()
	go func() {
		w, r := protocol.NewWriter(toChild), protocol.NewReader(fromChild, nil)
		for _, m := range []protocol.Message{protocol.Initialize{ShardID: "shardId-000000000000"}, protocol.LeaseLost{}} {
			w.Write(m)
			answer, _ := r.Read()
			fmt.Println(m.Action(), "->", answer)
		}
		toChild.Close()
	}()
	err := processor.Run(context.Background(), printer{}, childIn, childOut, nil)
	fmt.Println("Run:", err)
	// Output:
	// initialize -> {initialize}
	// leaseLost -> {leaseLost}
	// Run: <nil>
}

// A checkpoint's error says what to do about it.
func ExampleCheckpointError() {
	err := error(&processor.CheckpointError{
		ShardID:   "shardId-000000000000",
		Position:  processor.Position{SequenceNumber: "42"},
		Exception: "ShutdownException",
		Attempts:  1,
		Err:       processor.ErrLeaseLost,
	})
	switch {
	case errors.Is(err, processor.ErrLeaseLost):
		fmt.Println("return it:", err)
	case errors.Is(err, processor.ErrThrottled):
		fmt.Println("a later checkpoint may pass")
	}
	// Output:
	// return it: processor: cannot checkpoint shardId-000000000000 at 42/0: this worker no longer has the lease (ShutdownException)
}
