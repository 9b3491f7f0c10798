package processor

import (
	"context"
)

// Lease is a shard's lease while this process holds it: from Initialize until
// LeaseLost, the end of the input or the end of Run. Its methods may be called
// from any goroutine.
type Lease struct {
	shardID  string
	ctx      context.Context
	cancel   context.CancelCauseFunc
	stopping <-chan struct{}
	failures chan<- error
	ended    <-chan struct{}
}

// ShardID returns the shard's ID, such as shardId-000000000000.
func (l *Lease) ShardID() string { return l.shardID }

// Context is cancelled, with a cause (context.Cause), when the lease is lost
// ([ErrLeaseLost]), when a method returned [ErrShutdown], when the daemon
// closed the input ([ErrDaemonGone]) and when Run ends with an error (that
// error). Work that outlives a batch should run under it.
func (l *Lease) Context() context.Context { return l.ctx }

// Stopping is closed at the early notice of a stop: [Main] closes it at the
// first SIGTERM, SIGINT or SIGHUP, which a supervisor sends to daemon and child
// alike. The daemon's own ShutdownRequested follows, but only once the action
// in work is answered: take the notice as a reason to be quick. Never closed
// under Run without [WithStopNotice].
func (l *Lease) Stopping() <-chan struct{} { return l.stopping }

// Fail ends Run with err: what a goroutine that outlives a batch calls when it
// cannot go on. The first call counts; the lease's context is cancelled with
// err as the cause. An err that is [ErrShutdown] says that the lease has gone
// and ends the lease, not Run. Fail(nil) does nothing, nor does Fail with a nil
// [*CheckpointError] or [*PanicError], nor any Fail once the lease has gone. It
// never blocks.
func (l *Lease) Fail(err error) {
	if noFailure(err) {
		return
	}
	select {
	case l.failures <- err:
	case <-l.ended:
	default: // an earlier one waits to be looked at
	}
}
