package worker

import "errors"

// ErrHung is the error of a Run that has stopped while a processor has not
// returned, long after its conversation with KCL has ended: another must not be
// started on its shard, and nobody can end it but the end of the process.
var ErrHung = errors.New("a processor does not return")

// ErrRunning is the error of a second Run of a [Worker].
var ErrRunning = errors.New("this worker has run already: make another")
