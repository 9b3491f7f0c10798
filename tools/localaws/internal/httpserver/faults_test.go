package httpserver

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/fault"
)

// A rule starts after After and ends after For, and applies only to calls of its
// operation.
func TestFaultsByTimeAndOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := NewFaults([]string{"PutRecord", "PutRecords"}, fault.InternalError, fault.Throttle)
		if err := f.Set([]fault.Rule{{Kind: fault.InternalError, Operation: "PutRecord", Rate: 1, After: 10 * time.Second, For: time.Minute}}); err != nil {
			t.Fatal(err)
		}
		set := time.Now()
		for _, c := range []struct {
			at   time.Duration
			want bool
		}{
			{0, false}, {10*time.Second - 1, false}, {10 * time.Second, true}, {70*time.Second - 1, true}, {70 * time.Second, false}, {24 * time.Hour, false},
		} {
			time.Sleep(time.Until(set.Add(c.at)))
			if _, hit := f.Apply(fault.InternalError, Call{Operation: "PutRecord"}); hit != c.want {
				t.Errorf("%s after it was set: hit %t, want %t", c.at, hit, c.want)
			}
			if _, hit := f.Apply(fault.InternalError, Call{Operation: "PutRecords"}); hit {
				t.Errorf("%s after it was set: a call of another operation is hit", c.at)
			}
			if _, hit := f.Apply(fault.Throttle, Call{Operation: "PutRecord"}); hit {
				t.Errorf("%s after it was set: another kind hits", c.at)
			}
		}
		if hits := f.report()[0].Hits; hits != 2 {
			t.Errorf("%d hits are reported, want 2", hits)
		}
	})
}
