package handle

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// owner is the state of a lease. Only the goroutine of loop touches what is
// below the channels; the processor's methods, the workers and a checkpoint in
// work send to it by these.
type owner struct {
	settings
	shardID string
	lease   context.Context // ends with it
	notice  <-chan struct{} // of a stop
	fail    func(error)     // ends the child
	ctx     context.Context // the handlers'
	cancel  context.CancelCauseFunc
	halted  atomic.Bool // workers stop between two records

	actions      chan action
	answers      chan error // of the action in work, buffered
	jobs         chan *job  // buffered: never blocks
	results      chan *job  // buffered: never blocks
	checkpointed chan checkpointed
	done         chan struct{} // closed when the lease is over and nothing runs

	flight  flight
	lanes   map[string]*lane
	ready   []*lane
	waiting byWake
	active  map[*job]struct{}
	started int // workers

	open          *action
	failure       error // what the open action is to be answered with
	refused       bool  // a checkpoint has failed in the open action
	checkpointing bool
	mark          processor.Position // the last checkpoint
	markSettled   int                // flight.settled there
	markTime      time.Time          // when that was, or the last that failed

	stopped   time.Time // when a stop began; zero before
	cancelled bool      // the stop has cancelled the attempts
	dropped   bool      // records came after that: they are not ours any more
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

// checkpointer is what is used of a [processor.Checkpointer].
type checkpointer interface {
	Checkpoint(context.Context) error
	CheckpointAt(context.Context, processor.Position) error
}

type checkpointed struct {
	position processor.Position // zero: the end of the shard
	settled  int
	took     time.Duration
	err      error
}

// How long the daemon may go on sending records after a stop was announced.
const stopPatience = time.Minute

func newOwner(s settings, shardID string, lease context.Context, notice <-chan struct{}, fail func(error), done chan struct{}) *owner {
	o := &owner{
		settings: s, shardID: shardID, lease: lease, notice: notice, fail: fail,
		actions:      make(chan action),
		answers:      make(chan error, 1),
		jobs:         make(chan *job, s.workers),
		results:      make(chan *job, s.workers),
		checkpointed: make(chan checkpointed, 1),
		done:         done,
		lanes:        map[string]*lane{},
		active:       map[*job]struct{}{},
		markTime:     time.Now(),
	}
	o.log = s.log.With("shardId", o.shardID)
	o.ctx, o.cancel = context.WithCancelCause(context.WithValue(lease, shardKey{}, o.shardID))
	return o
}

// ask has the owner do an action and returns its answer.
func (o *owner) ask(a action) error {
	select {
	case o.actions <- a:
		return <-o.answers
	case <-o.done:
		return context.Cause(o.ctx)
	}
}

// awaitEnd waits for done, for the grace at most.
func (o *owner) awaitEnd() {
	grace := time.NewTimer(o.grace)
	defer grace.Stop()
	select {
	case <-o.done:
	case <-grace.C:
		o.log.Warn("the lease is lost, and a handler has not returned", "grace", o.grace)
	}
}

// loop ends when the lease has, and every handler has returned.
func (o *owner) loop() {
	defer close(o.done)
	defer close(o.jobs)
	defer o.cancel(nil)
	timer := time.NewTimer(0)
	defer timer.Stop()
	gone, notice := o.lease.Done(), o.notice
	for {
		o.dispatch()
		o.settle()
		if o.gone() && o.open == nil && !o.checkpointing && len(o.active) == 0 {
			return
		}
		if next := o.deadline(); next.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(next))
		}
		select {
		case a := <-o.actions:
			o.begin(a)
		case j := <-o.results:
			o.finished(j)
		case c := <-o.checkpointed:
			o.checkpointDone(c)
		case <-timer.C:
			o.tick(time.Now())
		case <-notice:
			notice = nil
			o.log.Warn("a stop is announced: no more records are begun")
			o.stop()
		case <-gone:
			gone = nil
			o.halted.Store(true)
		}
	}
}

// gone reports whether the lease has ended. It is asked at each step: a handler
// that returns because of it may be heard before the lease's own channel is.
func (o *owner) gone() bool { return o.lease.Err() != nil }

