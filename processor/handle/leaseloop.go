package handle

import (
	"container/heap"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// leaseLoop has the state of a lease. Only the goroutine of run touches the
// fields below the channels. The processor's methods, the handlers' goroutines
// and a checkpoint in progress send to it on the channels.
type leaseLoop struct {
	settings
	shard      Shard
	lease      context.Context // ends with the lease
	stopNotice <-chan struct{}
	fail       func(error)     // ends the processor
	ctx        context.Context // the handlers'
	cancel     context.CancelCauseFunc
	halted     atomic.Bool // handlers' goroutines stop between two records

	actions           chan action
	answers           chan error // to the open action; buffered
	jobs              chan *job  // buffered: never blocks
	results           chan *job  // buffered: never blocks
	checkpointResults chan checkpointResult
	done              chan struct{} // closed when the lease has ended and nothing runs

	inFlight inFlightList
	queues   map[string]*keyQueue // by key
	ready    []*keyQueue
	waiting  byWake
	active   map[*job]struct{}
	callers  int // goroutines of callHandlers

	open              *action // the action in progress, nil between two
	actionErr         error   // the answer to it, if it fails
	checkpointRefused bool    // a checkpoint has failed in it
	checkpointing     bool
	last              struct { // checkpoint
		position processor.Position
		passed   int       // inFlight.passed
		time     time.Time // of the last attempt
	}

	stopTime  time.Time // when the stop began; zero before
	cancelled bool      // the stop has cancelled the attempts
	dropped   bool      // records arrived after the stop began
}

// action is a call of one of the processor's methods.
type action struct {
	kind         kind
	records      []processor.Record
	lag          int64
	checkpointer checkpointer
}

type kind int

const (
	deliver kind = iota
	stop
	end
)

// stopPatience is how long the daemon may continue to send records after the
// notice of a stop.
const stopPatience = time.Minute

func newLeaseLoop(s settings, shard Shard, lease context.Context, stopNotice <-chan struct{}, fail func(error), done chan struct{}) *leaseLoop {
	l := &leaseLoop{
		settings: s, shard: shard, lease: lease, stopNotice: stopNotice, fail: fail,
		actions:           make(chan action),
		answers:           make(chan error, 1),
		jobs:              make(chan *job, s.Concurrency),
		results:           make(chan *job, s.Concurrency),
		checkpointResults: make(chan checkpointResult, 1),
		done:              done,
		queues:            map[string]*keyQueue{},
		active:            map[*job]struct{}{},
	}
	l.last.time = time.Now()
	if stream, _ := processor.SplitLeaseKey(shard.Key); stream != "" {
		l.Logger = l.Logger.With("stream", stream)
	}
	l.Logger = l.Logger.With("shardId", shard.ShardID)
	l.ctx, l.cancel = context.WithCancelCause(context.WithValue(lease, shardKey{}, &l.shard))
	return l
}

// do sends an action to the loop and returns its answer.
func (l *leaseLoop) do(a action) error {
	select {
	case l.actions <- a:
		return <-l.answers
	case <-l.done:
		return context.Cause(l.ctx)
	}
}

// waitEnd waits until nothing runs, at most for the grace.
func (l *leaseLoop) waitEnd() {
	grace := time.NewTimer(l.StopGrace)
	defer grace.Stop()
	select {
	case <-l.done:
	case <-grace.C:
		l.Logger.Warn("lease lost, but a handler has not returned", "grace", l.StopGrace)
	}
}

// run returns when the lease has ended and every handler has returned.
func (l *leaseLoop) run() {
	defer close(l.done)
	defer close(l.jobs)
	defer l.cancel(nil)
	timer := time.NewTimer(0)
	defer timer.Stop()
	leaseDone, stopNotice := l.lease.Done(), l.stopNotice
	for {
		l.dispatch()
		l.checkpointOrAnswer()
		if l.leaseEnded() && l.open == nil && !l.checkpointing && len(l.active) == 0 {
			return
		}
		if next := l.deadline(); next.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(next))
		}
		select {
		case a := <-l.actions:
			l.beginAction(a)
		case j := <-l.results:
			l.jobReturned(j)
		case c := <-l.checkpointResults:
			l.checkpointDone(c)
		case <-timer.C:
			l.tick(time.Now())
		case <-stopNotice:
			stopNotice = nil
			l.Logger.Warn("stopping: no new records")
			l.stop()
		case <-leaseDone:
			leaseDone = nil
			l.halted.Store(true)
		}
	}
}

