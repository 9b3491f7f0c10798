package handle

import (
	"container/heap"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// failed notes a record's failure and returns how long to wait for what comes
// next: the retry or, after no wait, the dead-letter sink.
func (o *owner) failed(it *item, err error) time.Duration {
	o.logPanic(it, err)
	now := time.Now()
	if it.trouble == nil {
		it.trouble = &trouble{since: now}
	}
	t := it.trouble
	t.failures++
	t.err = err
	t.reason = o.givenUp(it, now)
	switch {
	case t.reason == "":
		return o.backoff(t.failures)
	case o.sink != nil:
		t.bury = true
		return 0
	case o.endOnFailure:
		o.fail(fmt.Errorf("handle: %s: record %v failed (%d attempts, limit: %s): %w", o.shard.Key, it.record().Position(), t.failures, t.reason, err))
	}
	delay := jitter(o.longest)
	o.blocked(it, delay, err)
	return delay
}

// givenUp returns the limit that a record has met.
func (o *owner) givenUp(it *item, now time.Time) Reason {
	t, arrival := it.trouble, it.record().ApproximateArrivalTimestamp
	switch {
	case isPermanent(t.err):
		return ReasonPermanent
	case o.attempts > 0 && t.failures >= o.attempts:
		return ReasonAttempts
	case o.retryFor > 0 && now.Sub(t.since) >= o.retryFor:
		return ReasonElapsed
	case o.maxAge > 0 && !arrival.IsZero() && now.Sub(arrival) >= o.maxAge:
		return ReasonAge
	}
	return ""
}

// batchFailed decides about the records of a call that failed.
func (o *owner) batchFailed(j *job) {
	l, n := j.lane, len(j.items)
	switch {
	case len(j.failures) > 0:
		o.part(j)
		var longest time.Duration
		i := 0
		for k := range n {
			if err, ok := j.failures[k]; ok {
				longest = max(longest, o.failed(&l.items[i], err))
				i++
			}
		}
		o.await(l, longest, len(j.failures), j.err)
	case n == 1:
		o.await(l, o.failed(&l.items[0], j.err), 1, j.err)
	default:
		o.logPanic(&l.items[0], j.err)
		l.split(n)
		o.retrying(&l.items[0], n, 0, j.err)
		o.makeReady(l)
	}
}

// part finishes those records of a call that are not named as failed.
func (o *owner) part(j *job) {
	for i := range j.items {
		if _, ok := j.failures[i]; !ok {
			o.finish(&j.items[i])
		}
	}
	j.lane.keep(len(j.items), j.failures)
}

// backoff is the wait after the nth failure.
func (o *owner) backoff(n int) time.Duration {
	d := o.first
	for range n - 1 {
		if d >= o.longest/2 {
			d = o.longest
			break
		}
		d *= 2
	}
	return jitter(d)
}

func jitter(d time.Duration) time.Duration { return d - rand.N(d/2+1) }

// await has a lane wait before its next attempt.
func (o *owner) await(l *lane, delay time.Duration, records int, err error) {
	if delay == 0 {
		o.makeReady(l)
		return
	}
	if t := l.items[0].trouble; t.reason == "" {
		o.retrying(&l.items[0], records, delay, err)
	}
	l.state, l.wake = waiting, time.Now().Add(delay)
	heap.Push(&o.waiting, l)
}

func (o *owner) retrying(it *item, records int, delay time.Duration, err error) {
	position, attempts := it.record().Position(), it.attempt()-1
	o.log.Debug("failed, tried again", "position", position, "records", records, "attempts", attempts, "delay", delay, "error", err)
	if f := o.observer.Retry; f != nil {
		f(Retry{Shard: o.shard, Position: position, Records: records, Attempts: attempts, Delay: delay, Err: err})
	}
}

func (o *owner) blocked(it *item, delay time.Duration, err error) {
	position, t := it.record().Position(), it.trouble
	o.log.Error("blocked: a record is given up and nothing takes it; what is behind it waits", "position", position, "reason", t.reason, "attempts", t.failures, "delay", delay, "error", err)
	if f := o.observer.Blocked; f != nil {
		f(Retry{Shard: o.shard, Position: position, Records: 1, Attempts: t.failures, Delay: delay, Err: err})
	}
}

func (o *owner) logPanic(it *item, err error) {
	var p *processor.PanicError
	if errors.As(err, &p) && p != nil {
		o.log.Warn("the handler panicked", "position", it.record().Position(), "error", err, "stack", string(p.Stack))
	}
}

// buried takes note that the sink has a record.
func (o *owner) buried(it *item) {
	t, position := it.trouble, it.record().Position()
	o.log.Warn("dead letter", "position", position, "reason", t.reason, "attempts", t.failures, "error", t.err)
	if f := o.observer.DeadLettered; f != nil {
		f(DeadLettered{Shard: o.shard, Position: position, Reason: t.reason, Attempts: t.failures, Err: t.err})
	}
}

// notBuried has a record wait that the sink did not take.
func (o *owner) notBuried(l *lane, err error) {
	it := &l.items[0]
	it.trouble.sinkFailures++
	delay := o.backoff(it.trouble.sinkFailures)
	o.blocked(it, delay, fmt.Errorf("the dead-letter sink failed: %w", err))
	l.state, l.wake = waiting, time.Now().Add(delay)
	heap.Push(&o.waiting, l)
}
