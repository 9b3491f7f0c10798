package processor

import "context"

// Checkpointer makes the checkpoints of a lease: it asks the daemon to write them. Its
// methods may be called from any goroutine; concurrent checkpoints are made one after the
// other. Without the lease, and after Run, they return [ErrLeaseLost] at once.
//
// The daemon takes checkpoints only during ProcessRecords, ShutdownRequested and
// ShardEnded. A call between two of them waits for the next one. On an idle shard that
// can take long, unless the property callProcessRecordsEvenForEmptyRecordList is true.
//
// A throttled checkpoint is retried with exponential backoff and jitter; see
// [Options.CheckpointRetries].
type Checkpointer struct {
	shardID string
	run     *runner
}

// Checkpoint checkpoints at the last record that was delivered before the call. The work
// on every delivered record must be finished. When no record was delivered yet,
// Checkpoint does nothing and returns nil. In ShardEnded it checkpoints the end of the
// shard.
//
// The error is a [*CheckpointError]. If ctx ends first, it is context.Cause(ctx), and the
// checkpoint may still be made. Under [Main], a call with the lease's context may return
// only when the daemon has answered or closed the input, although ctx has ended.
func (c *Checkpointer) Checkpoint(ctx context.Context) error {
	return c.run.ask(&checkpointRequest{ctx: ctx, latest: true}, c.shardID)
}

// CheckpointAt checkpoints at p. The work on every record at p and before it, in the
// order of [Position.Compare], must be finished. A position before the last checkpoint
// or after the last delivered record fails with [ErrOutOfRange].
//
// Errors are as for Checkpoint.
func (c *Checkpointer) CheckpointAt(ctx context.Context, p Position) error {
	if !p.IsRecord() {
		return &CheckpointError{ShardID: c.shardID, Position: p, Err: ErrOutOfRange}
	}
	return c.run.ask(&checkpointRequest{ctx: ctx, position: p}, c.shardID)
}
