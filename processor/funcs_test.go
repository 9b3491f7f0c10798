package processor_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	. "github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/protocol"
)

func nothing(context.Context, ProcessRecordsInput) error { return nil }

// Fields left out checkpoint at the shard's end and at ShutdownRequested, and do
// nothing elsewhere.
func TestFuncsDefaults(t *testing.T) {
	var seen int
	d := play(t, Funcs{ProcessRecords: func(_ context.Context, in ProcessRecordsInput) error {
		seen += len(in.Records)
		return nil
	}}.Processor())
	d.Do(initialize)
	d.Do(batch("1", "2"))
	d.Send(protocol.ShutdownRequested{})
	d.Expect(protocol.Checkpoint{Position: at("2")})
	d.Send(protocol.Checkpoint{Position: at("2")})
	d.Expect(protocol.Status{ResponseFor: "shutdownRequested"})
	d.Send(protocol.ShardEnded{})
	d.Expect(protocol.Checkpoint{})
	d.Send(protocol.Checkpoint{})
	d.Expect(protocol.Status{ResponseFor: "shardEnded"})
	endWell(t, d)
	if seen != 2 {
		t.Errorf("ProcessRecords saw %d records, want 2", seen)
	}
	d = play(t, Funcs{ProcessRecords: nothing}.Processor())
	d.Do(initialize)
	d.Do(protocol.LeaseLost{})
	endWell(t, d)
}

// The default of ShutdownRequested returns the checkpoint's error.
func TestFuncsDefaultsFail(t *testing.T) {
	d := play(t, Funcs{ProcessRecords: nothing}.Processor())
	d.Do(initialize)
	d.Do(batch("1"))
	d.Send(protocol.ShutdownRequested{})
	d.Expect(protocol.Checkpoint{Position: at("1")})
	d.Send(protocol.Checkpoint{Position: at("1"), Error: "InvalidStateException"})
	if err := d.Close(); !errors.Is(err, ErrInvalidState) {
		t.Errorf("error %v, want %v", err, ErrInvalidState)
	}
}

func TestFuncsCallsEachField(t *testing.T) {
	var seen []string
	note := func(name string) error { seen = append(seen, name); return nil }
	p := Funcs{
		Initialize:     func(context.Context, InitializeInput) error { return note("Initialize") },
		ProcessRecords: func(context.Context, ProcessRecordsInput) error { return note("ProcessRecords") },
		LeaseLost:      func(context.Context, LeaseLostInput) error { return note("LeaseLost") },
		ShardEnded: func(ctx context.Context, in ShardEndedInput) error {
			note("ShardEnded")
			return in.Checkpointer.Checkpoint(ctx)
		},
		ShutdownRequested: func(context.Context, ShutdownRequestedInput) error { return note("ShutdownRequested") },
	}.Processor()
	for _, last := range []protocol.Message{protocol.LeaseLost{}, protocol.ShardEnded{}} {
		d := play(t, p)
		for _, m := range []protocol.Message{initialize, batch("1"), protocol.ShutdownRequested{}, last} {
			d.Do(m)
		}
		endWell(t, d)
	}
	want := []string{
		"Initialize", "ProcessRecords", "ShutdownRequested", "LeaseLost",
		"Initialize", "ProcessRecords", "ShutdownRequested", "ShardEnded",
	}
	if !slices.Equal(seen, want) {
		t.Errorf("got  %q\nwant %q", seen, want)
	}
}

func TestFuncsWithoutProcessRecords(t *testing.T) {
	d := play(t, Funcs{}.Processor())
	if err := d.Begin(initialize).Wait(); err == nil || !strings.Contains(err.Error(), "Funcs.ProcessRecords") {
		t.Errorf("error %v, want one about Funcs.ProcessRecords", err)
	}
}
