package processor

import "context"

// Checkpointer writes a lease's checkpoint by way of the daemon. Its methods
// may be called from any goroutine for as long as the lease is held.
//
// The daemon takes checkpoints only while an action (ProcessRecords,
// ShutdownRequested, ShardEnded) is in work. A call between two actions waits
// for the next one; on a shard that is idle that can be long, unless
// callProcessRecordsEvenForEmptyRecordList is set.
//
// Throttling is retried with exponential backoff and jitter; see
// [WithCheckpointRetries].
type Checkpointer struct {
	shardID  string
	requests chan<- *checkpointRequest
	ended    <-chan struct{}
}

type checkpointRequest struct {
	ctx      context.Context
	latest   bool
	position Position
	attempts int
	answer   chan error // buffered, 1
}

// Checkpoint checkpoints at the last record that was delivered before the call:
// everything delivered must be finished. With nothing delivered yet it does
// nothing. In ShardEnded it checkpoints the end of the shard.
//
// The error is a [*CheckpointError], or ctx's when ctx ends first; what was
// sent before then may still take effect.
func (c *Checkpointer) Checkpoint(ctx context.Context) error {
	return c.ask(&checkpointRequest{ctx: ctx, latest: true})
}

// CheckpointAt checkpoints at p: everything at and before p, as
// [Position.Compare] orders it, must be finished. A position before the last
// checkpoint or after the last record delivered is [ErrOutOfRange].
//
// Errors are as for Checkpoint.
func (c *Checkpointer) CheckpointAt(ctx context.Context, p Position) error {
	if !p.IsRecord() {
		return &CheckpointError{ShardID: c.shardID, Position: p, Err: ErrOutOfRange}
	}
	return c.ask(&checkpointRequest{ctx: ctx, position: p})
}

func (c *Checkpointer) ask(r *checkpointRequest) error {
	r.answer = make(chan error, 1)
	select {
	case c.requests <- r:
	case <-c.ended:
		return c.gone(r)
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	}
	select {
	case err := <-r.answer:
		return err
	case <-c.ended:
		select { // an answer that came just before the end counts
		case err := <-r.answer:
			return err
		default:
			return c.gone(r)
		}
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	}
}

func (c *Checkpointer) gone(r *checkpointRequest) error {
	return &CheckpointError{ShardID: c.shardID, Position: r.position, Err: ErrShutdown}
}
