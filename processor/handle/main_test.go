package handle

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"testing"
)

// TestMain fails if goroutines are left behind.
//
// Guarantee: When Processor.Done is closed, nothing of the Processor runs.
func TestMain(m *testing.M) {
	status := m.Run()
	if status == 0 {
		status = leaked()
	}
	os.Exit(status)
}

// leaked returns 1 if goroutines of this package outlive the tests. A goroutine
// that is about to end must be scheduled first, hence the rounds.
func leaked() int {
	var stacks []byte
	for range 10000 {
		if stacks = allStacks(); !bytes.Contains(stacks, []byte("handle.(*leaseLoop)")) {
			return 0
		}
		runtime.Gosched()
	}
	fmt.Fprintf(os.Stderr, "goroutines are left behind:\n%s", stacks)
	return 1
}
