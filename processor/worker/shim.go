package worker

import (
	"os"
	"sync/atomic"

	"github.com/seed96110120/kinesis-client-go/processor/worker/internal/handover"
)

// shimmed tells Run that this program can be its own shim.
var shimmed atomic.Bool

// Shim must be the first line of main (of TestMain in a test binary that calls
// [Run]): the daemon starts this program for each shard, and in such a process
// Shim does not return. In any other it does nothing.
//
// It hands the process's standard input and output to the worker, outlives
// signals, and ends with the status that the worker gives it, or with 1 when
// the worker has died, and ends the daemon then.
func Shim() {
	if len(os.Args) == 2 && os.Args[1] == handover.Argument {
		os.Exit(handover.Main())
	}
	shimmed.Store(true)
}
