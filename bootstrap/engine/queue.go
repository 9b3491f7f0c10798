package engine

import (
	"slices"
	"sync"
)

// A queue has the events that Config.Event has not taken yet, in order. However
// long that takes, they stay few: of log records there are at most mostRecords,
// and beyond mostEvents none that a newer one says again.
type queue struct {
	mu      sync.Mutex
	more    sync.Cond
	events  []Event
	records int // of them are LogRecords
	dropped int // LogRecords since the last one that was not
	ended   bool
}

const (
	mostRecords = 1000
	mostEvents  = 2 * mostRecords
)

func newQueue() *queue {
	q := &queue{}
	q.more.L = &q.mu
	return q
}

// add never blocks.
func (q *queue) add(e Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if record, ok := e.(LogRecord); ok {
		if q.records >= mostRecords {
			q.dropped += 1 + record.Dropped
			return
		}
		record.Dropped += q.dropped
		q.dropped = 0
		q.records++
		e = record
	}
	if len(q.events) >= mostEvents {
		q.events = slices.DeleteFunc(q.events, func(old Event) bool { return supersedes(e, old) })
	}
	q.events = append(q.events, e)
	q.more.Signal()
}

// supersedes tells whether who has not heard the old event need not, after e.
func supersedes(e, old Event) bool {
	switch e := e.(type) {
	case Leases:
		_, ok := old.(Leases)
		return ok
	case Task:
		old, ok := old.(Task)
		return ok && old.LeaseKey == e.LeaseKey && old.Task == e.Task
	case ShardError:
		return readingOf(old) == e.LeaseKey
	case Recovered:
		return readingOf(old) == e.LeaseKey
	}
	return false
}

// readingOf returns the lease key of the shard that an event says is read, or is
// not; empty for other events.
func readingOf(e Event) string {
	switch e := e.(type) {
	case ShardError:
		return e.LeaseKey
	case Recovered:
		return e.LeaseKey
	}
	return ""
}

// end says that no more are added.
func (q *queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	q.more.Signal()
}

// next waits for the next event, and returns false after the last one.
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
