package handle

import (
	"container/heap"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// recordFailed notes a record's failure and returns the wait before its next step:
// a retry or, without a wait, the dead-letter sink.
func (l *leaseLoop) recordFailed(it *item, err error) time.Duration {
	l.logPanic(it, err)
	now := time.Now()
	if it.failed == nil {
		it.failed = &failureState{since: now}
	}
	f := it.failed
	f.attempts++
	f.err = err
	f.reason = l.limitMet(it, now)
	switch {
	case f.reason == "":
		return l.backoff(f.attempts)
	case l.DeadLetters != nil:
		f.deadLetter = true
		return 0
	case l.EndOnFailure:
		l.fail(fmt.Errorf("handle: %s: record %v failed (%d attempts, limit: %s): %w", l.shard.Key, it.record().Position(), f.attempts, f.reason, err))
	}
	delay := jitter(l.MaxBackoff)
	l.tellBlocked(it, delay, err)
	return delay
}

// limitMet returns the limit that a record has met, or an empty Reason.
func (l *leaseLoop) limitMet(it *item, now time.Time) Reason {
	f, arrival := it.failed, it.record().ApproximateArrivalTimestamp
	switch {
	case isPermanent(f.err):
		return ReasonPermanent
	case l.MaxAttempts > 0 && f.attempts >= l.MaxAttempts:
		return ReasonAttempts
	case l.MaxRetryTime > 0 && now.Sub(f.since) >= l.MaxRetryTime:
		return ReasonElapsed
	case l.MaxRecordAge > 0 && !arrival.IsZero() && now.Sub(arrival) >= l.MaxRecordAge:
		return ReasonAge
	}
	return ""
}

// batchFailed decides what follows a failed call of a batch handler.
func (l *leaseLoop) batchFailed(j *job) {
	q, n := j.queue, len(j.items)
	switch {
	case len(j.failures) > 0:
		l.finishUnnamed(j)
		var longest time.Duration
		i := 0
		for k := range n {
			if err, ok := j.failures[k]; ok {
				longest = max(longest, l.recordFailed(&q.items[i], err))
				i++
			}
		}
		l.retryAfter(q, longest, len(j.failures), j.err)
	case n == 1:
		l.retryAfter(q, l.recordFailed(&q.items[0], j.err), 1, j.err)
	default:
		l.logPanic(&q.items[0], j.err)
		q.split(n)
		l.tellRetry(&q.items[0], n, 0, j.err)
		l.makeReady(q)
	}
}

// finishUnnamed finishes the records of a call that are not named as failed.
func (l *leaseLoop) finishUnnamed(j *job) {
	for i := range j.items {
		if _, ok := j.failures[i]; !ok {
			l.finishItem(&j.items[i])
		}
	}
	j.queue.keep(len(j.items), j.failures)
}

// backoff returns the wait after the nth failure.
func (l *leaseLoop) backoff(n int) time.Duration {
	d := l.MinBackoff
	for range n - 1 {
		if d >= l.MaxBackoff/2 {
			d = l.MaxBackoff
			break
		}
		d *= 2
	}
	return jitter(d)
}

func jitter(d time.Duration) time.Duration { return d - rand.N(d/2+1) }

// retryAfter schedules the next step of a queue whose first records have failed.
func (l *leaseLoop) retryAfter(q *keyQueue, delay time.Duration, records int, err error) {
	if delay == 0 {
		l.makeReady(q)
		return
	}
	if f := q.items[0].failed; f.reason == "" {
		l.tellRetry(&q.items[0], records, delay, err)
	}
	l.sleep(q, delay)
}

func (l *leaseLoop) sleep(q *keyQueue, delay time.Duration) {
	q.state, q.wake = waiting, time.Now().Add(delay)
	heap.Push(&l.waiting, q)
}

func (l *leaseLoop) tellRetry(it *item, records int, delay time.Duration, err error) {
	position, attempts := it.record().Position(), it.attempt()-1
	l.Logger.Debug("failed; will retry", "position", position, "records", records, "attempts", attempts, "delay", delay, "error", err)
	if tell := l.Observer.Retry; tell != nil {
		tell(Retry{Shard: l.shard, Position: position, Records: records, Attempts: attempts, Delay: delay, Err: err})
	}
}

func (l *leaseLoop) tellBlocked(it *item, delay time.Duration, err error) {
	position, f := it.record().Position(), it.failed
	l.Logger.Error("blocked: a record is past its limits, but there is no dead letter; the records behind it wait", "position", position, "reason", f.reason, "attempts", f.attempts, "delay", delay, "error", err)
	if tell := l.Observer.Blocked; tell != nil {
		tell(Retry{Shard: l.shard, Position: position, Records: 1, Attempts: f.attempts, Delay: delay, Err: err})
	}
}

func (l *leaseLoop) logPanic(it *item, err error) {
	var p *processor.PanicError
	if errors.As(err, &p) && p != nil {
		l.Logger.Warn("handler panicked", "position", it.record().Position(), "error", err, "stack", string(p.Stack))
	}
}

// deadLettered tells that the sink has taken a record.
func (l *leaseLoop) deadLettered(it *item) {
	f, position := it.failed, it.record().Position()
	l.Logger.Warn("dead letter", "position", position, "reason", f.reason, "attempts", f.attempts, "error", f.err)
	if tell := l.Observer.DeadLettered; tell != nil {
		tell(DeadLettered{Shard: l.shard, Position: position, Reason: f.reason, Attempts: f.attempts, Err: f.err})
	}
}

// deadLetterFailed schedules the next attempt of the sink.
func (l *leaseLoop) deadLetterFailed(q *keyQueue, err error) {
	it := &q.items[0]
	it.failed.sinkFailures++
	delay := l.backoff(it.failed.sinkFailures)
	l.tellBlocked(it, delay, fmt.Errorf("the dead-letter sink failed: %w", err))
	l.sleep(q, delay)
}
