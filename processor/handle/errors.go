package handle

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Why a handler's context was cancelled (context.Cause), besides the causes of
// [processor.Lease.Context].
var (
	// ErrTimeout: the attempt took longer than WithRecordTimeout or
	// WithBatchTimeout allow.
	ErrTimeout = errors.New("the attempt took too long")
	// ErrStopping: the process stops, or the lease is handed over, and most of
	// WithStopGrace has passed.
	ErrStopping = errors.New("the work on this shard is stopped")
)

// ErrStopIgnored is what ProcessRecords returns, wrapped, and so what ends the
// child, when a batch comes more than a minute after the notice of a stop
// ([processor.Lease.Stopping]): whoever sent the signal sent it to the child
// alone. Send it to kcl-bootstrap.
var ErrStopIgnored = errors.New("a stop was announced, and the daemon goes on sending records; stop the daemon, not its child")

// Permanent marks an error that no retry can mend: a record that fails with it
// goes to the dead-letter sink at once. It works through wrapping; Permanent(nil)
// is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanentError{err}
}

type permanentError struct{ error }

func (e permanentError) Unwrap() error { return e.error }

func isPermanent(err error) bool {
	var p permanentError
	return errors.As(err, &p)
}

// Failures is the error of a [Batch] handler that knows which records failed,
// by their index in its slice: those named have failed, each with its own
// error, and the others are finished. A handler that needs the order of a key
// kept over failures stops at a record that failed and names those after it
// too. An empty Failures, or one with an index that is not in the batch, is an
// error like any other.
type Failures map[int]error

// Error names the first record that failed.
func (f Failures) Error() string {
	if len(f) == 0 {
		return "no record is named as failed"
	}
	first := slices.Min(slices.Collect(maps.Keys(f)))
	return fmt.Sprintf("%d records of the batch failed, the first at index %d: %v", len(f), first, f[first])
}

// Unwrap returns the errors in the order of the records.
func (f Failures) Unwrap() []error {
	var errs []error
	for _, i := range slices.Sorted(maps.Keys(f)) {
		errs = append(errs, f[i])
	}
	return errs
}

// errNoReason stands for the nil error of a record named in Failures.
var errNoReason = errors.New("the handler named the record as failed and gave no error")

// named returns err's Failures when they name records of a batch of n.
func named(err error, n int) Failures {
	var f Failures
	if !errors.As(err, &f) {
		return nil
	}
	for i := range f {
		if i < 0 || i >= n {
			return nil
		}
	}
	return f // nil or empty: none named
}
