package processor

import (
	"errors"
	"fmt"
)

// What became of a checkpoint that was not made. [Checkpointer]'s methods
// return a [*CheckpointError] that is one of these by errors.Is.
var (
	// ErrThrottled: DynamoDB refused the write for its rate, and did so at
	// every retry. The lease is still held; a later checkpoint may pass.
	ErrThrottled = errors.New("the lease table throttles")
	// ErrShutdown: the lease has gone, this worker may checkpoint no more.
	// Stop, and return this error: it ends the lease without ending the daemon.
	ErrShutdown = errors.New("this worker no longer has the lease")
	// ErrInvalidState: the daemon cannot checkpoint in its present state, for
	// example because the lease table does not exist.
	ErrInvalidState = errors.New("the daemon cannot checkpoint now")
	// ErrDependency: something that the daemon depends on failed.
	ErrDependency = errors.New("a dependency of the daemon failed")
	// ErrOutOfRange: the position is before the last checkpoint or after the
	// last record delivered.
	ErrOutOfRange = errors.New("the position is not between the last checkpoint and the last record delivered")
)

// Why a lease's context was cancelled (context.Cause), besides [ErrShutdown]
// and the error that ended Run.
var (
	// ErrLeaseLost: another worker has the lease. It is an ErrShutdown too.
	ErrLeaseLost = fmt.Errorf("lease lost: %w", ErrShutdown)
	// ErrDaemonGone: the daemon closed the child's input. It is also what Run
	// returns, wrapped, when that happened while an action was in work.
	ErrDaemonGone = errors.New("the daemon closed the input")
)

// ErrNoEndCheckpoint is what Run returns, wrapped, when ShardEnded returned nil
// but had made no checkpoint at the latest record.
var ErrNoEndCheckpoint = errors.New("ShardEnded returned without a successful Checkpoint")

// CheckpointError is a checkpoint that was not made.
type CheckpointError struct {
	// ShardID is the lease's shard.
	ShardID string
	// Position is where the checkpoint was to be; the zero Position stands for
	// the end of the shard.
	Position Position
	// Exception is the simple name of the Java exception that the daemon met,
	// such as ThrottlingException; empty when the daemon was not asked.
	Exception string
	// Attempts counts the messages to the daemon, 0 when it was not asked.
	Attempts int
	// Err is one of the sentinels; nil for an exception that is not known.
	Err error
}

// Error returns one line: the position, the shard, the reason.
func (e *CheckpointError) Error() string {
	if e == nil {
		return "<nil>"
	}
	at := e.Position.String()
	if e.Position.IsZero() {
		at = "the end"
	}
	reason := "the daemon met an exception"
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

// Unwrap returns Err, nil for a nil e.
func (e *CheckpointError) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// noFailure reports whether err is nil, or a nil pointer to an error of this
// package: a method may keep a checkpoint's failure in a variable of that type,
// and return it when there was none.
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

// sentinel maps the simple name of a Java exception.
func sentinel(exception string) error {
	switch exception {
	case "ThrottlingException":
		return ErrThrottled
	case "ShutdownException":
		return ErrShutdown
	case "InvalidStateException":
		return ErrInvalidState
	case "KinesisClientLibDependencyException":
		return ErrDependency
	case "IllegalArgumentException":
		return ErrOutOfRange
	}
	return nil
}

// PanicError is a panic of a RecordProcessor's method. Run returns it wrapped.
type PanicError struct {
	// Value is what was given to panic.
	Value any
	// Stack is the panicking goroutine's, as runtime/debug.Stack has it.
	Stack []byte
}

// Error returns one line without the stack and, in case it holds record data,
// without the value unless that is a runtime error; [Main] prints the stack.
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
