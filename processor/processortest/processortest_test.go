package processortest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/processortest"
	"github.com/seed96110120/kinesis-client-go/protocol"
)

// consumer keeps the data of its records and calls save, unless it is nil, after
// each batch.
type consumer struct {
	seen []string
	save func(ctx context.Context, in processor.ProcessRecordsInput) error
}

func everything(ctx context.Context, in processor.ProcessRecordsInput) error {
	return in.Checkpointer.Checkpoint(ctx)
}

func (*consumer) Initialize(context.Context, processor.InitializeInput) error { return nil }

func (c *consumer) ProcessRecords(ctx context.Context, in processor.ProcessRecordsInput) error {
	for _, r := range in.Records {
		c.seen = append(c.seen, string(r.Data))
	}
	if c.save == nil {
		return nil
	}
	return c.save(ctx, in)
}

func (*consumer) LeaseLost(context.Context, processor.LeaseLostInput) error { return nil }

func (*consumer) ShardEnded(ctx context.Context, in processor.ShardEndedInput) error {
	return in.Checkpointer.Checkpoint(ctx)
}

func (*consumer) ShutdownRequested(ctx context.Context, in processor.ShutdownRequestedInput) error {
	return in.Checkpointer.Checkpoint(ctx)
}

func at(sequenceNumber string, subSequenceNumber int64) processor.Position {
	return processor.Position{SequenceNumber: sequenceNumber, SubSequenceNumber: subSequenceNumber}
}

func equal[E comparable](t testing.TB, what string, got []E, want ...E) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s\ngot  %v\nwant %v", what, got, want)
	}
}

// A crash during a batch, one between two batches, and a checkpoint in the
// middle of an aggregate.
//
// Guarantee: After a restart a processor gets every record after its last
// checkpoint and none before.
func TestRestartRedelivers(t *testing.T) {
	shard := &processortest.Shard{ID: "shardId-7"}
	for n := range 8 {
		shard.Put("k", fmt.Sprint(n+1)) // sequence numbers 1 to 8
	}
	shard.PutAggregate("k", "9a", "9b", "9c")
	shard.Put("k", "10")
	if got := shard.Initialize(); got.ShardID != "shardId-7" || got.Position.SequenceNumber != protocol.TrimHorizon {
		t.Errorf("the first start: %+v, want shardId-7 at TRIM_HORIZON", got)
	}

	c := &consumer{save: everything}
	d := shard.Start(t, c, nil)
	d.Do(shard.Initialize())
	d.Do(shard.Next(2))
	c.save = func(ctx context.Context, in processor.ProcessRecordsInput) error { <-ctx.Done(); return nil }
	a := d.Begin(shard.Next(2))
	if err := d.Close(); !errors.Is(err, processor.ErrDaemonGone) {
		t.Errorf("Close: error %v, want %v", err, processor.ErrDaemonGone)
	}
	if err := a.Wait(); !errors.Is(err, processor.ErrDaemonGone) {
		t.Errorf("Wait: error %v, want %v", err, processor.ErrDaemonGone)
	}
	equal(t, "seen at first", c.seen, "1", "2", "3", "4")

	c = &consumer{save: func(ctx context.Context, in processor.ProcessRecordsInput) error {
		return in.Checkpointer.CheckpointAt(ctx, at("9", 1))
	}}
	d = shard.Start(t, c, nil)
	if got := shard.Initialize(); got.Position != at("2", 0) {
		t.Errorf("the second start: %v, want 2/0", got)
	}
	d.Do(shard.Initialize())
	d.Do(shard.Next(100))
	if m := shard.Next(1); len(m.Records) != 0 {
		t.Errorf("after the last record: %v, want no records", m)
	}
	d.Do(shard.Next(0))
	equal(t, "seen after the crash", c.seen, "3", "4", "5", "6", "7", "8", "9a", "9b", "9c", "10")
	if err := d.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}

	c = &consumer{save: everything}
	d = shard.Start(t, c, nil)
	d.Do(shard.Initialize())
	d.Do(shard.Next(1))
	d.Do(shard.Next(1))
	d.Do(protocol.ShardEnded{})
	equal(t, "seen in the end", c.seen, "9c", "10")
	equal(t, "checkpoints", shard.Checkpoints(), at("2", 0), at("9", 1), at("9", 1), at("9", 2), at("10", 0), at(protocol.ShardEnd, 0))
	delivered := shard.Delivered()
	equal(t, "delivered", delivered[:3], at("1", 0), at("2", 0), at("3", 0))
	if len(delivered) != 4+10+2 {
		t.Errorf("delivered: %v, want 16 positions", delivered)
	}
}

