package handle

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/seed96110120/kinesis-client-go/processor"
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
// too.
//
// A record whose error is nil is not named. A Failures that names none is no
// failure: the handler may make one, fill it in a loop and return it. Both hold
// wherever a handler or a sink returns an error, and so for a nil pointer to one
// of package processor's errors.
//
// Failures count through wrapping, and together where several are joined. With
// another error beside them, or an index that is not in the batch, nobody knows
// which records are finished: that is an error like any other, of them all.
type Failures map[int]error

// Error names the first record that failed.
func (f Failures) Error() string {
	failed := f.failed()
	if len(failed) == 0 {
		return "no record is named as failed"
	}
	return fmt.Sprintf("%d records of the batch failed, the first at index %d: %v", len(failed), failed[0], f[failed[0]])
}

// Unwrap returns the errors in the order of the records.
func (f Failures) Unwrap() []error {
	var errs []error
	for _, i := range f.failed() {
		errs = append(errs, f[i])
	}
	return errs
}

// failed lists the records that are named.
func (f Failures) failed() []int {
	named := Failures{}
	named.add(f)
	return slices.Sorted(maps.Keys(named))
}

// add takes over what err says of single records, and reports whether it says
// anything else.
func (f Failures) add(err error) (more bool) {
	switch e := err.(type) {
	case nil:
		return false
	case *processor.CheckpointError:
		return e != nil
	case *processor.PanicError:
		return e != nil
	case Failures:
		for i, failure := range e {
			inner := Failures{}
			if inner.add(failure) || len(inner) > 0 {
				f.name(i, failure)
			}
		}
		return false
	case interface{ Unwrap() error }:
		wrapped := e.Unwrap()
		return wrapped == nil || f.add(wrapped)
	case interface{ Unwrap() []error }:
		wrapped := slices.DeleteFunc(slices.Clone(e.Unwrap()), func(err error) bool { return err == nil })
		more = len(wrapped) == 0
		for _, err := range wrapped {
			more = f.add(err) || more
		}
		return more
	}
	return true
}

func (f Failures) name(i int, err error) {
	if f[i] != nil {
		err = errors.Join(f[i], err)
	}
	f[i] = err
}

// read tells what the error of a call with n records means: nil if there is no
// failure in it, and with an error the records that it names, if it does.
func read(err error, n int) (Failures, error) {
	if err == nil {
		return nil, nil
	}
	named := Failures{}
	if named.add(err) {
		return nil, err
	}
	for i := range named {
		if i < 0 || i >= n {
			return nil, err
		}
	}
	if len(named) == 0 {
		return nil, nil
	}
	return named, err
}
