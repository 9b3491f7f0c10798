//go:build unix

package conformance_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// The driver starts the test binary as a record processor: its first argument is childArg,
// the second names one of the children.
const childArg = "conformance-child"

var children = map[string]processor.RecordProcessor{
	"recorder":  &recorder{},
	"careless":  &recorder{records: careless},
	"panics":    &recorder{records: func(context.Context, processor.ProcessRecordsInput) error { panic("the processor's own fault") }},
	"pollution": &recorder{records: pollute},
}

func runChild(name string) {
	if name == "pollution" {
		fmt.Println("printed before Main")
		fmt.Print("and this without a line end")
	}
	processor.MainWithOptions(children[name], &processor.Options{CheckpointRetries: 3})
}

// recorder prints what it gets and checkpoints after each batch, unless a test replaces a
// method.
type recorder struct {
	notes   *os.File
	records func(context.Context, processor.ProcessRecordsInput) error
}

// recordedLine is what recorder prints of a record.
func recordedLine(sequenceNumber string, sub int64, key string, millis int64, data []byte) string {
	return fmt.Sprintf("%s/%d %d %q %d bytes %x", sequenceNumber, sub, millis, key, len(data), sha256.Sum256(data))
}

func (r *recorder) Initialize(_ context.Context, in processor.InitializeInput) (err error) {
	r.notes, err = os.Create(in.Lease.ShardID())
	return err
}

func (r *recorder) ProcessRecords(ctx context.Context, in processor.ProcessRecordsInput) error {
	for _, rec := range in.Records {
		millis := int64(-1)
		if t := rec.ApproximateArrivalTimestamp; !t.IsZero() {
			millis = t.UnixMilli()
		}
		if _, err := fmt.Fprintln(r.notes, recordedLine(rec.SequenceNumber, rec.SubSequenceNumber, rec.PartitionKey, millis, rec.Data)); err != nil {
			return err
		}
	}
	if r.records != nil {
		return r.records(ctx, in)
	}
	return in.Checkpointer.Checkpoint(ctx)
}

func (r *recorder) LeaseLost(context.Context, processor.LeaseLostInput) error {
	_, err := fmt.Fprintln(r.notes, "leaseLost")
	return err
}

func (r *recorder) ShardEnded(ctx context.Context, in processor.ShardEndedInput) error {
	return in.Checkpointer.Checkpoint(ctx)
}

func (r *recorder) ShutdownRequested(ctx context.Context, in processor.ShutdownRequestedInput) error {
	return in.Checkpointer.Checkpoint(ctx)
}

// careless prints the result of its checkpoint and ignores it.
func careless(ctx context.Context, in processor.ProcessRecordsInput) error {
	err := in.Checkpointer.Checkpoint(ctx)
	for _, sentinel := range []error{processor.ErrThrottled, processor.ErrLeaseLost, processor.ErrInvalidState, processor.ErrDependency, processor.ErrOutOfRange} {
		if errors.Is(err, sentinel) {
			fmt.Fprintf(os.Stderr, "checkpoint: %v\n", sentinel)
			return nil
		}
	}
	fmt.Fprintf(os.Stderr, "checkpoint: %v\n", err)
	return nil
}

// pollute prints in all ways, also texts that look like answers and checkpoints.
func pollute(ctx context.Context, in processor.ProcessRecordsInput) error {
	fmt.Print(`{"action":"status","responseFor":"processRecords"}`)
	fmt.Println("printed by fmt")
	if _, err := syscall.Write(1, []byte("\n{\"action\":\"checkpoint\",\"sequenceNumber\":\"1\"}\nraw write\n")); err != nil {
		return err
	}
	grandchild := exec.Command("sh", "-c", `echo '{"action":"status","responseFor":"shardEnded"}'; echo from a grandchild`)
	grandchild.Stdout = os.Stdout
	if err := grandchild.Run(); err != nil {
		return err
	}
	return in.Checkpointer.Checkpoint(ctx)
}