// The exceptions are those of KCL's RecordProcessorCheckpointer.
//
// Guarantee: A checkpoint is taken where the real daemon takes one, and
// refused with the same exception.
func TestCheckpointRange(t *testing.T) {
	var shard processortest.Shard
	shard.Put("k", "1", "2", "3", "4")
	shard.FailCheckpoint(2, "KinesisClientLibDependencyException")
	var errs []error
	c := &consumer{save: func(ctx context.Context, in processor.ProcessRecordsInput) error {
		for _, n := range []string{"2", "2", "1", "2", "3", "4"} {
			errs = append(errs, in.Checkpointer.CheckpointAt(ctx, at(n, 0)))
		}
		return nil
	}}
	d := shard.Start(t, c, nil)
	d.Do(shard.Initialize())
	d.Do(shard.Next(3))
	for i, want := range []error{nil, processor.ErrDependency, processor.ErrOutOfRange, nil, nil, processor.ErrOutOfRange} {
		if !errors.Is(errs[i], want) {
			t.Errorf("checkpoint %d: %v, want %v", i, errs[i], want)
		}
	}
	equal(t, "checkpoints", shard.Checkpoints(), at("2", 0), at("2", 0), at("3", 0))
	d.Do(protocol.ShutdownRequested{})
	d.Do(protocol.LeaseLost{})
	if err := d.Close(); err != nil || shard.Checkpoint() != at("3", 0) {
		t.Errorf("error %v, checkpoint %v; want none, 3/0", err, shard.Checkpoint())
	}
}

// A processor whose lease has passed to another one.
//
// Guarantee: A checkpoint is taken where the real daemon takes one, and
// refused with the same exception.
func TestOneLease(t *testing.T) {
	var shard processortest.Shard
	shard.Put("k", "1", "2")
	first, second := &consumer{save: everything}, &consumer{save: everything}
	old := shard.Start(t, first, nil)
	old.Do(shard.Initialize())
	batch := shard.Next(2)
	d := shard.Start(t, second, nil)
	d.Do(shard.Initialize())
	d.Do(shard.Next(1))
	old.Do(batch) // answered: ErrLeaseLost is an ordinary event
	equal(t, "checkpoints", shard.Checkpoints(), at("1", 0))
	old.Do(protocol.LeaseLost{})
	d.Do(shard.Next(1))
	equal(t, "checkpoints", shard.Checkpoints(), at("1", 0), at("2", 0))
}

// In a bubble the backoff of a throttled checkpoint takes no time, the notice
// of a stop arrives during a batch, and the grace of a stuck method ends.
//
// Guarantee: Nothing is left running when the test has ended, unless a method
// of the processor is stuck.
func TestInBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shard processortest.Shard
		shard.Put("k", "1", "2", "3")
		for call := range 10 {
			shard.FailCheckpoint(1+call, "ThrottlingException")
		}
		c := &consumer{save: everything}
		d := shard.Start(t, c, nil)
		d.Do(shard.Initialize())
		d.Do(shard.Next(1))
		equal(t, "checkpoints", shard.Checkpoints(), at("1", 0))

		c.save = func(ctx context.Context, in processor.ProcessRecordsInput) error {
			<-in.Lease.Stopping()
			return in.Checkpointer.Checkpoint(ctx)
		}
		a := d.Begin(shard.Next(1))
		synctest.Wait()
		equal(t, "before the notice", shard.Checkpoints(), at("1", 0))
		d.StopNotice()
		if err := a.Wait(); err != nil {
			t.Errorf("Wait: %v", err)
		}
		equal(t, "after the notice", shard.Checkpoints(), at("1", 0), at("2", 0))

		stuck := make(chan struct{})
		c.save = func(context.Context, processor.ProcessRecordsInput) error { <-stuck; return nil }
		d.Begin(shard.Next(1))
		time.Sleep(time.Second) // it works for long: the end of the input is seen at once
		begin := time.Now()
		if err := d.Close(); !errors.Is(err, processor.ErrDaemonGone) || time.Since(begin) != 3*time.Second {
			t.Errorf("Close: error %v after %v, want %v after 3s", err, time.Since(begin), processor.ErrDaemonGone)
		}
		close(stuck)
	})
}

