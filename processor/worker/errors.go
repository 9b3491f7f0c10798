package worker

import "errors"

// ErrHung is the error of Run if a processor has not returned long after its
// conversation with KCL has ended. No other processor may be started on its shard, and
// only the end of the process ends it.
var ErrHung = errors.New("a processor does not return")

// ErrRunning is the error of a second Run of a [Worker].
var ErrRunning = errors.New("worker: this worker has already run: make another")
