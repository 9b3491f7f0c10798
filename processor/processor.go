package processor

import (
	"context"

	"github.com/seed96110120/kinesis-client-go/protocol"
)

// Record is one user record of a shard; the daemon has taken aggregates apart. See
// [protocol.Record]. A record may be kept, because its memory is not reused. It keeps
// the memory of its whole batch alive; to keep few records of many, keep their Clones.
type Record = protocol.Record

// Position is a place in a shard: a sequence number and a sub-sequence number,
// compared as numbers; see [protocol.Position].
type Position = protocol.Position

// UnknownLag is MillisBehindLatest when the lag is not known.
const UnknownLag = protocol.UnknownLag

// RecordProcessor handles the records of one shard while this worker holds the shard's
// lease. Its methods are called one at a time, in this order: Initialize once,
// ProcessRecords any number of times, ShutdownRequested at most once, then LeaseLost or
// ShardEnded. When the daemon just goes away, neither of the last two is called.
//
// What a method returns decides what happens next:
//
//   - nil, or a nil [*CheckpointError] or [*PanicError]: the daemon is told that
//     the action is done, and goes on.
//   - An error that is [ErrLeaseLost] (errors.Is): the lease was lost, which is an
//     ordinary event. The daemon is told that the action is done. No more records are
//     delivered and no more checkpoints are made; LeaseLost may follow.
//   - Any other error, or a panic: the daemon is told nothing, so that it does not go
//     past records that were not processed, and [Run] returns the error. A program
//     that runs [Main] ends with status 1, and Amazon's MultiLangDaemon ends with all
//     its shards; a supervisor starts it again at the last checkpoints. kcl-bootstrap -e
//     and package worker start that one shard again.
//
// Every method but LeaseLost gets the context of the lease; see [Lease.Context].
type RecordProcessor interface {
	// Initialize is called first.
	Initialize(ctx context.Context, in InitializeInput) error

	// ProcessRecords handles one batch. Nothing is checkpointed unless it, or something
	// that it started, calls the Checkpointer. After a restart the records after the
	// last checkpoint are delivered again: each record is handled at least once.
	ProcessRecords(ctx context.Context, in ProcessRecordsInput) error

	// LeaseLost is called when this worker no longer has the lease, also after
	// ShutdownRequested. Nothing can be checkpointed any more. Its context ends with Run;
	// the lease's context is cancelled already.
	LeaseLost(ctx context.Context, in LeaseLostInput) error

	// ShardEnded is called when every record of a closed shard was delivered. It must
	// call Checkpointer.Checkpoint before it returns nil; without that checkpoint, the
	// shards that follow this one would never be read, so Run fails with [ErrNoEndCheckpoint].
	ShardEnded(ctx context.Context, in ShardEndedInput) error

	// ShutdownRequested is called before the daemon stops or hands the lease over. It is
	// the last opportunity to checkpoint. Amazon's MultiLangDaemon calls it before it
	// stops only if the property shutdownGraceMillis is set.
	ShutdownRequested(ctx context.Context, in ShutdownRequestedInput) error
}

// InitializeInput is the input of Initialize.
type InitializeInput struct {
	// Lease is the lease that begins.
	Lease *Lease
	// Position is the last checkpoint. For a shard without a checkpoint it is where
	// reading starts: its SequenceNumber is protocol.TrimHorizon, Latest or AtTimestamp.
	// It is the zero Position when the daemon did not say.
	Position Position
}

// ProcessRecordsInput is the input of ProcessRecords: one batch.
type ProcessRecordsInput struct {
	// Lease is the shard's lease.
	Lease *Lease
	// Records are in the order of the shard, by ascending Position. The slice is empty
	// when the shard has nothing new and the property
	// callProcessRecordsEvenForEmptyRecordList is true.
	Records []Record
	// MillisBehindLatest is how far this batch is behind the tip of the shard, in
	// milliseconds, or UnknownLag when the daemon does not say.
	MillisBehindLatest int64
	// Checkpointer is the lease's checkpointer.
	Checkpointer *Checkpointer
}

// LeaseLostInput is the input of LeaseLost.
type LeaseLostInput struct {
	// Lease is the lease that was lost; its context has been cancelled.
	Lease *Lease
}

// ShardEndedInput is the input of ShardEnded.
type ShardEndedInput struct {
	// Lease is the shard's lease.
	Lease *Lease
	// Checkpointer is the lease's checkpointer. ShardEnded must call its Checkpoint.
	Checkpointer *Checkpointer
}

// ShutdownRequestedInput is the input of ShutdownRequested.
type ShutdownRequestedInput struct {
	// Lease is the shard's lease.
	Lease *Lease
	// Checkpointer is the lease's checkpointer.
	Checkpointer *Checkpointer
}

// AsyncProcessor is a RecordProcessor whose work may go on after its methods have
// returned. A host that makes a new processor for the same shard, such as package
// worker, waits for Done first, so that no two processors work on a shard at the same
// time. Only hosts need it; the processors of package handle are of this kind.
type AsyncProcessor interface {
	RecordProcessor
	// Done is closed when, after Run has returned, nothing of the processor is at work
	// any more.
	Done() <-chan struct{}
}
