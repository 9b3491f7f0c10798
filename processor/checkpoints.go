package processor

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/seed96110120/kinesis-client-go/protocol"
)

const (
	firstRetry   = 100 * time.Millisecond
	longestRetry = 5 * time.Second
)

// checkpointRequest is one call of a Checkpointer.
type checkpointRequest struct {
	ctx      context.Context
	latest   bool     // at the end of what was delivered
	position Position // zero for the end of the shard
	attempts int      // messages to the daemon
	answer   chan error
}

// checkpointQueue holds the checkpoints that were asked for and not answered. One at a
// time is under way: sent, or throttled and waiting for its retry.
type checkpointQueue struct {
	retries int // of a throttled checkpoint

	ready []*checkpointRequest // to be sent in this action, or in the next
	late  []*checkpointRequest // came after the action's method returned: for the next action

	sent      *checkpointRequest // the daemon has it
	throttled *checkpointRequest // waits for its retry
}

// add appends a request, for the next action if late.
func (q *checkpointQueue) add(r *checkpointRequest, late bool) {
	if late {
		q.late = append(q.late, r)
	} else {
		q.ready = append(q.ready, r)
	}
}

// underWay reports whether a checkpoint must be answered before anything else is sent.
func (q *checkpointQueue) underWay() bool { return q.sent != nil || q.throttled != nil }

// send returns the request to be sent now; nil if there is none. Whoever has left, as
// its context tells, is passed over.
func (q *checkpointQueue) send() *checkpointRequest {
	for !q.underWay() && len(q.ready) > 0 {
		r := q.ready[0]
		q.ready = q.ready[1:]
		if r.ctx.Err() == nil {
			r.attempts++
			q.sent = r
			return r
		}
	}
	return nil
}

// answered takes the daemon's answer to the request sent. It returns the request, and
// how long to wait before retry is called; 0 means that the answer is final.
func (q *checkpointQueue) answered(answer protocol.Checkpoint) (r *checkpointRequest, wait time.Duration) {
	r, q.sent = q.sent, nil
	if answer.Error != "ThrottlingException" || r.attempts > q.retries {
		return r, 0
	}
	q.throttled = r
	longest := min(firstRetry<<min(r.attempts-1, 10), longestRetry)
	return r, rand.N(longest) + 1
}

// retry puts the throttled request at the head of the queue.
func (q *checkpointQueue) retry() {
	if q.throttled != nil {
		q.ready = append([]*checkpointRequest{q.throttled}, q.ready...)
		q.throttled = nil
	}
}

// actionAnswered lets the late requests join the queue.
func (q *checkpointQueue) actionAnswered() {
	q.ready, q.late = q.late, nil
}

// drop empties the queue and returns what was in it. A request that the daemon has stays,
// for its answer; it is not retried.
func (q *checkpointQueue) drop() []*checkpointRequest {
	q.retry()
	all := append(q.ready, q.late...)
	q.ready, q.late, q.retries = nil, nil, 0
	return all
}