// connect returns the daemon of a processor that answers each action by answer.
func connect(t testing.TB, shard *processortest.Shard, answer func(m protocol.Message, from *protocol.Reader, to *protocol.Writer, raw io.Writer)) *processortest.Daemon {
	in, stdin := io.Pipe()
	stdout, out := io.Pipe()
	go func() {
		defer out.Close()
		from, to := protocol.NewReader(in, nil), protocol.NewWriter(out)
		for {
			m, err := from.Read()
			if err != nil {
				return
			}
			answer(m, from, to, out)
		}
	}()
	return shard.Connect(t, stdin, stdout)
}

// Guarantee: Output of a processor that is not a message is skipped, as the
// real daemon skips it.
func TestGarbageIsSkipped(t *testing.T) {
	var shard processortest.Shard
	d := connect(t, &shard, func(m protocol.Message, _ *protocol.Reader, to *protocol.Writer, raw io.Writer) {
		fmt.Fprint(raw, "hello\n{\"action\":\"dance\"}\n")
		to.Write(protocol.Status{ResponseFor: m.Action()})
	})
	d.Do(shard.Initialize())
	d.Do(protocol.LeaseLost{})
	d.Close()
	if err := d.Begin(protocol.ShutdownRequested{}).Wait(); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("after Close: error %v, want %v", err, io.ErrClosedPipe)
	}
}

// The real daemon has no checkpointer in initialize and leaseLost.
//
// Guarantee: A checkpoint is taken where the real daemon takes one, and
// refused with the same exception.
func TestNoCheckpointer(t *testing.T) {
	var shard processortest.Shard
	shard.Put("k", "1")
	exceptions := map[string]string{}
	d := connect(t, &shard, func(m protocol.Message, from *protocol.Reader, to *protocol.Writer, _ io.Writer) {
		to.Write(protocol.Checkpoint{})
		answer, _ := from.Read()
		exceptions[m.Action()] = answer.(protocol.Checkpoint).Error
		to.Write(protocol.Status{ResponseFor: m.Action()})
	})
	for _, m := range []protocol.Message{shard.Initialize(), shard.Next(1), protocol.ShutdownRequested{}, protocol.LeaseLost{}} {
		d.Do(m)
	}
	want := map[string]string{"initialize": "InvalidStateException", "processRecords": "", "shutdownRequested": "", "leaseLost": "InvalidStateException"}
	if !maps.Equal(exceptions, want) {
		t.Errorf("got %v, want %v", exceptions, want)
	}
}

func TestWrongAnswers(t *testing.T) {
	for want, answer := range map[string]protocol.Message{
		"initialize was not answered: the processor answered leaseLost":                                protocol.Status{ResponseFor: "leaseLost"},
		"initialize was not answered: the processor sent shardEnded, which is a message of the daemon": protocol.ShardEnded{},
	} {
		var shard processortest.Shard
		d := connect(t, &shard, func(_ protocol.Message, _ *protocol.Reader, to *protocol.Writer, _ io.Writer) { to.Write(answer) })
		if err := d.Begin(shard.Initialize()).Wait(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// The error of a method is that of its action.
func TestFailedAction(t *testing.T) {
	boom := errors.New("boom")
	var shard processortest.Shard
	shard.Put("k", "1")
	d := shard.Start(t, &consumer{save: func(context.Context, processor.ProcessRecordsInput) error { return boom }}, nil)
	d.Do(shard.Initialize())
	if err := d.Begin(shard.Next(1)).Wait(); !errors.Is(err, boom) || !strings.Contains(err.Error(), "processRecords was not answered") {
		t.Errorf("error %v, want %v with the action", err, boom)
	}
	if err := d.Begin(shard.Next(1)).Wait(); !errors.Is(err, boom) {
		t.Errorf("after the end: error %v, want %v", err, boom)
	}
	if err := d.Close(); !errors.Is(err, boom) {
		t.Errorf("Close: error %v, want %v", err, boom)
	}
}
