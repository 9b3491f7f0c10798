package handle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// checkpointOrAnswer makes a checkpoint if one is due, or answers the open action
// if nothing that it waits for is left.
func (l *leaseLoop) checkpointOrAnswer() {
	if l.open == nil || l.checkpointing {
		return
	}
	l.collectActive()
	switch {
	case l.leaseEnded():
		if len(l.active) == 0 {
			l.answer(context.Cause(l.lease))
		}
	case l.actionErr != nil:
		l.answer(l.actionErr)
	case l.open.kind == end && l.inFlight.empty() && !l.dropped:
		l.checkpoint(processor.Position{})
	case l.stopping():
		switch {
		case !l.stopComplete():
		case l.watermarkMoved() && !l.checkpointRefused:
			l.checkpoint(l.inFlight.watermark())
		case l.open.kind == end:
			l.answer(fmt.Errorf("handle: %s: stopped before all records of the shard were finished: %w", l.shard.Key, processor.ErrLeaseLost))
		default:
			l.answer(nil)
		}
	default:
		held := !l.inFlight.empty()
		if l.MaxInFlightRecords > 0 && l.open.kind == deliver {
			held = l.inFlight.records >= l.MaxInFlightRecords || l.inFlight.bytes >= l.MaxInFlightBytes
		}
		switch {
		case l.checkpointDue(held):
			l.checkpoint(l.inFlight.watermark())
		case !held:
			l.answer(nil)
		}
	}
}

// checkpointDue reports whether to make a checkpoint when nothing stops.
func (l *leaseLoop) checkpointDue(held bool) bool {
	switch {
	case l.inFlight.passed == l.last.passed:
		return false
	case l.CheckpointRecords == 0 && l.CheckpointInterval == 0:
		return !held && !l.checkpointRefused && l.watermarkMoved()
	case l.CheckpointRecords > 0 && !l.checkpointRefused && l.inFlight.passed-l.last.passed >= l.CheckpointRecords,
		l.CheckpointInterval > 0 && time.Since(l.last.time) >= l.CheckpointInterval:
		return l.watermarkMoved()
	}
	return false
}

// watermarkMoved reports whether the watermark is beyond the last checkpoint.
func (l *leaseLoop) watermarkMoved() bool { return l.inFlight.watermark().Compare(l.last.position) > 0 }

// stopComplete reports whether all calls have returned since the stop, or are
// abandoned because the grace is over.
func (l *leaseLoop) stopComplete() bool {
	return len(l.active) == 0 || time.Since(l.stopTime) >= l.StopGrace
}

// checkpointer has the methods that are used of a [processor.Checkpointer].
type checkpointer interface {
	Checkpoint(context.Context) error
	CheckpointAt(context.Context, processor.Position) error
}

// checkpoint starts a checkpoint within the open action; the zero Position means
// the end of the shard.
func (l *leaseLoop) checkpoint(p processor.Position) {
	l.checkpointing = true
	c, passed, ctx, begin := l.open.checkpointer, l.inFlight.passed, l.lease, time.Now()
	go func() {
		var err error
		if p.IsZero() {
			err = c.Checkpoint(ctx)
		} else {
			err = c.CheckpointAt(ctx, p)
		}
		l.checkpointResults <- checkpointResult{position: p, passed: passed, took: time.Since(begin), err: err}
	}()
}

type checkpointResult struct {
	position processor.Position // zero: the end of the shard
	passed   int
	took     time.Duration
	err      error
}

func (l *leaseLoop) checkpointDone(c checkpointResult) {
	l.checkpointing = false
	l.last.time = time.Now()
	if f := l.Observer.Checkpoint; f != nil {
		f(Checkpoint{Shard: l.shard, Position: c.position, Records: c.passed - l.last.passed, Duration: c.took, Err: c.err})
	}
	atEnd := c.position.IsZero()
	switch {
	case c.err == nil:
		l.Logger.Debug("checkpoint", "position", c.position, "duration", c.took)
		l.last.position, l.last.passed = c.position, c.passed
		if atEnd {
			l.answer(nil)
		}
	case !atEnd && (errors.Is(c.err, processor.ErrThrottled) || errors.Is(c.err, processor.ErrDependency)):
		l.Logger.Warn("checkpoint failed; the next one covers it", "error", c.err)
		l.checkpointRefused = true
	default:
		l.actionErr = c.err
	}
}

// answer answers the open action.
func (l *leaseLoop) answer(err error) {
	l.open = nil
	l.answers <- err
	if errors.Is(err, processor.ErrLeaseLost) {
		l.stop() // the lease's context ends next
	}
}
