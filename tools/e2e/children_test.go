package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/processortest"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
)

// The daemon starts the test binary, as childName, as a record processor; childEnv says
// which one.
const (
	childName = "e2e-child"
	childEnv  = "E2E_CHILD"
)

var childProperties = stack.Setting{Name: "executableName", Value: childName}

// note appends a line to a file of the working directory in one write, because the children
// of all shards share the file.
func note(name, format string, args ...any) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = fmt.Fprintf(f, format+"\n", args...)
	return err
}

// noter records its calls in events.txt and each record in records.txt, and checkpoints
// after each batch, unless the test replaces a method.
type noter struct {
	shardID string
	records func(ctx context.Context, in processor.ProcessRecordsInput) error
}

func (n *noter) Initialize(_ context.Context, in processor.InitializeInput) error {
	n.shardID = in.Lease.ShardID()
	return note("events.txt", "initialize %s pid=%d", n.shardID, os.Getpid())
}

func (n *noter) ProcessRecords(ctx context.Context, in processor.ProcessRecordsInput) error {
	if n.records != nil {
		return n.records(ctx, in)
	}
	return n.save(ctx, in)
}

func (n *noter) save(ctx context.Context, in processor.ProcessRecordsInput) error {
	for _, r := range in.Records {
		if err := note("records.txt", "%s %s", n.shardID, r.SequenceNumber); err != nil {
			return err
		}
	}
	return in.Checkpointer.Checkpoint(ctx)
}

func (n *noter) LeaseLost(context.Context, processor.LeaseLostInput) error {
	return note("events.txt", "leaseLost %s", n.shardID)
}

func (n *noter) ShardEnded(ctx context.Context, in processor.ShardEndedInput) error {
	return errors.Join(note("events.txt", "shardEnded %s", n.shardID), in.Checkpointer.Checkpoint(ctx))
}

func (n *noter) ShutdownRequested(ctx context.Context, in processor.ShutdownRequestedInput) error {
	return errors.Join(note("events.txt", "shutdownRequested %s", n.shardID), in.Checkpointer.Checkpoint(ctx))
}

// talker is a noter that prints its shard.
type talker struct{ noter }

func (t *talker) Initialize(ctx context.Context, in processor.InitializeInput) error {
	fmt.Fprintln(os.Stderr, "said on standard error by", in.Lease.ShardID())
	return t.noter.Initialize(ctx, in)
}

const firstShard = "shardId-000000000000"

var children = map[string]func(){
	"note": func() { processor.Main(&noter{}) },
	// stderr prints its identity to standard error, and pollutes standard output before
	// processor can prevent it.
	"stderr": func() {
		fmt.Println("pollution")
		processor.Main(&talker{})
	},
	// pollute prints in all ways, before and after the call of Main.
	"pollute": func() {
		fmt.Println("printed before Main")
		fmt.Print("and this without a line end")
		n := &noter{}
		n.records = func(ctx context.Context, in processor.ProcessRecordsInput) error {
			if len(in.Records) == 0 {
				// A stop's SIGTERM would also reach a grandchild and fail the batch; there
				// is none after all records are recorded.
				return n.save(ctx, in)
			}
			fmt.Print(`{"action":"status","responseFor":"processRecords"}`)
			syscall.Write(1, []byte("\n{\"action\":\"checkpoint\",\"sequenceNumber\":\"1\"}"))
			grandchild := exec.Command("sh", "-c", "echo from a grandchild")
			grandchild.Stdout = os.Stdout
			if err := grandchild.Run(); err != nil {
				return err
			}
			return n.save(ctx, in)
		}
		processor.Main(n)
	},
	// record records its conversation with the daemon.
	"record": func() {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM) // Main would: the group gets it
		transcript, err := os.OpenFile("transcript.txt", os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
		if err != nil {
			panic(err)
		}
		r := processortest.NewRecorder(transcript)
		if err := processor.Run(context.Background(), &noter{}, r.Input(os.Stdin), r.Output(os.Stdout), nil); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	},
	// shutdown returns ErrLeaseLost on the first shard.
	"shutdown": func() {
		n := &noter{}
		n.records = func(ctx context.Context, in processor.ProcessRecordsInput) error {
			if n.shardID == firstShard {
				return errors.Join(note("events.txt", "refused %s", n.shardID), processor.ErrLeaseLost)
			}
			return n.save(ctx, in)
		}
		processor.Main(n)
	},
	// panic panics once, in the first of all batches.
	"panic": func() {
		n := &noter{}
		n.records = func(ctx context.Context, in processor.ProcessRecordsInput) error {
			if err := os.Mkdir("panicked", 0o755); err == nil {
				panic("once")
			}
			return n.save(ctx, in)
		}
		processor.Main(n)
	},
	// sleep sleeps in its first batch and ignores its context.
	"sleep": func() {
		n := &noter{}
		n.records = func(context.Context, processor.ProcessRecordsInput) error {
			if err := note("events.txt", "sleeping pid=%d", os.Getpid()); err != nil {
				return err
			}
			time.Sleep(time.Hour)
			return nil
		}
		processor.Main(n)
	},
}
