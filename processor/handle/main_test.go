package handle

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"testing"
)

func TestMain(m *testing.M) {
	status := m.Run()
	if status == 0 {
		status = leaked()
	}
	os.Exit(status)
}

// leaked reports goroutines of this package that outlive the tests. One that is
// about to end needs to be scheduled for it, hence the rounds.
func leaked() int {
	var stacks []byte
	for range 10000 {
		if stacks = goroutines(); !bytes.Contains(stacks, []byte("handle.(*owner)")) {
			return 0
		}
		runtime.Gosched()
	}
	fmt.Fprintf(os.Stderr, "goroutines are left behind:\n%s", stacks)
	return 1
}
