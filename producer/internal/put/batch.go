package put

import (
	"context"
	"errors"
	"io"
	"time"

	"golang.org/x/time/rate"

	"github.com/seed96110120/kinesis-client-go/producer/internal/record"
)

// linger is how long a batch that is not full waits for the next record. It is long
// enough to fill batches from a file, and short enough to put single lines without a
// visible delay.
const linger = 10 * time.Millisecond

// Batcher reads a source and cuts it into batches for Putter.Put.
type Batcher struct {
	items  <-chan item
	carry  *record.Record
	err    error
	cancel context.CancelFunc
}

type item struct {
	record record.Record
	err    error
}

// BatcherOptions are the optional settings of a Batcher.
type BatcherOptions struct {
	// RecordsPerSecond limits how fast the source is read. Defaults to no limit.
	RecordsPerSecond float64
}

// NewBatcher returns a Batcher that reads src in a goroutine. Stop ends the goroutine,
// unless src.Next blocks. A nil opts means the defaults.
func NewBatcher(ctx context.Context, src record.Source, opts *BatcherOptions) *Batcher {
	if opts == nil {
		opts = &BatcherOptions{}
	}
	ctx, cancel := context.WithCancel(ctx)
	items := make(chan item)
	go func() {
		defer close(items)
		pace := newPace(opts.RecordsPerSecond)
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
	return &Batcher{items: items, cancel: cancel}
}

// newPace returns a limiter. It makes up for up to a quarter of a second that was lost
// during a call, but does not begin with such a burst.
func newPace(perSecond float64) *rate.Limiter {
	if perSecond == 0 {
		return rate.NewLimiter(rate.Inf, 0)
	}
	burst := max(1, int(perSecond/4))
	pace := rate.NewLimiter(rate.Limit(perSecond), burst)
	pace.ReserveN(time.Now(), burst-1)
	return pace
}

// Stop ends reading from the source.
func (b *Batcher) Stop() { b.cancel() }

// Next returns the next batch, which is never empty. After the last batch it returns
// the source's error, which is io.EOF at the end. It must not be called concurrently.
func (b *Batcher) Next(ctx context.Context) ([]record.Record, error) {
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
