package handle

import (
	"slices"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// inFlightList has the batches that the watermark has not passed, in the shard's
// order.
type inFlightList struct {
	first, last *batch
	records     int // of all batches with an unfinished record
	bytes       int64

	before processor.Position // the last record before first
	passed int                // records that the watermark has passed since the lease began
}

// batch is a delivered batch. If all its records are finished, but some of an
// earlier batch are not, only its last position is kept.
type batch struct {
	records  []processor.Record
	finished []bool
	low      int // the first records, which the watermark has passed
	left     int // unfinished records
	size     int
	bytes    int64
	end      processor.Position // of the last record
	received time.Time

	prev, next *batch
}

// add appends a batch, which must not be empty. It sorts records that are out of
// order, because the watermark compares positions.
func (f *inFlightList) add(records []processor.Record, now time.Time) *batch {
	if !ascending(records) {
		records = slices.Clone(records)
		slices.SortStableFunc(records, func(a, b processor.Record) int { return a.Position().Compare(b.Position()) })
	}
	n := len(records)
	b := &batch{
		records: records, finished: make([]bool, n), left: n, size: n, bytes: totalSize(records),
		end: clonePosition(records[n-1].Position()), received: now, prev: f.last,
	}
	if f.last != nil {
		f.last.next = b
	} else {
		f.first = b
	}
	f.last = b
	f.records += n
	f.bytes += b.bytes
	return b
}

// finish marks a record as finished and reports whether it was its batch's last.
func (f *inFlightList) finish(b *batch, i int) bool {
	b.finished[i] = true
	if b.left--; b.left > 0 {
		if b == f.first {
			f.advance()
		}
		return false
	}
	f.records -= b.size
	f.bytes -= b.bytes
	b.records, b.finished = nil, nil // which an earlier blocked record must not keep in memory
	if next := b.next; next != nil && next.left == 0 {
		f.join(b, next)
		b = next
	}
	if prev := b.prev; prev != nil && prev.left == 0 {
		f.join(prev, b)
	}
	f.advance()
	return true
}

// join merges two neighbours that are finished: no more finished batches are kept
// than unfinished ones.
func (f *inFlightList) join(b, next *batch) {
	next.size += b.size
	next.low += b.low
	next.prev = b.prev
	if b.prev != nil {
		b.prev.next = next
	} else {
		f.first = next
	}
}

// advance moves the watermark over the finished records at the front.
func (f *inFlightList) advance() {
	for b := f.first; b != nil; b = f.first {
		if b.left > 0 {
			for b.low < b.size && b.finished[b.low] {
				b.low++
				f.passed++
			}
			return
		}
		f.passed += b.size - b.low
		if b.end.Compare(f.before) > 0 {
			f.before = b.end
		}
		f.first = b.next
		if f.first != nil {
			f.first.prev = nil
		} else {
			f.last = nil
		}
	}
}

// watermark returns the greatest position up to which every delivered record is
// finished, the zero Position if there is none.
func (f *inFlightList) watermark() processor.Position {
	if b := f.first; b != nil && b.low > 0 {
		if p := b.records[b.low-1].Position(); p.Compare(f.before) > 0 {
			return clonePosition(p)
		}
	}
	return f.before
}

func (f *inFlightList) empty() bool { return f.first == nil }

// ascending reports whether the records are in the order of Position.Compare. It
// is quick for what the daemon sends: numbers of equal length, whose order is that
// of their text.
func ascending(records []processor.Record) bool {
	for i := 1; i < len(records); i++ {
		a, b := &records[i-1], &records[i]
		if len(a.SequenceNumber) == len(b.SequenceNumber) && a.SequenceNumber < b.SequenceNumber {
			continue
		}
		if a.Position().Compare(b.Position()) > 0 {
			return false
		}
	}
	return true
}

// totalSize returns the memory of a batch, which each of its records keeps.
func totalSize(records []processor.Record) int64 {
	total := 0
	for i := range records {
		total += records[i].Size()
	}
	return int64(total)
}

// clonePosition copies the position out of the memory of its batch.
func clonePosition(p processor.Position) processor.Position {
	p.SequenceNumber = strings.Clone(p.SequenceNumber)
	return p
}
