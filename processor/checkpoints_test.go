package processor

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/protocol"
)

func asked(sequenceNumber string) *checkpointRequest {
	return &checkpointRequest{ctx: context.Background(), position: Position{SequenceNumber: sequenceNumber}}
}

// expectSent fails the test unless want is what the queue sends next.
func expectSent(t *testing.T, q *checkpointQueue, want *checkpointRequest) {
	t.Helper()
	if got := q.send(); got != want {
		t.Fatalf("sent %+v, want %+v", got, want)
	}
}

var throttled = protocol.Checkpoint{Error: "ThrottlingException"}

// Requests are sent one at a time, in their order; one that came after the method's
// return waits for the next action.
func TestCheckpointQueueOrder(t *testing.T) {
	var q checkpointQueue
	a, b, late := asked("1"), asked("2"), asked("3")
	expectSent(t, &q, nil)
	q.add(a, false)
	q.add(late, true)
	q.add(b, false)
	expectSent(t, &q, a)
	expectSent(t, &q, nil)
	if got, wait := q.answered(protocol.Checkpoint{}); got != a || wait != 0 {
		t.Errorf("answered %+v, wait %v; want %+v, 0", got, wait, a)
	}
	expectSent(t, &q, b)
	q.answered(protocol.Checkpoint{})
	expectSent(t, &q, nil)
	q.actionAnswered()
	expectSent(t, &q, late)
}

// A throttled request is sent again before all others, as often as it may be.
func TestCheckpointQueueRetries(t *testing.T) {
	q := checkpointQueue{retries: 8}
	a, b := asked("1"), asked("2")
	q.add(a, false)
	q.add(b, false)
	for attempt := range 9 {
		expectSent(t, &q, a)
		_, wait := q.answered(throttled)
		longest := min(100*time.Millisecond<<attempt, 5*time.Second)
		if last := attempt == 8; last != (wait == 0) || wait > longest {
			t.Fatalf("attempt %d: wait %v, want up to %v, and 0 after the last", attempt, wait, longest)
		} else if !last {
			expectSent(t, &q, nil) // while it waits
		}
		q.retry()
	}
	if a.attempts != 9 {
		t.Errorf("attempts %d, want 9", a.attempts)
	}
	expectSent(t, &q, b)
}

// Other failures are final.
func TestCheckpointQueueFailure(t *testing.T) {
	q := checkpointQueue{retries: 8}
	a := asked("1")
	q.add(a, false)
	expectSent(t, &q, a)
	if got, wait := q.answered(protocol.Checkpoint{Error: "InvalidStateException"}); got != a || wait != 0 || q.underWay() {
		t.Errorf("answered %+v, wait %v, under way %v; want %+v, 0, false", got, wait, q.underWay(), a)
	}
}

func TestCheckpointQueuePassesOverWhoHasLeft(t *testing.T) {
	var q checkpointQueue
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	left, b := asked("1"), asked("2")
	left.ctx = ctx
	q.add(left, false)
	q.add(b, false)
	expectSent(t, &q, b)
	if left.attempts != 0 {
		t.Errorf("attempts %d, want 0", left.attempts)
	}
}

// With the lease gone, all requests are dropped but the one that the daemon has, and
// that one is not sent again.
func TestCheckpointQueueDrop(t *testing.T) {
	q := checkpointQueue{retries: 8}
	a, b, late := asked("1"), asked("2"), asked("3")
	q.add(a, false)
	q.add(b, false)
	q.add(late, true)
	expectSent(t, &q, a)
	if got, want := q.drop(), []*checkpointRequest{b, late}; !slices.Equal(got, want) {
		t.Errorf("dropped %v, want %v", got, want)
	}
	if _, wait := q.answered(throttled); wait != 0 || q.underWay() {
		t.Errorf("wait %v, under way %v; want 0, false", wait, q.underWay())
	}

	q = checkpointQueue{retries: 8}
	q.add(a, false)
	q.add(b, false)
	expectSent(t, &q, a)
	q.answered(throttled)
	if got, want := q.drop(), []*checkpointRequest{a, b}; !slices.Equal(got, want) {
		t.Errorf("dropped %v, want %v", got, want)
	}
	q.retry() // its timer was late
	expectSent(t, &q, nil)
}
