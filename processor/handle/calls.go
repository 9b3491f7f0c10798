package handle

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// job has some of the first items of a queue, for one or more calls of the handler
// or for one of the sink. It belongs to a goroutine of callHandlers from
// leaseLoop.jobs until leaseLoop.results. That goroutine reads the records of the
// items' batches and nothing else of them.
type job struct {
	queue      *keyQueue
	items      []item
	deadLetter bool // the only item goes to the sink

	// progress counts the items that are finished one by one. The loop may read
	// it at any time.
	progress atomic.Int64
	dumped   atomic.Bool // a call of it hung and was reported
	// err is the error of the item after those, or of the whole call.
	err error
	// failures are the records that err names, nil if it names none.
	failures Failures
	// exited: the handler has ended the goroutine.
	exited bool

	// Only the loop uses these.
	collected int       // items that it has marked as finished
	seen      int64     // progress when the watchdog last checked
	seenSince time.Time // since when the progress is this
	checked   time.Time // when the watchdog last checked
}

var errGoexit = errors.New("the handler ended its goroutine (runtime.Goexit)")

// callHandlers does jobs until there are no more.
func (l *leaseLoop) callHandlers() {
	var j *job
	defer func() {
		if j != nil { // Goexit
			j.err, j.exited = errGoexit, true
			l.results <- j
		}
	}()
	for j = range l.jobs {
		switch {
		case j.deadLetter:
			j.err = l.putDeadLetter(&j.items[0])
		case l.each != nil:
			j.err = l.callForEach(j)
		default:
			j.err = l.callForAll(j)
		}
		given := j
		j = nil
		l.results <- given
	}
}

// callForEach calls the handler for one record after another until one fails.
func (l *leaseLoop) callForEach(j *job) error {
	timed := l.Observer.RecordFinished != nil
	var begin time.Time
	if timed {
		begin = time.Now()
	}
	for i := range j.items {
		if l.halted.Load() || j.dumped.Load() { // the next call that hangs is reported too
			return nil
		}
		it := &j.items[i]
		ctx, cancel := l.attemptContext(1)
		err := l.callRecordHandler(ctx, it.record())
		cancel()
		if err != nil {
			return err
		}
		if timed {
			now := time.Now()
			l.Observer.RecordFinished(RecordFinished{
				Shard: l.shard, Position: it.record().Position(), Attempts: it.attempt(), Duration: now.Sub(begin),
			})
			begin = time.Now()
		}
		j.progress.Store(int64(i + 1))
	}
	return nil
}

// callForAll calls the handler once for all items.
func (l *leaseLoop) callForAll(j *job) error {
	if l.halted.Load() {
		return ErrStopping
	}
	records := make([]processor.Record, len(j.items))
	for i := range j.items {
		records[i] = *j.items[i].record()
	}
	ctx, cancel := l.attemptContext(len(records))
	defer cancel()
	begin := time.Now()
	err := l.callBatchHandler(ctx, j, records)
	if f := l.Observer.RecordFinished; f != nil {
		took := time.Since(begin)
		for i := range j.items {
			if _, again := j.failures[i]; again || err != nil && len(j.failures) == 0 {
				continue
			}
			it := &j.items[i]
			f(RecordFinished{Shard: l.shard, Position: it.record().Position(), Attempts: it.attempt(), Duration: took})
		}
	}
	return err
}

// attemptContext returns the context of an attempt at n records.
func (l *leaseLoop) attemptContext(n int) (context.Context, context.CancelFunc) {
	d := l.RecordTimeout * time.Duration(n)
	if l.BatchTimeout > 0 && (d == 0 || l.BatchTimeout < d) {
		d = l.BatchTimeout
	}
	if d == 0 {
		return l.ctx, noCancel
	}
	return context.WithTimeoutCause(l.ctx, d, ErrTimeout)
}

func noCancel() {}

func (l *leaseLoop) callRecordHandler(ctx context.Context, r *processor.Record) (err error) {
	defer recoverPanic(&err)
	_, err = splitFailures(l.each(ctx, *r), 0)
	return err
}

func (l *leaseLoop) callBatchHandler(ctx context.Context, j *job, records []processor.Record) (err error) {
	defer recoverPanic(&err)
	j.failures, err = splitFailures(l.all(ctx, records), len(records))
	return err
}

// recoverPanic turns a panic into an error with its stack. That includes a panic
// in the methods of the error that a handler returns, such as a nil pointer.
func recoverPanic(err *error) {
	if v := recover(); v != nil {
		*err = &processor.PanicError{Value: v, Stack: debug.Stack()}
	}
}

// putDeadLetter gives a record to the sink.
func (l *leaseLoop) putDeadLetter(it *item) (err error) {
	defer recoverPanic(&err)
	r, f := it.record(), it.failed
	letter := DeadLetter{
		ID:                          recordID(l.shard.Key, r.Position()),
		Stream:                      l.shard.Stream,
		ShardID:                     l.shard.ShardID,
		SequenceNumber:              r.SequenceNumber,
		SubSequenceNumber:           r.SubSequenceNumber,
		PartitionKey:                r.PartitionKey,
		ApproximateArrivalTimestamp: r.ApproximateArrivalTimestamp,
		Data:                        r.Data,
		Reason:                      f.reason,
		Attempts:                    f.attempts,
		Error:                       fmt.Sprint(f.err), // Sprint, because Error may panic
		Time:                        time.Now().UTC(),
		Err:                         f.err,
	}
	var p *processor.PanicError
	if errors.As(f.err, &p) && p != nil {
		letter.Stack = string(p.Stack)
	}
	_, err = splitFailures(l.DeadLetters.Put(l.ctx, letter), 0)
	return err
}
