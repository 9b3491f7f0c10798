package handle

import (
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// keyQueue has the records that are handled one after another: those of one
// partition key or, with a concurrency of 1, of the shard.
type keyQueue struct {
	key   string
	items []item
	// pieces are the sizes of the next calls of a batch handler, the last element
	// first. The items beyond their sum are not divided yet.
	pieces []int
	state  queueState
	wake   time.Time // when waiting
}

type queueState int

const (
	idle    queueState = iota // nothing to do, or stopped
	ready                     // in leaseLoop.ready
	busy                      // a job has its first items
	waiting                   // until wake, in leaseLoop.waiting
)

// item is a record that is not finished.
type item struct {
	batch  *batch
	index  int
	failed *failureState // nil before its first failure
}

func (it *item) record() *processor.Record { return &it.batch.records[it.index] }

// attempt returns the number of the item's next attempt, from 1.
func (it *item) attempt() int {
	if it.failed == nil {
		return 1
	}
	return it.failed.attempts + 1
}

// isDeadLetter reports whether the item's next step is the dead-letter sink.
func (it *item) isDeadLetter() bool { return it.failed != nil && it.failed.deadLetter }

// failureState is the state of a record that has failed.
type failureState struct {
	attempts     int       // calls that failed for this record, alone or by its name
	since        time.Time // its first failure
	err          error     // of its last failure
	reason       Reason    // why it is given up; empty before
	deadLetter   bool      // its next step is the dead-letter sink
	sinkFailures int
}

// nextPiece returns how many of the first items the next call of a batch handler
// gets, at most size.
func (q *keyQueue) nextPiece(size int) int {
	if len(q.pieces) == 0 {
		q.pieces = append(q.pieces, min(size, len(q.items)))
	}
	n := q.pieces[len(q.pieces)-1]
	for i := range n {
		if q.items[i].isDeadLetter() {
			return i // which has a job of its own
		}
	}
	return n
}

// split halves the first piece, of which n items failed together.
func (q *keyQueue) split(n int) {
	q.shrink(n)
	q.pieces = append(q.pieces, n-n/2, n/2)
}

// drop removes the first n items, which are finished.
func (q *keyQueue) drop(n int) {
	q.shrink(n)
	clear(q.items[:n]) // which refer to their batch
	q.items = q.items[n:]
	if len(q.items) == 0 {
		q.items = nil
	}
}

// keep removes the first n items except those in failed.
func (q *keyQueue) keep(n int, failed Failures) {
	q.shrink(n - len(failed))
	to := n
	for i := n - 1; i >= 0; i-- {
		if _, ok := failed[i]; ok {
			to--
			q.items[to] = q.items[i]
		}
	}
	clear(q.items[:to])
	q.items = q.items[to:]
}

// shrink takes n items off the first piece.
func (q *keyQueue) shrink(n int) {
	last := len(q.pieces) - 1
	if last < 0 {
		return
	}
	if q.pieces[last] -= n; q.pieces[last] <= 0 {
		q.pieces = q.pieces[:last]
	}
}

// byWake orders queues for container/heap.
type byWake []*keyQueue

func (h byWake) Len() int           { return len(h) }
func (h byWake) Less(i, j int) bool { return h[i].wake.Before(h[j].wake) }
func (h byWake) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *byWake) Push(x any)        { *h = append(*h, x.(*keyQueue)) }
func (h *byWake) Pop() any {
	old := *h
	q := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return q
}
