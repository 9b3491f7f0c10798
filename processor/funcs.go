package processor

import (
	"context"
	"errors"
)

// Funcs turns one to five functions into a [RecordProcessor]. Each field is the method of
// the same name. ProcessRecords is required; without it Initialize fails. What a nil
// field does:
//
//   - Initialize and LeaseLost: nothing.
//   - ShardEnded and ShutdownRequested: call [Checkpointer.Checkpoint] and return its
//     error.
//
// So the work on a batch must be done when ProcessRecords returns. For work that goes on
// in the background, set ShardEnded and ShutdownRequested too.
type Funcs struct {
	Initialize        func(context.Context, InitializeInput) error
	ProcessRecords    func(context.Context, ProcessRecordsInput) error
	LeaseLost         func(context.Context, LeaseLostInput) error
	ShardEnded        func(context.Context, ShardEndedInput) error
	ShutdownRequested func(context.Context, ShutdownRequestedInput) error
}

// Processor returns the processor. It has no state but the functions.
func (f Funcs) Processor() RecordProcessor { return funcsProcessor{f} }

// funcsProcessor is a type of its own because a struct cannot have a field and a method
// with the same name.
type funcsProcessor struct{ funcs Funcs }

func (p funcsProcessor) Initialize(ctx context.Context, in InitializeInput) error {
	if p.funcs.ProcessRecords == nil {
		return errors.New("processor: Funcs.ProcessRecords: nil; set it to the function that handles a batch")
	}
	if p.funcs.Initialize == nil {
		return nil
	}
	return p.funcs.Initialize(ctx, in)
}

func (p funcsProcessor) ProcessRecords(ctx context.Context, in ProcessRecordsInput) error {
	return p.funcs.ProcessRecords(ctx, in)
}

func (p funcsProcessor) LeaseLost(ctx context.Context, in LeaseLostInput) error {
	if p.funcs.LeaseLost == nil {
		return nil
	}
	return p.funcs.LeaseLost(ctx, in)
}

func (p funcsProcessor) ShardEnded(ctx context.Context, in ShardEndedInput) error {
	if p.funcs.ShardEnded == nil {
		return in.Checkpointer.Checkpoint(ctx)
	}
	return p.funcs.ShardEnded(ctx, in)
}

func (p funcsProcessor) ShutdownRequested(ctx context.Context, in ShutdownRequestedInput) error {
	if p.funcs.ShutdownRequested == nil {
		return in.Checkpointer.Checkpoint(ctx)
	}
	return p.funcs.ShutdownRequested(ctx, in)
}
