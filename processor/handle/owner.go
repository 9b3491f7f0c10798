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

// owner is the state of a lease. Only the goroutine of loop touches what is
// below the channels; the processor's methods, the workers and a checkpoint in
// work send to it by these.
type owner struct {
	settings
	shard  Shard
	lease  context.Context // ends with it
	notice <-chan struct{} // of a stop
	fail   func(error)     // ends the child
	ctx    context.Context // the handlers'
	cancel context.CancelCauseFunc
	halted atomic.Bool // workers stop between two records

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

// How long the daemon may go on sending records after a stop was announced.
const stopPatience = time.Minute

func newOwner(s settings, shard Shard, lease context.Context, notice <-chan struct{}, fail func(error), done chan struct{}) *owner {
	o := &owner{
		settings: s, shard: shard, lease: lease, notice: notice, fail: fail,
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
	o.log = s.log
	if stream, _ := processor.SplitLeaseKey(shard.Key); stream != "" {
		o.log = o.log.With("stream", stream)
	}
	o.log = o.log.With("shardId", shard.ShardID)
	o.ctx, o.cancel = context.WithCancelCause(context.WithValue(lease, shardKey{}, &o.shard))
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
		f(BatchReceived{Shard: o.shard, Records: len(a.records), Bytes: weight(a.records), MillisBehindLatest: a.lag})
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
		l = &lane{key: strings.Clone(key)} // not to hold on to the batch of its first record
		o.lanes[l.key] = l
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
		if len(j.failures) > 0 {
			o.part(j)
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
		f(BatchFinished{Shard: o.shard, Records: size, Duration: time.Since(received)})
	}
	o.inFlight()
}

func (o *owner) inFlight() {
	if f := o.observer.InFlight; f != nil {
		f(InFlight{Shard: o.shard, Records: o.flight.records, Bytes: o.flight.bytes})
	}
}

// stop begins the end: nothing is begun or tried again any more.
func (o *owner) stop() {
	if o.stopped.IsZero() {
		o.stopped = time.Now()
		o.halted.Store(true)
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
