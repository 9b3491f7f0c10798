package handle

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// The causes of a handler's cancelled context ([context.Cause]), in addition to
// those of [processor.Lease.Context].
var (
	// ErrTimeout: the attempt took longer than Options.RecordTimeout or
	// Options.BatchTimeout.
	ErrTimeout = errors.New("the attempt took too long")
	// ErrStopping: the process stops, or the lease is handed off, and three
	// quarters of Options.StopGrace have passed.
	ErrStopping = errors.New("work on this shard is stopping")
)

// ErrStopIgnored ends the processor when a batch arrives more than a minute after
// the notice of a stop ([processor.Lease.Stopping]): the signal was sent to this
// process alone. Send it to kcl-bootstrap instead. (Package worker always stops
// the daemon too.) ProcessRecords returns it, wrapped.
var ErrStopIgnored = errors.New("the daemon continues to send records; stop the daemon instead of its processor")

// Permanent marks an error that a retry cannot fix: a record that fails with it is
// past its limits at once. The error may be wrapped further. Permanent(nil) is nil.
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

// Failures is an error of a [Batch] handler that names the records that failed, by
// their index in its slice. The named records have failed, each with its own
// error; the others are finished. A handler that must keep the order of a key
// despite failures stops at a failed record and names the following records of
// the key too.
//
// A record with a nil error is not named. A Failures that names no record is no
// failure, so a handler may make one, fill it in a loop and return it. A nil
// pointer of package processor, such as (*processor.CheckpointError)(nil), is no
// failure either. Both hold for the errors of handlers and of sinks.
//
// Failures may be wrapped, and several may be joined. If another error is joined
// to them, or an index is not in the slice, it is unknown which records are
// finished; then all records of the call have failed.
type Failures map[int]error

// Error returns the number of failed records and the error of the first.
func (f Failures) Error() string {
	failed := f.indexes()
	if len(failed) == 0 {
		return "no record is named as failed"
	}
	return fmt.Sprintf("%d records failed, the first at index %d: %v", len(failed), failed[0], f[failed[0]])
}

// Unwrap returns the errors of the failed records, in the order of the records.
func (f Failures) Unwrap() []error {
	var errs []error
	for _, i := range f.indexes() {
		errs = append(errs, f[i])
	}
	return errs
}

// indexes returns the indexes of the named records, in order.
func (f Failures) indexes() []int {
	named := Failures{}
	named.add(f)
	return slices.Sorted(maps.Keys(named))
}

// add adds the records that err names, and reports whether err says anything else.
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
				f.set(i, failure)
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

func (f Failures) set(i int, err error) {
	if f[i] != nil {
		err = errors.Join(f[i], err)
	}
	f[i] = err
}

// splitFailures returns nil if the error of a call with n records is no failure;
// otherwise err and, if it names records, those.
func splitFailures(err error, n int) (Failures, error) {
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
