package handle

import (
	"fmt"
	"runtime"
	"time"
)

// watch looks whether a job has come on.
func (o *owner) watch(j *job, now time.Time) {
	if j.dumped || now.Before(o.look(j)) {
		return
	}
	j.looked = now
	if p := j.progress.Load(); p != j.watched || p == int64(len(j.items)) {
		j.watched, j.since = p, now
		return
	}
	elapsed := now.Sub(j.since)
	if elapsed < o.watchdog {
		return
	}
	j.dumped = true
	position := j.items[j.watched].record().Position()
	o.log.Error("a call does not return: all goroutines are dumped to standard error", "position", position, "elapsed", elapsed)
	fmt.Fprintf(o.stderr, "handle: %s: the call at %v has not returned for %v; all goroutines:\n%s\n", o.shard.Key, position, elapsed, goroutines())
	if f := o.observer.Hung; f != nil {
		f(Hung{Shard: o.shard, Position: position, Elapsed: elapsed})
	}
	if o.then == EndChild {
		o.fail(fmt.Errorf("handle: %s: the call at %v has not returned for %v, and the watchdog is to end the child", o.shard.Key, position, elapsed))
	}
}

func (o *owner) look(j *job) time.Time {
	return j.looked.Add(o.watchdog / 4)
}

func goroutines() []byte {
	for size := 64 << 10; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size || size >= 64<<20 {
			return buf[:n]
		}
	}
}
