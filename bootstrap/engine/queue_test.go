package engine

import (
	"fmt"
	"reflect"
	"testing"
)

// Guarantee: The number of events that wait for Config.Event is bounded.
//
// They stay in order. Log records are dropped and counted, and an event that a newer
// one replaces is dropped.
func TestQueue(t *testing.T) {
	t.Parallel()
	q := newQueue()
	var want []Event
	q.add(Ready)
	want = append(want, Ready)
	for i := range maxRecords {
		q.add(LogRecord{Message: fmt.Sprint(i)})
		want = append(want, LogRecord{Message: fmt.Sprint(i)})
	}
	for i := range maxEvents {
		q.add(LogRecord{Message: "dropped", Dropped: 1})
		q.add(ConversationBroken{ID: int64(i)})
		want = append(want, ConversationBroken{ID: int64(i)})
	}
	for range maxEvents {
		for _, e := range []Event{
			Leases{[]string{"old"}}, TaskOutcome{LeaseKey: "a", Task: "x"}, ShardRecovered{"a"}, ShardError{LeaseKey: "a"}, ShardError{LeaseKey: "b"}, ShardRecovered{"b"},
		} {
			q.add(e)
		}
	}
	last := []Event{
		ShardError{LeaseKey: "b"},
		Leases{[]string{"new"}},
		TaskOutcome{LeaseKey: "a", Task: "x", OK: true},
		TaskOutcome{LeaseKey: "b", Task: "x"},
		TaskOutcome{LeaseKey: "a", Task: "y"},
		ShardRecovered{"a"},
		Stopped{Complete: true},
	}
	for _, e := range last {
		q.add(e)
	}
	want = append(want, last...)
	take := func(n int) (got []Event) {
		for range n {
			e, ok := q.next()
			if !ok {
				break
			}
			got = append(got, e)
		}
		return got
	}
	if got := take(2); !reflect.DeepEqual(got, want[:2]) {
		t.Errorf("%v, want %v", got, want[:2])
	}
	q.add(LogRecord{Message: "last", Dropped: 3})
	q.end()
	want = append(want, LogRecord{Message: "last", Dropped: 2*maxEvents + 3})
	if got := take(2 * len(want)); !reflect.DeepEqual(got, want[2:]) {
		t.Errorf("got  %d: %v\nwant %d: %v", len(got), got[max(0, len(got)-9):], len(want)-2, want[len(want)-9:])
	}
}
