package engine

import (
	"testing"
	"time"
)

// Guarantee: A shard that fails repeatedly is tried again at growing intervals, up to a
// minute.
func TestBackoff(t *testing.T) {
	var b Backoff
	for i, most := range []time.Duration{0, 1, 2, 4, 8, 16, 32, 60, 60} {
		most *= time.Second
		least := most / 2
		if most == maxRetryDelay {
			least = most
		}
		if wait := b.Next(worksWell); wait < least || wait > most {
			t.Errorf("the wait of restart %d is %v, want %v at most", i, wait, most)
		}
	}
	if wait := b.Next(worksWell + 1); wait != 0 {
		t.Errorf("after a while of good work it is %v", wait)
	}
	if wait := b.Next(0); wait < time.Second/2 || wait > time.Second {
		t.Errorf("and then %v", wait)
	}
}
