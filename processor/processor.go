package processor

import (
	"context"

	"github.com/seed96110120/kinesis-client-go/protocol"
)

// Record is one user record of a shard, de-aggregated by the daemon; see
// [protocol.Record]. A record may be kept: no memory is used again. It keeps its
// batch's memory with it; keep its Clone to keep few records of many.
type Record = protocol.Record

// Position is a place in a shard: a sequence number and a sub-sequence number,
// compared as numbers; see [protocol.Position].
type Position = protocol.Position

// UnknownLag is the MillisBehindLatest of a batch whose lag is not known.
const UnknownLag = protocol.UnknownLag

// RecordProcessor handles the records of one shard for as long as this worker
// holds the shard's lease. Its methods are called one at a time, in this order:
// Initialize once, ProcessRecords any number of times, ShutdownRequested at
// most once, then LeaseLost or ShardEnded, or neither when the daemon just goes
// away.
//
// What a method returns decides what happens next:
//
//   - nil, or a nil [*CheckpointError] or [*PanicError]: the daemon is told that
//     the action is done, and goes on.
//   - an error that is [ErrShutdown] (errors.Is): the lease has gone, which is
//     an ordinary event. The daemon is told that the action is done, no more
//     records and no more checkpoints are let through, LeaseLost may follow.
//   - any other error, or a panic: the daemon is told nothing, so that it does
//     not go past records that were not processed, and [Run] returns the error.
//     A program that [Main] runs ends with status 1, and the daemon with all its
//     shards; a supervisor starts it again at the last checkpoints. Package
//     worker starts that one shard again.
//
// Except for LeaseLost, the context of every method is the lease's own:
// [Lease.Context].
type RecordProcessor interface {
	// Initialize is called before anything else.
	Initialize(ctx context.Context, in InitializeInput) error

	// ProcessRecords handles one batch. Nothing is checkpointed unless it (or
	// something it started) calls the Checkpointer, and after a restart the
	// records behind the last checkpoint come again: handle them at least once.
	ProcessRecords(ctx context.Context, in ProcessRecordsInput) error

	// LeaseLost is called when another worker has the lease. Nothing can be
	// checkpointed any more. Its context is not the lease's, which has been
	// cancelled, but one that ends with Run.
	LeaseLost(ctx context.Context, in LeaseLostInput) error

	// ShardEnded is called when every record of a closed shard was delivered.
	// It must call Checkpointer.Checkpoint before it returns nil, or the
	// shard's children would never be read: returning nil without one is
	// [ErrNoEndCheckpoint].
	ShardEnded(ctx context.Context, in ShardEndedInput) error

	// ShutdownRequested is called before the daemon stops or hands the lease
	// over: the last opportunity to checkpoint. Amazon's MultiLangDaemon sends it
	// at a stop only where the property shutdownGraceMillis is set.
	ShutdownRequested(ctx context.Context, in ShutdownRequestedInput) error
}

// InitializeInput says which shard this is.
type InitializeInput struct {
	// Lease is the lease that has begun.
	Lease *Lease
	// Position is the last checkpoint, or where the shard starts without one:
	// a SequenceNumber of protocol.TrimHorizon, Latest or AtTimestamp. It is
	// the zero Position when the daemon did not say.
	Position Position
}

// ProcessRecordsInput is one batch.
type ProcessRecordsInput struct {
	// Lease is the shard's lease.
	Lease *Lease
	// Records are in the shard's order: by Position, ascending. There are none
	// when the shard has nothing new and the daemon is set to say so
	// (callProcessRecordsEvenForEmptyRecordList).
	Records []Record
	// MillisBehindLatest says how far, in milliseconds, this batch is behind
	// the tip of the shard; UnknownLag when the daemon does not know.
	MillisBehindLatest int64
	// Checkpointer is the lease's checkpointer.
	Checkpointer *Checkpointer
}

// LeaseLostInput comes with a lease that another worker has.
type LeaseLostInput struct {
	// Lease is the lease that was lost; its context has been cancelled.
	Lease *Lease
}

// ShardEndedInput comes at the end of a shard.
type ShardEndedInput struct {
	// Lease is the shard's lease.
	Lease *Lease
	// Checkpointer must be used, at the latest record, before ShardEnded
	// returns.
	Checkpointer *Checkpointer
}

// ShutdownRequestedInput comes before a stop or a hand-over.
type ShutdownRequestedInput struct {
	// Lease is the shard's lease.
	Lease *Lease
	// Checkpointer is the lease's checkpointer.
	Checkpointer *Checkpointer
}
