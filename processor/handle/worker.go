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

// job is what a worker gets: some of a lane's first items. The worker has it
// from owner.jobs until it is in owner.results; of the items' batches it only
// reads the records.
type job struct {
	lane  *lane
	items []item
	bury  bool // give the only item to the sink

	// progress counts the items that are finished one by one; the owner may
	// read it while the job is at work.
	progress atomic.Int64
	// err is what the item after those, or the whole call, failed with.
	err error
	// failures are the records that err names, nil if it names none.
	failures Failures
	// exited: the handler has ended the worker's goroutine.
	exited bool

	// The owner's own.
	folded  int       // items that it knows to be finished
	watched int64     // progress at the watchdog's last look
	since   time.Time // of that progress
	looked  time.Time // that look
	dumped  bool
}

var errGoexit = errors.New("the handler ended its goroutine (runtime.Goexit)")

// work is a worker's goroutine.
func (o *owner) work() {
	var j *job
	defer func() {
		if j != nil { // Goexit
			j.err, j.exited = errGoexit, true
			o.results <- j
		}
	}()
	for j = range o.jobs {
		switch {
		case j.bury:
			j.err = o.bury(&j.items[0])
		case o.each != nil:
			j.err = o.eachOf(j)
		default:
			j.err = o.together(j)
		}
		given := j
		j = nil
		o.results <- given
	}
}

// eachOf calls the handler for one record after another until one fails.
func (o *owner) eachOf(j *job) error {
	timed := o.observer.RecordFinished != nil
	var begin time.Time
	if timed {
		begin = time.Now()
	}
	for i := range j.items {
		if o.halted.Load() {
			return nil
		}
		it := &j.items[i]
		ctx, cancel := o.limit(1)
		err := o.callEach(ctx, it.record())
		cancel()
		if err != nil {
			return err
		}
		if timed {
			now := time.Now()
			o.observer.RecordFinished(RecordFinished{
				Shard: o.shard, Position: it.record().Position(), Attempts: it.attempt(), Duration: now.Sub(begin),
			})
			begin = time.Now()
		}
		j.progress.Store(int64(i + 1))
	}
	return nil
}

// together calls the handler for all the items at once.
func (o *owner) together(j *job) error {
	if o.halted.Load() {
		return ErrStopping
	}
	records := make([]processor.Record, len(j.items))
	for i := range j.items {
		records[i] = *j.items[i].record()
	}
	ctx, cancel := o.limit(len(records))
	defer cancel()
	begin := time.Now()
	err := o.callAll(ctx, j, records)
	if f := o.observer.RecordFinished; f != nil {
		took := time.Since(begin)
		for i := range j.items {
			if _, again := j.failures[i]; again || err != nil && len(j.failures) == 0 {
				continue
			}
			it := &j.items[i]
			f(RecordFinished{Shard: o.shard, Position: it.record().Position(), Attempts: it.attempt(), Duration: took})
		}
	}
	return err
}

// limit is the context of an attempt at n records.
func (o *owner) limit(n int) (context.Context, context.CancelFunc) {
	d := o.recordTimeout * time.Duration(n)
	if o.batchTimeout > 0 && (d == 0 || o.batchTimeout < d) {
		d = o.batchTimeout
	}
	if d == 0 {
		return o.ctx, noCancel
	}
	return context.WithTimeoutCause(o.ctx, d, ErrTimeout)
}

func noCancel() {}

func (o *owner) callEach(ctx context.Context, r *processor.Record) (err error) {
	defer recovered(&err)
	_, err = read(o.each(ctx, *r), 0)
	return err
}

func (o *owner) callAll(ctx context.Context, j *job, records []processor.Record) (err error) {
	defer recovered(&err)
	j.failures, err = read(o.all(ctx, records), len(records))
	return err
}

// recovered makes a panic an error, with its stack. The methods of an error that
// a handler returns are called below it first: those of a nil pointer may panic.
func recovered(err *error) {
	if v := recover(); v != nil {
		*err = &processor.PanicError{Value: v, Stack: debug.Stack()}
	}
}

// bury gives a record to the sink.
func (o *owner) bury(it *item) (err error) {
	defer recovered(&err)
	r, t := it.record(), it.trouble
	letter := DeadLetter{
		ID:                          recordID(o.shard.Key, r.Position()),
		Stream:                      o.shard.Stream,
		ShardID:                     o.shard.ShardID,
		SequenceNumber:              r.SequenceNumber,
		SubSequenceNumber:           r.SubSequenceNumber,
		PartitionKey:                r.PartitionKey,
		ApproximateArrivalTimestamp: r.ApproximateArrivalTimestamp,
		Data:                        r.Data,
		Reason:                      t.reason,
		Attempts:                    t.failures,
		Error:                       fmt.Sprint(t.err), // which survives one that panics
		Time:                        time.Now().UTC(),
		Err:                         t.err,
	}
	var p *processor.PanicError
	if errors.As(t.err, &p) && p != nil {
		letter.Stack = string(p.Stack)
	}
	_, err = read(o.sink.Put(o.ctx, letter), 0)
	return err
}