// begin takes an action.
func (o *owner) begin(a action) {
	o.open, o.failure, o.refused = &a, nil, false
	if a.kind == stop {
		o.stop()
	}
	if a.kind != deliver {
		return
	}
	now := time.Now()
	if f := o.observer.BatchReceived; f != nil {
		f(BatchReceived{ShardID: o.shardID, Records: len(a.records), Bytes: weight(a.records), MillisBehindLatest: a.lag})
	}
	switch {
	case len(a.records) == 0:
	case !o.stopped.IsZero() && now.Sub(o.stopped) > stopPatience:
		o.failure = fmt.Errorf("handle: %v after the notice: %w", now.Sub(o.stopped).Round(time.Second), ErrStopIgnored)
	case !o.stopped.IsZero():
		// The watermark never passes them: they come again to the next owner.
		o.dropped = true
	default:
		o.enqueue(o.flight.add(a.records, now))
		o.inFlight()
	}
}

// enqueue puts a batch's records into their lanes.
func (o *owner) enqueue(b *batch) {
	var l *lane
	for i := range b.records {
		var key string
		if o.workers > 1 {
			key = b.records[i].PartitionKey
		}
		if l == nil || l.key != key {
			l = o.lane(key)
			if o.workers == 1 {
				l.items = slices.Grow(l.items, len(b.records))
			}
		}
		l.items = append(l.items, item{batch: b, index: i})
		if l.state == idle {
			o.makeReady(l)
		}
	}
}

func (o *owner) lane(key string) *lane {
	l := o.lanes[key]
	if l == nil {
		l = &lane{key: key}
		o.lanes[key] = l
	}
	return l
}

func (o *owner) makeReady(l *lane) {
	l.state = ready
	o.ready = append(o.ready, l)
}

// dispatch gives lanes that are ready to workers that are free, the longest
// ready first.
func (o *owner) dispatch() {
	for len(o.ready) > 0 && len(o.active) < o.workers && o.stopped.IsZero() && !o.gone() {
		l := o.ready[0]
		o.ready[0] = nil
		if o.ready = o.ready[1:]; len(o.ready) == 0 {
			o.ready = nil
		}
		l.state = busy
		j := &job{lane: l}
		n := 1
		switch {
		case l.items[0].buried():
			j.bury = true
		case o.all != nil:
			n = l.piece(o.batchSize)
		case o.workers == 1:
			n = o.run(l)
		}
		j.items = l.items[:n:n]
		if o.watched {
			j.since = time.Now()
			j.looked = j.since
		}
		o.active[j] = struct{}{}
		if len(o.active) > o.started {
			o.started++
			go o.work()
		}
		o.jobs <- j
	}
}

// run is how many records a single worker handles before it comes back.
func (o *owner) run(l *lane) int {
	n := len(l.items)
	if o.everyRecords > 0 {
		// For the checkpoint then.
		n = min(n, o.everyRecords-(o.flight.settled-o.markSettled)%o.everyRecords)
	}
	for i := range n {
		if l.items[i].buried() {
			return i
		}
	}
	return n
}

// finished takes a job back.
func (o *owner) finished(j *job) {
	delete(o.active, j)
	if j.exited {
		o.started--
	}
	l, err := j.lane, j.err
	l.state = idle
	n := len(j.items)
	switch {
	case err == nil && (j.bury || o.all != nil):
		j.progress.Store(int64(n))
		if j.bury {
			o.buried(&j.items[0])
		}
		o.fold(j)
		l.drop(n)
	case err == nil || o.all == nil && !j.bury:
		o.fold(j)
		l.drop(j.folded)
	}
	switch {
	case err == nil:
		o.goOn(l)
	case !o.stopped.IsZero() || o.gone():
		// Not a failure that counts: who comes next tries again. What a batch
		// handler has finished in part is worth a watermark.
		if f := named(err, n); o.all != nil && !j.bury && len(f) > 0 {
			o.part(j, f)
		}
	case j.bury:
		o.notBuried(l, err)
	case o.all == nil:
		o.await(l, o.failed(&l.items[0], err), 1, err)
	default:
		o.batchFailed(j)
	}
}

// goOn makes a lane ready for its next items, or forgets it.
func (o *owner) goOn(l *lane) {
	if len(l.items) > 0 {
		o.makeReady(l)
	} else {
		delete(o.lanes, l.key)
	}
}

