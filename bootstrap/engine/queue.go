package engine

import (
	"slices"
	"sync"
)

// A queue has the events that wait for Config.Event, in order. It is bounded: it has
// at most maxRecords log records, and beyond maxEvents it drops each event that a newer
// one replaces.
type queue struct {
	mu      sync.Mutex
	more    sync.Cond
	events  []Event
	records int // the number of LogRecords in events
	dropped int // LogRecords dropped since the last one that was added
	ended   bool
}

const (
	maxRecords = 1000
	maxEvents  = 2 * maxRecords
)

func newQueue() *queue {
	q := &queue{}
	q.more.L = &q.mu
	return q
}

// add adds an event. It never blocks.
func (q *queue) add(e Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if record, ok := e.(LogRecord); ok {
		if q.records >= maxRecords {
			q.dropped += 1 + record.Dropped
			return
		}
		record.Dropped += q.dropped
		q.dropped = 0
		q.records++
		e = record
	}
	if len(q.events) >= maxEvents {
		q.events = slices.DeleteFunc(q.events, func(old Event) bool { return replaces(e, old) })
	}
	q.events = append(q.events, e)
	q.more.Signal()
}

// replaces reports whether the event old is not needed after e.
func replaces(e, old Event) bool {
	switch e := e.(type) {
	case Leases:
		_, ok := old.(Leases)
		return ok
	case TaskOutcome:
		old, ok := old.(TaskOutcome)
		return ok && old.LeaseKey == e.LeaseKey && old.Task == e.Task
	case ShardError:
		return shardOf(old) == e.LeaseKey
	case ShardRecovered:
		return shardOf(old) == e.LeaseKey
	}
	return false
}

// shardOf returns the lease key of an event about whether a shard can be read, and ""
// for other events.
func shardOf(e Event) string {
	switch e := e.(type) {
	case ShardError:
		return e.LeaseKey
	case ShardRecovered:
		return e.LeaseKey
	}
	return ""
}

// end makes next return false after the events that are in the queue.
func (q *queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	q.more.Signal()
}

// next waits for the next event. It returns false after the last one.
func (q *queue) next() (Event, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.events) == 0 && !q.ended {
		q.more.Wait()
	}
	if len(q.events) == 0 {
		return nil, false
	}
	e := q.events[0]
	q.events = q.events[1:]
	if _, ok := e.(LogRecord); ok {
		q.records--
	}
	return e, true
}
