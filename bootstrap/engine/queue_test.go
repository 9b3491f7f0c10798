package engine

import (
	"fmt"
	"reflect"
	"testing"
)

// What is not taken stays in order and bounded: log records are dropped and
// counted, and of what a newer event says again only that is kept.
func TestQueue(t *testing.T) {
	t.Parallel()
	q := newQueue()
	var want []Event
	q.add(Ready)
	want = append(want, Ready)
	for i := range mostRecords {
		q.add(LogRecord{Message: fmt.Sprint(i)})
		want = append(want, LogRecord{Message: fmt.Sprint(i)})
	}
	for i := range mostEvents {
		q.add(LogRecord{Message: "dropped", Dropped: 1})
		q.add(LeaseBroken{Lease: int64(i)})
		want = append(want, LeaseBroken{Lease: int64(i)})
	}
	for range mostEvents {
		for _, e := range []Event{
			Leases{[]string{"old"}}, Task{LeaseKey: "a", Task: "x"}, Recovered{"a"}, ShardError{LeaseKey: "a"}, ShardError{LeaseKey: "b"}, Recovered{"b"},
		} {
			q.add(e)
		}
	}
	last := []Event{
		ShardError{LeaseKey: "b"},
		Leases{[]string{"new"}},
		Task{LeaseKey: "a", Task: "x", OK: true},
		Task{LeaseKey: "b", Task: "x"},
		Task{LeaseKey: "a", Task: "y"},
		Recovered{"a"},
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
	want = append(want, LogRecord{Message: "last", Dropped: 2*mostEvents + 3})
	if got := take(2 * len(want)); !reflect.DeepEqual(got, want[2:]) {
		t.Errorf("got  %d: %v\nwant %d: %v", len(got), got[max(0, len(got)-9):], len(want)-2, want[len(want)-9:])
	}
}
