package worker

import (
	"errors"
	"fmt"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
)

// ErrHung is the error of a Run that has given up because a processor does not
// return, long after its lease has ended: another must not be started on its
// shard, and nobody can end it but the end of the process.
var ErrHung = errors.New("a processor does not return")

// ErrNoShim is the error of a Run in a program whose main does not begin with
// [Shim], and that names no other command in Config.Shim.
var ErrNoShim = errors.New("main must begin with worker.Shim(), so that the daemon can start this program for its shards; or set Config.Shim")

// ErrRunning is the error of a second Run of a [Worker].
var ErrRunning = errors.New("this worker has run already: make another")

// A ShardError is a processor that failed: Run's error when the daemon was not
// to be restarted for it, or not any more.
type ShardError struct {
	// ShardID is that of its shard.
	ShardID string
	// Failures counts the processors of the shard that failed within the last
	// hour, 1 or more.
	Failures int
	// Err is the error of processor.Run, a *processor.PanicError perhaps.
	Err error
}

// Error returns one line.
func (e *ShardError) Error() string {
	if e.Failures > 1 {
		return fmt.Sprintf("%s has failed %d times: %v", e.ShardID, e.Failures, e.Err)
	}
	return fmt.Sprintf("%s has failed: %v", e.ShardID, e.Err)
}

// Unwrap returns Err.
func (e *ShardError) Unwrap() error { return e.Err }

// restartable is an error after which the daemon may be started again though it
// did not end by itself: bootstrap.RestartPolicy looks for the ExitError in it.
type restartable struct {
	error
	exit *bootstrap.ExitError
}

func (r restartable) Unwrap() []error { return []error{r.error, r.exit} }
