package core

import (
	"fmt"
	"slices"
	"sort"
	"sync/atomic"
	"time"
	"unsafe"
)

// Shard describes a shard as ListShards shows it.
type Shard struct {
	ID             string
	Parent         string // "" for none
	AdjacentParent string // the second parent of a merged shard, "" for none
	HashKeys       HashKeyRange
	First          SequenceNumber // below every record of the shard
	Last           SequenceNumber // above every record of the shard; valid if Closed
	Closed         bool
}

// Record is a record of a stream. Its Data is shared and must not be changed.
type Record struct {
	Sequence     SequenceNumber
	Arrival      time.Time // to the millisecond
	PartitionKey string
	Data         []byte
}

func (r *Record) size() int { return len(r.PartitionKey) + len(r.Data) }

// memory returns the bytes that the record takes, including its slot in the shard.
func (r *Record) memory() int64 { return int64(r.size()) + int64(unsafe.Sizeof(*r)) }

// size returns the size of all records.
func size(records []Record) int {
	sum := 0
	for i := range records {
		sum += records[i].size()
	}
	return sum
}

// shard has the records of a hash key range from created until closed. Its time
// includes created and excludes closed, which is later than the arrival of every
// record; so every time belongs to exactly one generation of shards.
type shard struct {
	number  uint32
	id      string
	parents []string // IDs, up to two
	keys    HashKeyRange
	epoch   int64
	created time.Time
	closed  time.Time // zero while open

	// records[i] has the index base+i. Elements are written only once, so
	// readers may keep a part of the slice.
	records []Record
	base    uint64
	used    *atomic.Int64 // bytes of the records of all streams

	changed    chan struct{} // closed at the next change; nil while nothing waits
	throughput throughput
}

func newShard(number uint32, keys HashKeyRange, at time.Time, parents ...*shard) *shard {
	s := &shard{number: number, id: shardID(number), keys: keys, created: at, epoch: at.Unix(), base: 1}
	for _, p := range parents {
		s.parents = append(s.parents, p.id)
		s.epoch = max(s.epoch, p.epoch+1)
	}
	return s
}

func shardID(number uint32) string { return fmt.Sprintf("shardId-%012d", number) }

func (s *shard) open() bool   { return s.closed.IsZero() }
func (s *shard) next() uint64 { return s.base + uint64(len(s.records)) }

// openAt reports whether the shard was open at t.
func (s *shard) openAt(t time.Time) bool {
	return !s.created.After(t) && (s.open() || s.closed.After(t))
}

func (s *shard) describe() Shard {
	d := Shard{
		ID:       s.id,
		HashKeys: s.keys,
		First:    newSequenceNumber(s.epoch, s.number, 0, s.created.Unix()),
	}
	if len(s.parents) > 0 {
		d.Parent = s.parents[0]
	}
	if len(s.parents) > 1 {
		d.AdjacentParent = s.parents[1]
	}
	if !s.open() {
		d.Closed = true
		d.Last = newSequenceNumber(s.epoch, s.number, lastIndex, s.closed.Unix())
	}
	return d
}

// lastArrival returns the earliest arrival of the next record.
func (s *shard) lastArrival() time.Time {
	if n := len(s.records); n > 0 {
		return s.records[n-1].Arrival
	}
	return s.created
}

// append adds a record and returns its sequence number.
func (s *shard) append(partitionKey string, data []byte, now time.Time) SequenceNumber {
	arrival := later(now.Truncate(time.Millisecond), s.lastArrival())
	n := newSequenceNumber(s.epoch, s.number, s.next(), arrival.Unix())
	s.records = append(s.records, Record{Sequence: n, Arrival: arrival, PartitionKey: partitionKey, Data: data})
	s.used.Add(s.records[len(s.records)-1].memory())
	s.wake()
	return n
}

// close closes the shard at t, or a millisecond after its last record or its
// creation if that is later. It returns the time.
func (s *shard) close(t time.Time) time.Time {
	s.closed = later(t.Truncate(time.Millisecond), s.lastArrival().Add(time.Millisecond))
	s.wake()
	return s.closed
}

// firstSince returns the index of the first record that arrived at or after t.
func (s *shard) firstSince(t time.Time) uint64 {
	return s.base + uint64(sort.Search(len(s.records), func(i int) bool { return !s.records[i].Arrival.Before(t) }))
}

// trim drops the records that arrived before the horizon and returns the index of
// the first one after it. Dropping copies the rest, so trim waits until half of
// the records have expired; readers must skip to the returned index.
func (s *shard) trim(horizon time.Time) (first uint64) {
	first = s.firstSince(horizon)
	if expired := first - s.base; expired > 0 && expired >= uint64(len(s.records))/2 {
		s.drop(int(expired))
		s.compact()
	}
	return first
}

// drop drops the first n records; compact frees their memory.
func (s *shard) drop(n int) {
	var freed int64
	for i := range s.records[:n] {
		freed += s.records[i].memory()
	}
	s.used.Add(-freed)
	s.records, s.base = s.records[n:], s.base+uint64(n)
}

// compact copies the records, because readers may still use the array.
func (s *shard) compact() { s.records = slices.Clone(s.records) }

// nextChange returns a channel that is closed at the next change of the shard.
func (s *shard) nextChange() <-chan struct{} {
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}

// wake wakes all that wait for a change of the shard.
func (s *shard) wake() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// read returns the records that start at index, and the index after them. It
// returns up to limit records and maxBytes of partition keys and data, but at
// least one record if there is one.
func (s *shard) read(index uint64, limit, maxBytes int) ([]Record, uint64) {
	if index >= s.next() {
		return nil, index
	}
	from := int(index - s.base)
	to, size := from, 0
	for to < len(s.records) && to-from < limit {
		size += s.records[to].size()
		if size > maxBytes && to > from {
			break
		}
		to++
	}
	return s.records[from:to:to], s.base + uint64(to)
}

// behind returns how far a reader is behind the tip, which has been given these
// records and continues at index.
func (s *shard) behind(index uint64, given []Record, now time.Time) time.Duration {
	if index >= s.next() {
		return 0
	}
	at := s.records[index-s.base].Arrival
	if n := len(given); n > 0 {
		at = given[n-1].Arrival
	}
	return max(0, now.Sub(at))
}

// sequenceBefore returns a sequence number directly before the record at index.
func (s *shard) sequenceBefore(index uint64, now time.Time) SequenceNumber {
	if i := index - 1; i >= s.base && i < s.next() {
		return s.records[i-s.base].Sequence
	}
	return newSequenceNumber(s.epoch, s.number, index-1, later(now, s.created).Unix())
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
