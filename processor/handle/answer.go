package handle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
)

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
			o.answer(fmt.Errorf("handle: %s: stopped before all of the shard was finished: %w", o.shard.Key, processor.ErrShutdown))
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

// moved reports whether the watermark is beyond the last checkpoint.
func (o *owner) moved() bool { return o.flight.watermark().Compare(o.mark) > 0 }

// quiet reports whether a stop is complete: what was in work has returned, or
// is abandoned.
func (o *owner) quiet() bool {
	return !o.stopped.IsZero() && (len(o.active) == 0 || time.Since(o.stopped) >= o.grace)
}

// checkpointer is what is used of a [processor.Checkpointer].
type checkpointer interface {
	Checkpoint(context.Context) error
	CheckpointAt(context.Context, processor.Position) error
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

type checkpointed struct {
	position processor.Position // zero: the end of the shard
	settled  int
	took     time.Duration
	err      error
}

func (o *owner) checkpointDone(c checkpointed) {
	o.checkpointing = false
	o.markTime = time.Now()
	if f := o.observer.Checkpoint; f != nil {
		f(Checkpoint{Shard: o.shard, Position: c.position, Records: c.settled - o.markSettled, Duration: c.took, Err: c.err})
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
