package handle

import (
	"slices"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// flight is what was delivered and is not checkpointable yet: a list of batches
// in the shard's order. The watermark is the position of the last record before
// the first that is not finished.
type flight struct {
	first, last *batch
	records     int // of all batches with a record that is not finished
	bytes       int64

	before  processor.Position // the last record before first: the watermark while first's first is not finished
	settled int                // records that the watermark has passed, since the lease began
}

// batch is a delivered batch. One whose records are all finished behind one
// with some that are not keeps its last position only.
type batch struct {
	records  []processor.Record
	finished []bool
	low      int // records before this one are finished
	left     int // records not finished
	size     int
	bytes    int64
	end      processor.Position
	received time.Time

	prev, next *batch
}

// add takes a batch that is not empty. Records out of order are put in order:
// the watermark is the order of positions.
func (f *flight) add(records []processor.Record, now time.Time) *batch {
	if !ascending(records) {
		records = slices.Clone(records)
		slices.SortStableFunc(records, func(a, b processor.Record) int { return a.Position().Compare(b.Position()) })
	}
	n := len(records)
	b := &batch{
		records: records, finished: make([]bool, n), left: n, size: n, bytes: weight(records),
		end: clone(records[n-1].Position()), received: now, prev: f.last,
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

// finish marks a record; it reports whether it was its batch's last.
func (f *flight) finish(b *batch, i int) bool {
	b.finished[i] = true
	b.left--
	if b == f.first {
		for b.low < b.size && b.finished[b.low] {
			b.low++
			f.settled++
		}
	}
	if b.left > 0 {
		return false
	}
	f.records -= b.size
	f.bytes -= b.bytes
	b.records, b.finished = nil, nil // a blocked record before it must not pin it
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

// join makes one of two neighbours that are finished, so that no more of them
// are kept than of those that are not.
func (f *flight) join(b, next *batch) {
	next.size += b.size
	next.low += b.low
	next.prev = b.prev
	if b.prev != nil {
		b.prev.next = next
	} else {
		f.first = next
	}
}

// advance lets go of what is finished at the front.
func (f *flight) advance() {
	for b := f.first; b != nil; b = f.first {
		if b.left > 0 {
			for b.low < b.size && b.finished[b.low] {
				b.low++
				f.settled++
			}
			return
		}
		f.settled += b.size - b.low
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

// watermark returns the greatest position at and below which every record
// delivered is finished; the zero Position when there is none.
func (f *flight) watermark() processor.Position {
	if b := f.first; b != nil && b.low > 0 {
		if p := b.records[b.low-1].Position(); p.Compare(f.before) > 0 {
			return clone(p)
		}
	}
	return f.before
}

func (f *flight) empty() bool { return f.first == nil }

// ascending is about what Position.Compare says, and quick about what the
// daemon sends: numbers of one length, whose order as text is the same.
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

// weight is what a batch holds of memory, and what each record of it that is
// kept holds too.
func weight(records []processor.Record) int64 {
	total := 0
	for i := range records {
		total += records[i].Size()
	}
	return int64(total)
}

// clone lets go of the batch whose memory the position is in.
func clone(p processor.Position) processor.Position {
	p.SequenceNumber = strings.Clone(p.SequenceNumber)
	return p
}
