package processor

import (
	"errors"
	"fmt"
)

// ErrLeaseLost means that this worker no longer has the lease, which is an ordinary
// event: another worker has it, or is about to get it.
//
//   - A checkpoint that fails with it can never be made. Stop the work and return the
//     error: it ends the lease, not the daemon.
//   - As the cause of the lease's context (context.Cause) it says that LeaseLost was
//     called, or that a method or [Lease.Fail] returned it.
var ErrLeaseLost = errors.New("this worker no longer has the lease")

// The reasons besides [ErrLeaseLost] why a checkpoint was not made. [Checkpointer]'s
// methods return a [*CheckpointError], which is one of these or ErrLeaseLost (errors.Is)
// unless the daemon's exception is unknown.
var (
	// ErrThrottled means that DynamoDB limited the rate of writes at every retry. The
	// lease is still held; a later checkpoint may succeed.
	ErrThrottled = errors.New("the lease table throttles")
	// ErrInvalidState means that the daemon cannot checkpoint in its present state, for
	// example because the lease table does not exist.
	ErrInvalidState = errors.New("the daemon cannot checkpoint now")
	// ErrDependency means that something that the daemon depends on has failed.
	ErrDependency = errors.New("a dependency of the daemon failed")
	// ErrOutOfRange means that the position is before the last checkpoint or after the
	// last record delivered.
	ErrOutOfRange = errors.New("the position is not between the last checkpoint and the last record delivered")
)

// ErrDaemonGone means that the daemon closed the child's input. It is the cause of the
// lease's context (context.Cause) and, when a method was running, what Run returns,
// wrapped.
var ErrDaemonGone = errors.New("the daemon closed the input")

// ErrNoEndCheckpoint is what Run returns, wrapped, when ShardEnded returned nil
// without a successful Checkpointer.Checkpoint.
var ErrNoEndCheckpoint = errors.New("ShardEnded returned without a successful Checkpoint")

// CheckpointError reports a checkpoint that was not made.
type CheckpointError struct {
	// ShardID is the lease's shard.
	ShardID string
	// Position is the position of the checkpoint; the zero Position means the end of
	// the shard.
	Position Position
	// Exception is the simple name of the daemon's Java exception, such as
	// ThrottlingException. It is empty when the daemon was not asked.
	Exception string
	// Attempts is the number of requests to the daemon; 0 when it was not asked.
	Attempts int
	// Err is ErrLeaseLost or one of the other reasons; nil for an unknown exception.
	Err error
}

// Error returns one line with the shard, the position and the reason.
func (e *CheckpointError) Error() string {
	if e == nil {
		return "<nil>"
	}
	at := e.Position.String()
	if e.Position.IsZero() {
		at = "the end"
	}
	reason := "the daemon failed with an exception"
	if e.Err != nil {
		reason = e.Err.Error()
	}
	s := fmt.Sprintf("processor: cannot checkpoint %s at %s: %s", e.ShardID, at, reason)
	if e.Exception != "" {
		s += " (" + e.Exception + ")"
	}
	if e.Attempts > 1 {
		s += fmt.Sprintf(" after %d attempts", e.Attempts)
	}
	return s
}

// Unwrap returns Err, or nil when e is nil.
func (e *CheckpointError) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// noFailure reports whether err is nil or a nil pointer to an error type of this
// package: a method may declare a variable of such a type for the failure of its
// checkpoint, and return it when there was none.
func noFailure(err error) bool {
	switch e := err.(type) {
	case nil:
		return true
	case *CheckpointError:
		return e == nil
	case *PanicError:
		return e == nil
	}
	return false
}

// sentinel returns the sentinel for the simple name of a Java exception, or nil.
func sentinel(exception string) error {
	switch exception {
	case "ThrottlingException":
		return ErrThrottled
	case "ShutdownException":
		return ErrLeaseLost
	case "InvalidStateException":
		return ErrInvalidState
	case "KinesisClientLibDependencyException":
		return ErrDependency
	case "IllegalArgumentException":
		return ErrOutOfRange
	}
	return nil
}

// PanicError reports a panic in a method of a RecordProcessor. Run returns it wrapped.
type PanicError struct {
	// Value is the argument of panic.
	Value any
	// Stack is the stack of the goroutine that panicked, as runtime/debug.Stack
	// formats it.
	Stack []byte
}

// Error returns one line without the stack. It has the value only if that is a runtime
// error, because another value may hold record data. [Main] prints both.
func (e *PanicError) Error() string {
	if e == nil {
		return "<nil>"
	}
	if err, ok := e.Value.(interface {
		error
		RuntimeError()
	}); ok {
		return "panic: " + err.Error()
	}
	return fmt.Sprintf("panic with a value of type %T", e.Value)
}
