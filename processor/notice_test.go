package processor_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	. "github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/protocol"
)

var errPlanted = errors.New("planted")

// With WithFailureNotice a failure ends the lease, not the daemon: all that
// follows is answered, and nothing is processed or checkpointed any more.
func TestFailureNotice(t *testing.T) {
	for name, c := range map[string]struct {
		fail func(ctx context.Context, in ProcessRecordsInput) error
		want error
	}{
		"an error": {func(context.Context, ProcessRecordsInput) error { return errPlanted }, errPlanted},
		"a panic":  {func(context.Context, ProcessRecordsInput) error { panic(errPlanted) }, new(PanicError)},
		"Fail": {func(ctx context.Context, in ProcessRecordsInput) error {
			in.Lease.Fail(errPlanted)
			<-ctx.Done()
			return in.Checkpointer.Checkpoint(context.Background()) // too late
		}, errPlanted},
	} {
		t.Run(name, func(t *testing.T) {
			var notices []error
			var lease *Lease
			var checkpointer *Checkpointer
			calls := 0
			d := play(t, funcs{
				processRecords: func(ctx context.Context, in ProcessRecordsInput) error {
					calls++
					lease, checkpointer = in.Lease, in.Checkpointer
					return c.fail(ctx, in)
				},
				shutdownRequested: func(context.Context, ShutdownRequestedInput) error { calls++; return nil },
				leaseLost:         func(context.Context, LeaseLostInput) error { calls++; return nil },
			}, WithFailureNotice(func(err error) { notices = append(notices, err) }))
			d.Do(initialize)
			d.Send(batch("1"))
			d.Expect(processed) // and no checkpoint
			d.Send(batch("2"))
			d.Expect(processed)
			if lease.Context().Err() == nil {
				t.Error("the lease's context goes on")
			}
			if err := checkpointer.Checkpoint(t.Context()); !errors.Is(err, ErrShutdown) {
				t.Errorf("a checkpoint after the failure: %v", err)
			}
			d.Do(protocol.ShutdownRequested{})
			d.Do(protocol.LeaseLost{})
			err := d.Close()
			var panicked *PanicError
			if !errors.Is(err, c.want) && !(errors.As(c.want, &panicked) && errors.As(err, &panicked)) {
				t.Errorf("Run returned %v, want %v", err, c.want)
			}
			if len(notices) != 1 || notices[0].Error() != err.Error() || !strings.Contains(err.Error(), initialize.ShardID) {
				t.Errorf("notices %v, Run returned %v", notices, err)
			}
			if calls != 1 {
				t.Errorf("%d calls, want 1", calls)
			}
		})
	}
}

// A method that does not return keeps nobody waiting; Run says so at its end.
func TestFailureNoticeOfAHungMethod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := make(chan struct{})
		defer close(hung)
		leases := make(chan *Lease, 1)
		d := play(t, funcs{processRecords: func(_ context.Context, in ProcessRecordsInput) error {
			leases <- in.Lease
			<-hung
			return nil
		}}, WithFailureNotice(func(error) {}))
		d.Do(initialize)
		d.Send(batch("1"))
		(<-leases).Fail(errPlanted)
		d.Expect(processed)
		d.Do(protocol.LeaseLost{})
		if err := d.Close(); !errors.Is(err, errPlanted) || !strings.Contains(err.Error(), "processRecords did not return within 3s") {
			t.Errorf("Run returned %v", err)
		}
	})
}

// The end of a shard is never answered without its checkpoint, neither when its
// processor has failed before nor when it fails then.
func TestFailureNoticeHoldsTheEnd(t *testing.T) {
	for name, p := range map[string]funcs{
		"failed before":   {processRecords: func(context.Context, ProcessRecordsInput) error { return errPlanted }},
		"failed then":     {shardEnded: func(context.Context, ShardEndedInput) error { return errPlanted }},
		"made no attempt": {shardEnded: func(context.Context, ShardEndedInput) error { return nil }},
	} {
		t.Run(name, func(t *testing.T) {
			noticed := make(chan error, 1)
			d := play(t, p, WithFailureNotice(func(err error) { noticed <- err }))
			d.Do(initialize)
			d.Do(batch("1"))
			end := d.Begin(protocol.ShardEnded{})
			err := <-noticed
			if got := d.Close(); got == nil || got.Error() != err.Error() {
				t.Errorf("Run returned %v, want %v", got, err)
			}
			if end.Wait() == nil {
				t.Error("the end was answered")
			}
		})
	}
}

func TestCheckpointNotice(t *testing.T) {
	type notice struct {
		p   Position
		err error
	}
	var notices []notice
	d := play(t, funcs{
		processRecords: func(ctx context.Context, in ProcessRecordsInput) error {
			in.Checkpointer.Checkpoint(ctx)
			return nil
		},
	}, WithCheckpointNotice(func(p Position, err error) { notices = append(notices, notice{p, err}) }))
	d.Do(initialize)
	for _, answer := range []string{"", "ThrottlingException", "InvalidStateException"} {
		d.Send(batch("7"))
		d.Expect(protocol.Checkpoint{Position: at("7")})
		d.Send(protocol.Checkpoint{Position: at("7"), Error: answer})
		if answer == "ThrottlingException" { // tried again: no result yet
			d.Expect(protocol.Checkpoint{Position: at("7")})
			d.Send(protocol.Checkpoint{Position: at("7")})
		}
		d.Expect(processed)
	}
	d.Do(protocol.ShardEnded{})
	endWell(t, d)
	same := slices.EqualFunc(notices, []notice{{at("7"), nil}, {at("7"), nil}, {at("7"), ErrInvalidState}, {Position{}, nil}},
		func(got, want notice) bool { return got.p == want.p && errors.Is(got.err, want.err) })
	if !same {
		t.Errorf("notices %v", notices)
	}
}
