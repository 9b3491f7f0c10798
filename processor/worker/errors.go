package worker

import "errors"

// ErrHung is returned by Run if a processor has not returned 5 s after Java has ended.
// Its goroutine still runs: end the process.
var ErrHung = errors.New("a processor does not return")

// ErrRunning is returned by a second Run of a [Worker], also after the first has ended.
var ErrRunning = errors.New("worker: this worker has already run: make another")
