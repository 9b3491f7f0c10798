package handle

import (
	"fmt"
	"runtime"
	"time"
)

// checkProgress reports a job that has made no progress for HangTimeout.
func (l *leaseLoop) checkProgress(j *job, now time.Time) {
	if j.dumped.Load() || now.Before(l.nextCheck(j)) {
		return
	}
	j.checked = now
	if p := j.progress.Load(); p != j.seen || p == int64(len(j.items)) {
		j.seen, j.seenSince = p, now
		return
	}
	elapsed := now.Sub(j.seenSince)
	if elapsed < l.HangTimeout {
		return
	}
	j.dumped.Store(true)
	position := j.items[j.seen].record().Position()
	l.Logger.Error("a call hangs; the stacks of all goroutines are on standard error", "position", position, "elapsed", elapsed)
	fmt.Fprintf(l.stderr, "handle: %s: the call at %v has not returned for %v; all goroutines:\n%s\n", l.shard.Key, position, elapsed, allStacks())
	if f := l.Observer.Hung; f != nil {
		f(Hung{Shard: l.shard, Position: position, Elapsed: elapsed})
	}
	if l.HangAction == EndProcessor {
		l.fail(fmt.Errorf("handle: %s: the call at %v has not returned for %v; ending the processor (Options.HangAction)", l.shard.Key, position, elapsed))
	}
}

func (l *leaseLoop) nextCheck(j *job) time.Time {
	return j.checked.Add(l.HangTimeout / 4)
}

func allStacks() []byte {
	for size := 64 << 10; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size || size >= 64<<20 {
			return buf[:n]
		}
	}
}