// leaseEnded reports whether the lease has ended. Every step asks: a handler that
// returns because of it may be received before the lease's own channel.
func (l *leaseLoop) leaseEnded() bool { return l.lease.Err() != nil }

// beginAction takes an action.
func (l *leaseLoop) beginAction(a action) {
	l.open, l.actionErr, l.checkpointRefused = &a, nil, false
	if a.kind == stop {
		l.stop()
	}
	if a.kind != deliver {
		return
	}
	now := time.Now()
	if f := l.Observer.BatchReceived; f != nil {
		f(BatchReceived{Shard: l.shard, Records: len(a.records), Bytes: totalSize(a.records), MillisBehindLatest: a.lag})
	}
	switch {
	case len(a.records) == 0:
	case l.stopping() && now.Sub(l.stopTime) > stopPatience:
		l.actionErr = fmt.Errorf("handle: %s: records arrived %v after the notice of a stop: %w", l.shard.Key, now.Sub(l.stopTime).Round(time.Second), ErrStopIgnored)
	case l.stopping():
		// The watermark never passes them: the shard's next processor gets them.
		l.dropped = true
	default:
		l.enqueue(l.inFlight.add(a.records, now))
		l.tellInFlight()
	}
}

// enqueue puts a batch's records into their queues.
func (l *leaseLoop) enqueue(b *batch) {
	var q *keyQueue
	for i := range b.records {
		var key string
		if l.Concurrency > 1 {
			key = b.records[i].PartitionKey
		}
		if q == nil || q.key != key {
			q = l.ensureQueue(key)
			if l.Concurrency == 1 {
				q.items = slices.Grow(q.items, len(b.records))
			}
		}
		q.items = append(q.items, item{batch: b, index: i})
		if q.state == idle {
			l.makeReady(q)
		}
	}
}

// ensureQueue returns the queue of a key, which it makes if there is none.
func (l *leaseLoop) ensureQueue(key string) *keyQueue {
	q := l.queues[key]
	if q == nil {
		q = &keyQueue{key: strings.Clone(key)} // the key is memory of its record's batch
		l.queues[q.key] = q
	}
	return q
}

func (l *leaseLoop) makeReady(q *keyQueue) {
	q.state = ready
	l.ready = append(l.ready, q)
}

// dispatch starts jobs for the ready queues, the longest ready first, while the
// concurrency allows it.
func (l *leaseLoop) dispatch() {
	for len(l.ready) > 0 && len(l.active) < l.Concurrency && !l.stopping() && !l.leaseEnded() {
		q := l.ready[0]
		l.ready[0] = nil
		if l.ready = l.ready[1:]; len(l.ready) == 0 {
			l.ready = nil
		}
		q.state = busy
		j := &job{queue: q}
		n := 1 // a dead letter, or a record of one key
		switch {
		case q.items[0].isDeadLetter():
			j.deadLetter = true
		case l.all != nil:
			n = q.nextPiece(l.BatchSize)
		case l.Concurrency == 1:
			n = l.runLength(q)
		}
		j.items = q.items[:n:n]
		if l.HangTimeout > 0 {
			j.checked = time.Now()
			j.seenSince = j.checked
		}
		l.active[j] = struct{}{}
		if len(l.active) > l.callers {
			l.callers++
			go l.callHandlers()
		}
		l.jobs <- j
	}
}

// runLength returns how many records a job of Record has with a concurrency of 1.
func (l *leaseLoop) runLength(q *keyQueue) int {
	n := len(q.items)
	if l.CheckpointRecords > 0 {
		// A checkpoint is due after these.
		n = min(n, l.CheckpointRecords-(l.inFlight.passed-l.last.passed)%l.CheckpointRecords)
	}
	for i := range n {
		if q.items[i].isDeadLetter() {
			return i
		}
	}
	return n
}