// batchFailed decides about the records of a call that failed.
func (o *owner) batchFailed(j *job) {
	l, n := j.lane, len(j.items)
	failures := named(j.err, n)
	switch {
	case len(failures) > 0:
		o.part(j, failures)
		var longest time.Duration
		i := 0
		for k := range n {
			if err, ok := failures[k]; ok {
				longest = max(longest, o.failed(&l.items[i], err))
				i++
			}
		}
		o.await(l, longest, len(failures), j.err)
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
func (o *owner) part(j *job, failures Failures) {
	for i := range j.items {
		if _, ok := failures[i]; !ok {
			o.finish(&j.items[i])
		}
	}
	j.lane.keep(len(j.items), failures)
}

// fold takes note of the items that a job has finished one by one.
func (o *owner) fold(j *job) {
	for to := int(j.progress.Load()); j.folded < to; j.folded++ {
		o.finish(&j.items[j.folded])
	}
}

// foldActive does so for the jobs at work.
func (o *owner) foldActive() {
	for j := range o.active {
		o.fold(j)
	}
}

func (o *owner) finish(it *item) {
	b := it.batch
	size, received := b.size, b.received
	if !o.flight.finish(b, it.index) {
		return
	}
	if f := o.observer.BatchFinished; f != nil {
		f(BatchFinished{ShardID: o.shardID, Records: size, Duration: time.Since(received)})
	}
	o.inFlight()
}

func (o *owner) inFlight() {
	if f := o.observer.InFlight; f != nil {
		f(InFlight{ShardID: o.shardID, Records: o.flight.records, Bytes: o.flight.bytes})
	}
}

// failed notes a record's failure and returns how long to wait for what comes
// next: the retry or, after no wait, the dead-letter sink.
func (o *owner) failed(it *item, err error) time.Duration {
	if err == nil {
		err = errNoReason
	}
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
		o.fail(fmt.Errorf("handle: %s: record %v failed (%d attempts, limit: %s): %w", o.shardID, it.record().Position(), t.failures, t.reason, err))
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
		f(Retry{ShardID: o.shardID, Position: position, Records: records, Attempts: attempts, Delay: delay, Err: err})
	}
}

func (o *owner) blocked(it *item, delay time.Duration, err error) {
	position, t := it.record().Position(), it.trouble
	o.log.Error("blocked: a record is given up and nothing takes it; what is behind it waits", "position", position, "reason", t.reason, "attempts", t.failures, "delay", delay, "error", err)
	if f := o.observer.Blocked; f != nil {
		f(Retry{ShardID: o.shardID, Position: position, Records: 1, Attempts: t.failures, Delay: delay, Err: err})
	}
}

func (o *owner) logPanic(it *item, err error) {
	var p *processor.PanicError
	if errors.As(err, &p) {
		o.log.Warn("the handler panicked", "position", it.record().Position(), "error", err, "stack", string(p.Stack))
	}
}

// buried takes note that the sink has a record.
func (o *owner) buried(it *item) {
	t, position := it.trouble, it.record().Position()
	o.log.Warn("dead letter", "position", position, "reason", t.reason, "attempts", t.failures, "error", t.err)
	if f := o.observer.DeadLettered; f != nil {
		f(DeadLettered{ShardID: o.shardID, Position: position, Reason: t.reason, Attempts: t.failures, Err: t.err})
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

// stop begins the end: nothing is begun or tried again any more.
func (o *owner) stop() {
	if o.stopped.IsZero() {
		o.stopped = time.Now()
		o.halted.Store(true)
	}
}

// quiet reports whether a stop is complete: what was in work has returned, or
// is abandoned.
func (o *owner) quiet() bool {
	return !o.stopped.IsZero() && (len(o.active) == 0 || time.Since(o.stopped) >= o.grace)
}

// settle makes a checkpoint if one is due, or answers the open action if all
// that it waits for is done.
func (o *owner) settle() {
	if o.open == nil || o.checkpointing {
		return
	}
	o.foldActive()
	switch {
	case o.gone():
		if len(o.active) == 0 {
			o.answer(context.Cause(o.lease))
		}
	case o.failure != nil:
		o.answer(o.failure)
	case o.open.kind == end && o.flight.empty() && !o.dropped:
		o.checkpoint(processor.Position{})
	case !o.stopped.IsZero():
		switch {
		case !o.quiet():
		case o.moved() && !o.refused:
			o.checkpoint(o.flight.watermark())
		case o.open.kind == end:
			o.answer(fmt.Errorf("handle: %s: stopped before all of the shard was finished: %w", o.shardID, processor.ErrShutdown))
		default:
			o.answer(nil)
		}
	default:
		held := !o.flight.empty()
		if o.overlap && o.open.kind == deliver {
			held = o.flight.records >= o.maxRecords || o.flight.bytes >= o.maxBytes
		}
		switch {
		case o.due(held):
			o.checkpoint(o.flight.watermark())
		case !held:
			o.answer(nil)
		}
	}
}

// moved reports whether the watermark is beyond the last checkpoint.
func (o *owner) moved() bool { return o.flight.watermark().Compare(o.mark) > 0 }

// due reports whether a checkpoint is to be made while no stop is.
func (o *owner) due(held bool) bool {
	switch {
	case o.flight.settled == o.markSettled:
		return false
	case !o.often:
		return !held && !o.refused && o.moved()
	case o.everyRecords > 0 && !o.refused && o.flight.settled-o.markSettled >= o.everyRecords,
		o.every > 0 && time.Since(o.markTime) >= o.every:
		return o.moved()
	}
	return false
}

// checkpoint sends one, by the open action: the zero Position is the end.
func (o *owner) checkpoint(p processor.Position) {
	o.checkpointing = true
	c, settled, ctx, begin := o.open.checkpointer, o.flight.settled, o.lease, time.Now()
	go func() {
		var err error
		if p.IsZero() {
			err = c.Checkpoint(ctx)
		} else {
			err = c.CheckpointAt(ctx, p)
		}
		o.checkpointed <- checkpointed{position: p, settled: settled, took: time.Since(begin), err: err}
	}()
}

func (o *owner) checkpointDone(c checkpointed) {
	o.checkpointing = false
	o.markTime = time.Now()
	if f := o.observer.Checkpoint; f != nil {
		f(Checkpoint{ShardID: o.shardID, Position: c.position, Records: c.settled - o.markSettled, Duration: c.took, Err: c.err})
	}
	atEnd := c.position.IsZero()
	switch {
	case c.err == nil:
		o.log.Debug("checkpoint", "position", c.position, "duration", c.took)
		o.mark, o.markSettled = c.position, c.settled
		if atEnd {
			o.answer(nil)
		}
	case !atEnd && (errors.Is(c.err, processor.ErrThrottled) || errors.Is(c.err, processor.ErrDependency)):
		o.log.Warn("no checkpoint, a later one covers it", "error", c.err)
		o.refused = true
	default:
		o.failure = c.err
	}
}

// answer answers the open action.
func (o *owner) answer(err error) {
	o.open = nil
	o.answers <- err
	if errors.Is(err, processor.ErrShutdown) {
		o.halted.Store(true) // the lease's context ends next
		if o.stopped.IsZero() {
			o.stopped = time.Now()
		}
	}
}

// deadline is when tick is to be called next, the zero Time for never.
func (o *owner) deadline() time.Time {
	var next time.Time
	at := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	if !o.gone() && o.stopped.IsZero() {
		if len(o.waiting) > 0 {
			at(o.waiting[0].wake)
		}
		if o.every > 0 && o.open != nil && !o.checkpointing {
			at(o.markTime.Add(o.every))
		}
	}
	if !o.stopped.IsZero() && len(o.active) > 0 {
		if !o.cancelled {
			at(o.cancelTime())
		} else if o.open != nil && !o.quiet() {
			at(o.stopped.Add(o.grace))
		}
	}
	if o.watched {
		for j := range o.active {
			if !j.dumped {
				at(o.look(j))
			}
		}
	}
	return next
}

// cancelTime leaves a quarter of the grace for attempts to return that heed
// their context.
func (o *owner) cancelTime() time.Time { return o.stopped.Add(o.grace - o.grace/4) }

// tick does what is due.
func (o *owner) tick(now time.Time) {
	if !o.stopped.IsZero() {
		if !o.cancelled && !now.Before(o.cancelTime()) {
			o.cancelled = true
			o.cancel(ErrStopping)
		}
	} else {
		for len(o.waiting) > 0 && !o.waiting[0].wake.After(now) {
			o.makeReady(heap.Pop(&o.waiting).(*lane))
		}
		o.foldActive()
		if o.every > 0 && now.Sub(o.markTime) >= o.every && !o.moved() {
			o.markTime = now // nothing to checkpoint: look again after the interval
		}
	}
	if o.watched {
		for j := range o.active {
			o.watch(j, now)
		}
	}
}

func (o *owner) look(j *job) time.Time {
	return j.looked.Add(o.watchdog / 4)
}

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
	fmt.Fprintf(o.stderr, "handle: %s: the call at %v has not returned for %v; all goroutines:\n%s\n", o.shardID, position, elapsed, goroutines())
	if f := o.observer.Hung; f != nil {
		f(Hung{ShardID: o.shardID, Position: position, Elapsed: elapsed})
	}
	if o.then == EndChild {
		o.fail(fmt.Errorf("handle: %s: the call at %v has not returned for %v, and the watchdog is to end the child", o.shardID, position, elapsed))
	}
}

func goroutines() []byte {
	for size := 64 << 10; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size || size >= 64<<20 {
			return buf[:n]
		}
	}
}
