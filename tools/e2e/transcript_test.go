package e2e

import (
	"context"
	"strings"
	"testing"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/processortest"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// counter counts records and checkpoints as noter does.
type counter struct {
	noter
	records int
}

func (*counter) Initialize(context.Context, processor.InitializeInput) error { return nil }

func (c *counter) ProcessRecords(ctx context.Context, in processor.ProcessRecordsInput) error {
	c.records += len(in.Records)
	return in.Checkpointer.Checkpoint(ctx)
}

func (*counter) LeaseLost(context.Context, processor.LeaseLostInput) error { return nil }

func (*counter) ShutdownRequested(ctx context.Context, in processor.ShutdownRequestedInput) error {
	return in.Checkpointer.Checkpoint(ctx)
}

// A conversation with the real daemon is recorded and played.
func TestTranscript(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newApplication(t, 1, childProperties)
	a.produce(20)
	d := a.start(childEnv + "=record")
	a.awaitNoted(d, 20)
	a.stop(d)
	c := &counter{}
	if err := processortest.Play(t, strings.NewReader(a.read("transcript.txt")), c, nil); err != nil || c.records != 20 {
		t.Errorf("played: %v, %d records", err, c.records)
	}
}
