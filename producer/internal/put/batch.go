package put

import (
	"context"
	"errors"
	"io"
	"time"

	"golang.org/x/time/rate"

	"github.com/seed96110120/kinesis-client-go/producer/internal/record"
)

// linger is how long a batch that is not full waits for the next record: long
// enough to fill batches from a file, short enough to watch single lines go by.
const linger = 10 * time.Millisecond

// Batches cuts a source into batches for Put.
type Batches struct {
	items  <-chan item
	carry  *record.Record
	err    error
	cancel context.CancelFunc
}

type item struct {
	record record.Record
	err    error
}

// NewBatches reads src in a goroutine of its own, at most perSecond records a
// second; 0 is as fast as they come. Stop ends the goroutine unless it waits in
// src itself.
func NewBatches(ctx context.Context, src record.Source, perSecond float64) *Batches {
	ctx, cancel := context.WithCancel(ctx)
	items := make(chan item)
	go func() {
		defer close(items)
		pace := newPace(perSecond)
		for {
			r, err := src.Next()
			if err == nil && pace.Wait(ctx) != nil {
				return
			}
			select {
			case items <- item{r, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return &Batches{items: items, cancel: cancel}
}

// newPace lets what is missed while a call is under way be made up for, up to a
// quarter of a second, but does not begin with such a burst.
func newPace(perSecond float64) *rate.Limiter {
	if perSecond == 0 {
		return rate.NewLimiter(rate.Inf, 0)
	}
	burst := max(1, int(perSecond/4))
	pace := rate.NewLimiter(rate.Limit(perSecond), burst)
	pace.ReserveN(time.Now(), burst-1)
	return pace
}

// Stop ends the reading of the source.
func (b *Batches) Stop() { b.cancel() }

// Next returns the next batch, never an empty one. After the last it returns the
// source's error, io.EOF at its end; what was read before an error is given
// first.
func (b *Batches) Next(ctx context.Context) ([]record.Record, error) {
	if b.err != nil {
		return nil, b.err
	}
	var batch []record.Record
	size := 0
	if b.carry != nil {
		batch, size = append(batch, *b.carry), b.carry.Size()
		b.carry = nil
	}
	var late <-chan time.Time
	for len(batch) < MaxRecords {
		if late == nil && len(batch) > 0 {
			timer := time.NewTimer(linger)
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-late:
			return batch, nil
		case it, open := <-b.items:
			if !open {
				it.err = errors.Join(ctx.Err(), io.ErrClosedPipe)
			}
			if it.err != nil {
				b.err = it.err
				if len(batch) > 0 {
					return batch, nil
				}
				return nil, b.err
			}
			if size+it.record.Size() > MaxBytes && len(batch) > 0 {
				b.carry = &it.record
				return batch, nil
			}
			batch = append(batch, it.record)
			size += it.record.Size()
		}
	}
	return batch, nil
}
