package processor_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	. "github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/protocol"
)

// A method may keep the failure of its checkpoint in a variable of the error's
// own type: nil in it is nil, wherever it is given to Run. Wrapped or joined it
// is an error as Go has it, and no nil pointer ends Run with a panic.
func TestNilPointerErrors(t *testing.T) {
	boom := errors.New("boom")
	var noCheckpoint *CheckpointError
	var noPanic *PanicError
	for _, tc := range []struct {
		name string
		err  error
		fine bool
	}{
		{"nil", nil, true},
		{"*CheckpointError", noCheckpoint, true},
		{"*PanicError", noPanic, true},
		{"*CheckpointError, wrapped", fmt.Errorf("at the end: %w", noCheckpoint), false},
		{"*CheckpointError beside another", errors.Join(noCheckpoint, boom), false},
		{"*PanicError, wrapped", fmt.Errorf("at the end: %w", noPanic), false},
		{"a user's", (*userError)(nil), false},
		{"a user's, joined", errors.Join((*userError)(nil), boom), false},
	} {
		method := func(c *Checkpointer) error {
			if err := c.Checkpoint(context.Background()); err != nil {
				return err
			}
			return tc.err
		}
		for _, action := range []protocol.Message{batch("1"), protocol.ShutdownRequested{}, protocol.ShardEnded{}, protocol.LeaseLost{}} {
			t.Run(tc.name+" in "+action.Action(), func(t *testing.T) {
				d := play(t, funcs{
					processRecords:    func(_ context.Context, in ProcessRecordsInput) error { return method(in.Checkpointer) },
					shutdownRequested: func(_ context.Context, in ShutdownRequestedInput) error { return method(in.Checkpointer) },
					shardEnded:        func(_ context.Context, in ShardEndedInput) error { return method(in.Checkpointer) },
					leaseLost:         func(context.Context, LeaseLostInput) error { return tc.err },
				})
				d.Do(initialize)
				if err := d.Begin(action).Wait(); (err == nil) != tc.fine || err != nil && err.Error() == "" {
					t.Errorf("Run returned %v, want an error: %v", err, !tc.fine)
				}
			})
		}
		if strings.HasPrefix(tc.name, "a user's") {
			continue // Fail ends Run whichever way
		}
		t.Run(tc.name+" in Fail", func(t *testing.T) {
			var lease *Lease
			d := play(t, funcs{initialize: func(_ context.Context, in InitializeInput) error { lease = in.Lease; return nil }})
			d.Do(initialize)
			lease.Fail(tc.err)
			if err := d.Begin(batch("1")).Wait(); (err == nil) != tc.fine {
				t.Errorf("Run returned %v, want an error: %v", err, !tc.fine)
			}
		})
	}
}

type userError struct{ err error }

func (e *userError) Error() string { return e.err.Error() }
func (e *userError) Unwrap() error { return e.err }
