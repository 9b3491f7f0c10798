package activity

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

var now = time.Unix(1_700_000_000, 0)

// item returns an item with the attributes in name, value pairs, of strings and ints.
func item(pairs ...any) kcl.Item {
	it := kcl.Item{}
	for i := 0; i < len(pairs); i += 2 {
		switch v := pairs[i+1].(type) {
		case string:
			it[pairs[i].(string)] = &ddb.AttributeValueMemberS{Value: v}
		case int:
			it[pairs[i].(string)] = &ddb.AttributeValueMemberN{Value: fmt.Sprint(v)}
		}
	}
	return it
}

func lease(key, owner string, counter int) kcl.Item {
	it := item(kcl.LeaseKey, key, kcl.LeaseCounter, counter)
	if owner != "" {
		it[kcl.LeaseOwner] = &ddb.AttributeValueMemberS{Value: owner}
	}
	return it
}

func worker(id string, age time.Duration) kcl.Item {
	return item(kcl.WorkerID, id, kcl.LastUpdate, int(now.Add(-age).Unix()))
}

func lock(owner, version string) kcl.Item {
	return item(kcl.StateKey, kcl.LeaderKey, kcl.LockOwner, owner, kcl.LockVersion, version)
}

func TestRecentReport(t *testing.T) {
	tests := []struct {
		age  time.Duration
		want string
	}{
		{0, "worker w reported 0 s ago"},
		{89 * time.Second, "worker w reported 89 s ago"},
		{90 * time.Second, ""},
		{24 * time.Hour, ""},
		{-time.Hour, "worker w reported 0 s ago"}, // its clock is ahead
	}
	for _, tt := range tests {
		s := Snapshot{Workers: []kcl.Item{worker("old", 48*time.Hour), worker("w", tt.age)}}
		if got := s.RecentReport(now); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.age, got, tt.want)
		}
		quiet := s.TimeUntilQuiet(now)
		if got := s.RecentReport(now.Add(quiet)); (quiet > 0) != (tt.want != "") || quiet > MaxReportAge || got != "" && tt.age >= 0 {
			t.Errorf("age %v: quiet after %v, then %q, want no report then", tt.age, quiet, got)
		}
	}
	if got := (Snapshot{}).RecentReport(now); got != "" {
		t.Errorf("without workers: got %q, want none", got)
	}
}

func TestWatch(t *testing.T) {
	released := lock("w", "1")
	released[kcl.LockReleased] = &ddb.AttributeValueMemberS{Value: "1"}
	handedOver := lease("a", "", 3)
	handedOver[kcl.CheckpointOwner] = &ddb.AttributeValueMemberS{Value: "w"}
	old := []kcl.Item{worker("w", time.Hour)}
	tests := []struct {
		name string
		s    Snapshot
		want time.Duration
	}{
		{"empty tables", Snapshot{}, 0},
		{"seeded leases", Snapshot{Leases: []kcl.Item{lease("a", "", 0)}}, 0},
		{"an old worker without leases", Snapshot{Workers: old}, 0},
		{"leases of a worker that reports", Snapshot{Leases: []kcl.Item{lease("a", "w", 5)}, Workers: old}, WatchReported},
		{"leases of one that does not", Snapshot{Leases: []kcl.Item{lease("a", "w", 5), lease("b", "v", 5)}, Workers: old}, WatchUnreported},
		{"a lease being handed over", Snapshot{Leases: []kcl.Item{handedOver}}, WatchUnreported},
		{"a leader that reports", Snapshot{Leader: lock("w", "1"), Workers: old}, WatchReported},
		{"a leader that does not", Snapshot{Leader: lock("v", "1"), Workers: old}, WatchUnreported},
		{"a released leader lock", Snapshot{Leader: released}, 0},
	}
	for _, tt := range tests {
		if got := tt.s.WatchTime(); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestChange(t *testing.T) {
	before := Snapshot{
		Leases:  []kcl.Item{lease("a", "w", 5), lease("b", "", 0)},
		Workers: []kcl.Item{worker("w", time.Hour)},
		Leader:  lock("w", "1"),
	}
	tests := []struct {
		name  string
		after func(s *Snapshot)
		want  string
	}{
		{"nothing", func(*Snapshot) {}, ""},
		{"a lease gone", func(s *Snapshot) { s.Leases = s.Leases[:1] }, ""},
		{"the lock gone", func(s *Snapshot) { s.Leader = nil }, ""},
		{"a renewal", func(s *Snapshot) { s.Leases = []kcl.Item{lease("a", "w", 6)} }, "worker w renewed lease a"},
		{"a new lease", func(s *Snapshot) { s.Leases = append(s.Leases[:2:2], lease("c", "", 0)) }, "lease c was created"},
		{"the leader lock", func(s *Snapshot) { s.Leader = lock("w", "2") }, "leader lock"},
		{"a report", func(s *Snapshot) { s.Workers = []kcl.Item{worker("w", 0)} }, "worker w reported"},
		{"a new worker", func(s *Snapshot) { s.Workers = append(s.Workers[:1:1], worker("v", 0)) }, "worker v reported"},
	}
	for _, tt := range tests {
		after := before
		tt.after(&after)
		if got := Change(before, after); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestAlive(t *testing.T) {
	moving := lease("d", "new", 2)
	moving[kcl.CheckpointOwner] = &ddb.AttributeValueMemberS{Value: "old"}
	before := Snapshot{
		Leases:  []kcl.Item{lease("a", "renews", 1), lease("b", "gone", 1), lease("c", "reports", 1), lease("d", "new", 1)},
		Workers: []kcl.Item{worker("reports", time.Hour), worker("gone", time.Hour)},
	}
	after := Snapshot{
		Leases:  []kcl.Item{lease("a", "renews", 2), lease("b", "gone", 1), lease("c", "reports", 1), moving},
		Workers: []kcl.Item{worker("reports", 0), worker("gone", time.Hour)},
	}
	want := map[string]bool{"renews": true, "reports": true, "old": true}
	if got := ActiveWorkers(before, after); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
