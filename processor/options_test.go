package processor_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	. "github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/processortest"
	"github.com/seed96110120/kinesis-client-go/protocol"
)

func TestHostIsToldOfCheckpoints(t *testing.T) {
	type notice struct {
		p   Position
		err error
	}
	var notices []notice
	d := new(processortest.Shard).Start(t, funcs{
		processRecords: func(ctx context.Context, in ProcessRecordsInput) error {
			in.Checkpointer.Checkpoint(ctx)
			return nil
		},
	}, &Options{Host: HostOptions{Checkpointed: func(p Position, err error) { notices = append(notices, notice{p, err}) }}})
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
		t.Errorf("notices %v, want three at 7, the last with %v, and one for the end", notices, ErrInvalidState)
	}
}
