package front

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/fault"
)

// A rule begins when After is over and lasts For from then on, for the calls of
// its operation only.
func TestFaultsByTimeAndOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := NewFaults([]string{"PutRecord", "PutRecords"}, fault.Error, fault.Throttle)
		if err := f.Set([]fault.Rule{{Kind: fault.Error, Operation: "PutRecord", Rate: 1, After: 10 * time.Second, For: time.Minute}}); err != nil {
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
			if _, hit := f.Hit(fault.Error, Call{Operation: "PutRecord"}); hit != c.want {
				t.Errorf("%s after it was set: hit %t", c.at, hit)
			}
			if _, hit := f.Hit(fault.Error, Call{Operation: "PutRecords"}); hit {
				t.Errorf("%s after it was set: a call of another operation is hit", c.at)
			}
			if _, hit := f.Hit(fault.Throttle, Call{Operation: "PutRecord"}); hit {
				t.Errorf("%s after it was set: another kind hits", c.at)
			}
		}
		if hits := f.report()[0].Hits; hits != 2 {
			t.Errorf("%d hits are reported", hits)
		}
	})
}
