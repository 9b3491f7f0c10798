package measure

import (
	"math"
	"os"
	"testing"
)

func TestProcess(t *testing.T) {
	before := CPUMillis(os.Getpid())
	for x := 1; CPUMillis(os.Getpid()) < before+20; { // until it is seen
		for range 1_000_000 {
			x = x*31 + 1
		}
		sum = x
	}
	// The kernel's counts are not exact to the page: no comparison of the two.
	peak, now := Memory(os.Getpid(), "VmHWM"), Memory(os.Getpid(), "VmRSS")
	if !(now > 0.5 && now < 10_000 && peak > 0.5 && peak < 10_000) || math.IsNaN(before) {
		t.Errorf("%v ms of CPU, %v MB now, %v MB at most", before, now, peak)
	}
	if gone := 1 << 30; !math.IsNaN(CPUMillis(gone)) || !math.IsNaN(Memory(gone, "VmRSS")) {
		t.Error("figures of a process that is not there")
	}
}

var sum int // keeps the loop