// jobReturned decides what follows a job.
func (l *leaseLoop) jobReturned(j *job) {
	delete(l.active, j)
	if j.exited {
		l.callers--
	}
	q, err := j.queue, j.err
	q.state = idle
	if err == nil && (j.deadLetter || l.all != nil) {
		j.progress.Store(int64(len(j.items)))
	}
	if err == nil && j.deadLetter {
		l.deadLettered(&j.items[0])
	}
	l.collect(j)
	q.drop(j.collected)
	switch {
	case err == nil:
		l.requeue(q)
	case l.stopping() || l.leaseEnded():
		// This failure does not count: the shard's next processor tries again. The
		// records that a batch handler has finished still move the watermark.
		if len(j.failures) > 0 {
			l.finishUnnamed(j)
		}
	case j.deadLetter:
		l.deadLetterFailed(q, err)
	case l.all == nil:
		l.retryAfter(q, l.recordFailed(&q.items[0], err), 1, err)
	default:
		l.batchFailed(j)
	}
}

// requeue makes a queue ready for its next items, or removes it if it is empty.
func (l *leaseLoop) requeue(q *keyQueue) {
	if len(q.items) > 0 {
		l.makeReady(q)
	} else {
		delete(l.queues, q.key)
	}
}

// collect marks the items that a job has finished so far.
func (l *leaseLoop) collect(j *job) {
	for to := int(j.progress.Load()); j.collected < to; j.collected++ {
		l.finishItem(&j.items[j.collected])
	}
}

// collectActive does the same for the jobs in progress.
func (l *leaseLoop) collectActive() {
	for j := range l.active {
		l.collect(j)
	}
}

func (l *leaseLoop) finishItem(it *item) {
	b := it.batch
	size, received := b.size, b.received
	if !l.inFlight.finish(b, it.index) {
		return
	}
	if f := l.Observer.BatchFinished; f != nil {
		f(BatchFinished{Shard: l.shard, Records: size, Duration: time.Since(received)})
	}
	l.tellInFlight()
}

func (l *leaseLoop) tellInFlight() {
	if f := l.Observer.InFlight; f != nil {
		f(InFlight{Shard: l.shard, Records: l.inFlight.records, Bytes: l.inFlight.bytes})
	}
}

func (l *leaseLoop) stopping() bool { return !l.stopTime.IsZero() }

// stop ensures that no attempt begins from here on.
func (l *leaseLoop) stop() {
	if !l.stopping() {
		l.stopTime = time.Now()
		l.halted.Store(true)
	}
}

// deadline returns when tick is due, the zero Time for never.
func (l *leaseLoop) deadline() time.Time {
	var next time.Time
	at := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	if !l.leaseEnded() && !l.stopping() {
		if len(l.waiting) > 0 {
			at(l.waiting[0].wake)
		}
		if l.CheckpointInterval > 0 && l.open != nil && !l.checkpointing {
			at(l.last.time.Add(l.CheckpointInterval))
		}
	}
	if l.stopping() && len(l.active) > 0 {
		if !l.cancelled {
			at(l.cancelTime())
		} else if l.open != nil && !l.stopComplete() {
			at(l.stopTime.Add(l.StopGrace))
		}
	}
	if l.HangTimeout > 0 {
		for j := range l.active {
			if !j.dumped.Load() {
				at(l.nextCheck(j))
			}
		}
	}
	return next
}

// cancelTime leaves attempts a quarter of the grace to return after their context
// is cancelled.
func (l *leaseLoop) cancelTime() time.Time { return l.stopTime.Add(l.StopGrace - l.StopGrace/4) }

// tick does what is due.
func (l *leaseLoop) tick(now time.Time) {
	if l.stopping() {
		if !l.cancelled && !now.Before(l.cancelTime()) {
			l.cancelled = true
			l.cancel(ErrStopping)
		}
	} else {
		for len(l.waiting) > 0 && !l.waiting[0].wake.After(now) {
			l.makeReady(heap.Pop(&l.waiting).(*keyQueue))
		}
		l.collectActive()
		if l.CheckpointInterval > 0 && now.Sub(l.last.time) >= l.CheckpointInterval && !l.watermarkMoved() {
			l.last.time = now // nothing to checkpoint: ask again after the interval
		}
	}
	if l.HangTimeout > 0 {
		for j := range l.active {
			l.checkProgress(j, now)
		}
	}
}
