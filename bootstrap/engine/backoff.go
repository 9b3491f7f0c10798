package engine

import (
	"math/rand/v2"
	"time"
)

const (
	minRetryDelay = time.Second
	maxRetryDelay = time.Minute
	// What has worked for so long before it failed is no sign that the next fails
	// too.
	worksWell = time.Minute
)

// A Backoff says when a shard that has failed is to be read again. The zero value
// is that of a shard that has not failed yet.
type Backoff struct{ longest time.Duration }

// Next returns the wait before [Engine.Read] after a processor that worked for so
// long before it failed: first none, then 1 s, 2 s and so on up to a minute. A
// random part of up to half is taken off, so that shards that fail together do not
// start together, but not when all have waited for long.
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
