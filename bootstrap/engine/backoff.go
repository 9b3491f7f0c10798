package engine

import (
	"math/rand/v2"
	"time"
)

const (
	minRetryDelay = time.Second
	maxRetryDelay = time.Minute
	// After a processor that worked longer than this before it failed, the next one
	// is not expected to fail too.
	worksWell = time.Minute
)

// A Backoff computes when to resume a shard whose processor has failed. The zero
// value is for a shard that has not failed yet. A Backoff is not safe for concurrent
// use.
type Backoff struct{ longest time.Duration }

// Next returns how long to wait before [Engine.Resume], after a processor that
// worked for this long before it failed: first 0, then 1 s, then twice as long each
// time, up to one minute. Waits of less than a minute are shortened at random by up
// to half, so that shards that failed together do not start together. After a
// processor that worked for more than a minute the waits begin at 0 again.
func (b *Backoff) Next(worked time.Duration) time.Duration {
	if worked > worksWell {
		b.longest = 0
	}
	wait := b.longest
	b.longest = min(max(2*wait, minRetryDelay), maxRetryDelay)
	if wait < maxRetryDelay {
		wait -= rand.N(wait/2 + 1)
	}
	return wait
}
