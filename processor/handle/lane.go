package handle

import (
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// lane is what is handled one after another: the records of one partition key
// or, with one worker, of the shard.
type lane struct {
	key   string
	items []item
	// pieces says into which calls of a batch handler the first items go: the
	// last element first. Fewer than there are items, or none: the rest is not
	// divided.
	pieces []int
	state  laneState
	wake   time.Time // when waiting
}

type laneState int

const (
	idle    laneState = iota // nothing to do, or never again (stopped, failed)
	ready                    // in owner.ready
	busy                     // a worker has its first items
	waiting                  // for wake, in owner.waiting
)

// item is a record that is not finished.
type item struct {
	batch   *batch
	index   int
	trouble *trouble // nil before its first failure
}

func (it *item) record() *processor.Record { return &it.batch.records[it.index] }

// attempt numbers the item's next attempt from 1.
func (it *item) attempt() int {
	if it.trouble == nil {
		return 1
	}
	return it.trouble.failures + 1
}

// buried reports whether the item's next step is the dead-letter sink.
func (it *item) buried() bool { return it.trouble != nil && it.trouble.bury }

// trouble is the history of a record that has failed.
type trouble struct {
	failures     int // of calls that failed for this record: alone, or by its name
	since        time.Time
	err          error
	reason       Reason // why it is given up; empty before
	bury         bool
	sinkFailures int
}

// piece returns how many of the first items a batch handler gets next, of size
// at most.
func (l *lane) piece(size int) int {
	if len(l.pieces) == 0 {
		l.pieces = append(l.pieces, min(size, len(l.items)))
	}
	n := l.pieces[len(l.pieces)-1]
	for i := range n {
		if l.items[i].buried() {
			return i // its letter goes by itself
		}
	}
	return n
}

// split halves the first piece, of which n items failed together.
func (l *lane) split(n int) {
	l.shrink(n)
	l.pieces = append(l.pieces, n-n/2, n/2)
}

// drop lets go of the first n items, which are finished.
func (l *lane) drop(n int) {
	l.shrink(n)
	clear(l.items[:n]) // or they would hold on to their batch
	l.items = l.items[n:]
	if len(l.items) == 0 {
		l.items = nil
	}
}

// keep lets go of those of the first n items that are not in failed.
func (l *lane) keep(n int, failed Failures) {
	l.shrink(n - len(failed))
	to := n
	for i := n - 1; i >= 0; i-- {
		if _, ok := failed[i]; ok {
			to--
			l.items[to] = l.items[i]
		}
	}
	clear(l.items[:to])
	l.items = l.items[to:]
}

// shrink takes n items off the first piece.
func (l *lane) shrink(n int) {
	last := len(l.pieces) - 1
	if last < 0 {
		return
	}
	if l.pieces[last] -= n; l.pieces[last] <= 0 {
		l.pieces = l.pieces[:last]
	}
}

// byWake orders lanes for container/heap.
type byWake []*lane

func (h byWake) Len() int           { return len(h) }
func (h byWake) Less(i, j int) bool { return h[i].wake.Before(h[j].wake) }
func (h byWake) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *byWake) Push(x any)        { *h = append(*h, x.(*lane)) }
func (h *byWake) Pop() any {
	old := *h
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return l
}
