package main

import (
	"math"
	"os"
	"testing"
)

func TestProcess(t *testing.T) {
	before := cpuMillis(os.Getpid())
	for x := 1; cpuMillis(os.Getpid()) < before+20; { // until it is seen
		for range 1_000_000 {
			x = x*31 + 1
		}
		sum = x
	}
	// The kernel's counts are not exact to the page: no comparison of the two.
	most, now := peak(os.Getpid()), pss(os.Getpid())
	if !(now > 0.5 && now < 10_000 && most > 0.5 && most < 10_000) || math.IsNaN(before) {
		t.Errorf("%v ms of CPU, %v MB now, %v MB at most", before, now, most)
	}
	if gone := 1 << 30; !math.IsNaN(cpuMillis(gone)) || !math.IsNaN(peak(gone)) || !math.IsNaN(pss(gone)) {
		t.Error("figures of a process that is not there")
	}
}

var sum int // keeps the loop
