package rewind

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	kinesis "github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

// goal is a target in the whole stream or in a shard, and the records from there on.
type goal struct {
	what    string
	targets map[string]Target
	records map[record]bool
}

// choose picks a goal.
func (w *world) choose() goal {
	g := goal{targets: map[string]Target{}, records: map[record]bool{}}
	take := func(s *shard, from func(record) bool) {
		for _, r := range s.records {
			if from(r) {
				g.records[r] = true
			}
		}
	}
	all := func(record) bool { return true }
	switch w.IntN(6) {
	case 0:
		g.what, g.targets = "TRIM_HORIZON", SameTarget(w.stream().Shards, kcl.TrimHorizon)
		for _, s := range w.shards {
			take(s, all)
		}
	case 1:
		g.what, g.targets = "LATEST", SameTarget(w.stream().Shards, kcl.Latest)
	case 2:
		var with []*shard
		for _, s := range w.shards {
			if len(s.records) > 0 {
				with = append(with, s)
			}
		}
		if len(with) == 0 {
			return w.choose()
		}
		s := with[w.IntN(len(with))]
		seq := s.records[w.IntN(len(s.records))].seq
		from := func(r record) bool { return r.seq >= seq }
		g.what = fmt.Sprintf("%d of %s", seq, s.id)
		g.targets[s.id] = s.target(from, func() int { return s.records[slices.IndexFunc(s.records, from)].time })
		take(s, from)
		var below func(*shard)
		below = func(s *shard) {
			for _, c := range s.children {
				take(c, all)
				below(c)
			}
		}
		below(s)
	default:
		t := w.IntN(w.now + 2)
		from := func(r record) bool { return r.time >= t }
		g.what = fmt.Sprintf("time %d", t)
		byID := map[string]*shard{}
		for _, s := range w.shards {
			byID[s.id] = s
			take(s, from)
		}
		for next := NextShards(w.stream().Shards, g.targets); len(next) > 0; next = NextShards(w.stream().Shards, g.targets) {
			for _, s := range next {
				g.targets[*s.ShardId] = byID[*s.ShardId].target(from, func() int { return t })
			}
		}
	}
	return g
}

// target returns the target for the records for which from returns true.
func (s *shard) target(from func(record) bool, when func() int) Target {
	i := slices.IndexFunc(s.records, from)
	if i < 0 {
		if s.end != 0 {
			return Target{Exhausted: true}
		}
		i = len(s.records)
	}
	t := Target{At: Checkpoint{Sequence: kcl.TrimHorizon}, Time: at(when())}
	if i > 0 {
		t.At = Checkpoint{Sequence: fmt.Sprint(s.records[i-1].seq)}
		if s.records[i-1].sub > 0 {
			t.At.Sub = WholeRecord
		}
	}
	return t
}

// history returns a world in which an application has read for some time. The oldest records
// may have been trimmed since.
func history(seed uint64) *world {
	w := newWorld(seed)
	steps, speed := w.IntN(40), 1+w.IntN(4)
	for range w.IntN(steps + 1) {
		w.grow()
	}
	w.begin()
	for range steps {
		w.grow()
		for range w.IntN(speed) {
			w.step()
		}
		switch w.IntN(6) {
		case 0:
			w.tidy()
		case 1:
			w.audit()
		}
	}
	if w.IntN(3) == 0 {
		for w.step() {
		}
	}
	if w.IntN(4) == 0 {
		w.trim(w.IntN(w.now + 1))
	}
	return w
}

// trim removes what is older than a time, unless a shard that is not read to its end is.
func (w *world) trim(before int) {
	old := func(s *shard) bool { return s.end != 0 && s.endTime < before }
	if slices.ContainsFunc(w.shards, func(s *shard) bool { return old(s) && w.unread(s.id) }) {
		return
	}
	w.shards = slices.DeleteFunc(w.shards, old)
	for _, s := range w.shards {
		s.records = slices.DeleteFunc(s.records, func(r record) bool { return r.time < before })
	}
}

func TestPlan(t *testing.T) {
	seeds := uint64(250)
	changed := map[string]int{}
	for seed := range seeds {
		w := history(seed)
		g := w.choose()
		fail := func(format string, args ...any) {
			t.Helper()
			t.Fatalf("seed %d, to %s: %s\n%s", seed, g.what, fmt.Sprintf(format, args...), w)
		}
		changes, err := Plan(w.stream(), g.targets)
		if err != nil {
			fail("%v", err)
		}
		for _, c := range changes {
			switch {
			case c.Before == nil:
				changed["created"]++
			case c.After == nil:
				changed["deleted"]++
			default:
				changed["set"]++
			}
		}
		want := maps.Clone(g.records)
		if g.what != "LATEST" {
			for _, r := range w.fork().run() {
				want[r] = true // not read yet
			}
		}
		whole := w.fork()
		whole.apply(changes)
		rewound := maps.Clone(whole.rows)

		// After any number of the changes, the rest is the same, and nothing is lost.
		for n := range changes {
			part := w.fork()
			part.apply(changes[:n])
			rest, err := Plan(part.stream(), g.targets)
			if err != nil {
				fail("after %d of %d changes: %v", n, len(changes), err)
			}
			started := part.fork()
			part.apply(rest)
			if !reflect.DeepEqual(part.rows, rewound) {
				fail("after %d of %d changes another end:\n%s\nwant\n%s", n, len(changes), part, whole)
			}
			if g.what == "LATEST" {
				continue
			}
			// Started too early, it may wait for a lease that is still to be made.
			got := map[record]bool{}
			note := func(read []record) {
				for _, r := range read {
					got[r] = true
				}
			}
			note(started.run())
			rest, err = Plan(started.stream(), g.targets)
			if err != nil {
				fail("after %d of %d changes and a start: %v", n, len(changes), err)
			}
			started.apply(rest)
			note(started.run())
			for r := range want {
				if !got[r] {
					fail("started after %d of %d changes, %v does not come:\n%s", n, len(changes), r, started)
				}
			}
		}

		if g.what == "LATEST" {
			if got := whole.run(); len(got) > 0 {
				fail("%v come", got)
			}
			// What comes from now on.
			for range 30 {
				old := whole.seq
				whole.grow()
				for _, s := range whole.shards {
					for _, r := range s.records {
						if r.seq > old {
							want[r] = true
						}
					}
				}
			}
			for whole.step() {
			}
		} else {
			whole.run()
		}
		last := map[int]record{}
		for _, r := range whole.read {
			if !want[r] {
				fail("%v comes, again or twice:\n%s", r, whole)
			}
			delete(want, r)
			if l := last[r.key]; l.seq > r.seq || l.seq == r.seq && l.sub > r.sub {
				fail("%v comes after %v of its key:\n%s", r, l, whole)
			}
			last[r.key] = r
		}
		for r := range want {
			fail("%v does not come:\n%s", r, whole)
		}
	}
	t.Log(changed)
	if len(changed) != 3 {
		t.Errorf("changes %v, want some that create, set and delete leases", changed)
	}
}

func TestPlanOfOneLease(t *testing.T) {
	s := &shard{id: "shardId-000000000000", high: hashes, start: 100}
	begins := kcl.Position{Kind: kcl.AtTimestamp, Time: at(50)}
	for _, tt := range []struct {
		lease   Checkpoint
		to      Target
		initial kcl.Position
		want    string // the checkpoint, or a part of the error
	}{
		{Checkpoint{kcl.AtTimestamp, 0}, Target{At: Checkpoint{"110", 0}, Time: at(49)}, begins, "110"},
		{Checkpoint{kcl.AtTimestamp, 0}, Target{At: Checkpoint{"110", 0}, Time: at(50)}, begins, "AT_TIMESTAMP"},
		{Checkpoint{kcl.AtTimestamp, 0}, Target{At: Checkpoint{"110", 0}, Time: at(50)}, kcl.Position{}, "--properties"},
		{Checkpoint{kcl.AtTimestamp, 0}, Target{At: Checkpoint{kcl.TrimHorizon, 0}}, kcl.Position{}, "TRIM_HORIZON"},
		{Checkpoint{kcl.Latest, 0}, Target{At: Checkpoint{"110", 0}, Time: at(50)}, kcl.Position{}, "110"},
		{Checkpoint{"110", 3}, Target{At: Checkpoint{"110", WholeRecord}, Time: at(50)}, kcl.Position{}, "110/3"},
		{Checkpoint{"9", 0}, Target{At: Checkpoint{"110", 0}, Time: at(50)}, kcl.Position{}, "9"},
		{Checkpoint{"", 0}, Target{At: Checkpoint{"110", 0}, Time: at(50)}, kcl.Position{}, `checkpoint ""`},
	} {
		lease := withCheckpoint(kcl.NewLease(s.kinesis(), "", "", kcl.KCL35), tt.lease)
		lease[kcl.PendingCheckpoint], lease[kcl.LeaseOwner] = lease[kcl.LeaseKey], lease[kcl.LeaseKey]
		changes, err := Plan(Stream{Shards: []kinesis.Shard{s.kinesis()}, Leases: []kcl.Item{lease}, Initial: tt.initial}, map[string]Target{s.id: tt.to})
		got := fmt.Sprint(tt.lease)
		switch {
		case err != nil:
			got = err.Error()
		case len(changes) > 0:
			after := changes[0].After
			got = fmt.Sprint(checkpointOf(after))
			if kcl.Text(after, kcl.EntityType) != "LEASE" || after[kcl.PendingCheckpoint] != nil || after[kcl.LeaseOwner] != nil || kcl.Int(after, kcl.LeaseCounter) != 2 {
				t.Errorf("%v: got %v, want a lease of KCL 3.5 without owner and pending checkpoint, and the counter 2", tt.lease, after)
			}
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("%v to %v: %s, want %s", tt.lease, tt.to.At, got, tt.want)
		}
	}
}

// The records of a shard cannot be skipped before its parent is read: KCL creates its lease
// then, at the oldest record.
func TestLatestOfAChild(t *testing.T) {
	parent := &shard{id: "shardId-000000000000", high: hashes, start: 100, end: 200}
	child := &shard{id: "shardId-000000000001", high: hashes / 2, start: 201, end: 300, parents: []*shard{parent}}
	grandchild := &shard{id: "shardId-000000000002", high: hashes / 2, start: 301, parents: []*shard{child}}
	s := Stream{Shards: []kinesis.Shard{parent.kinesis(), child.kinesis(), grandchild.kinesis()}}
	for _, tt := range []struct{ parent, child, grandchild, want string }{
		{"150", "", "", parent.id},
		{"150", kcl.TrimHorizon, "", parent.id},
		{kcl.ShardEnd, "250", "", child.id},
		{kcl.ShardEnd, "250", "310", child.id},
		{kcl.ShardEnd, kcl.ShardEnd, "310", ""},
		{"", kcl.ShardEnd, kcl.TrimHorizon, ""},
	} {
		s.Leases = nil
		for i, at := range []string{tt.parent, tt.child, tt.grandchild} {
			if at != "" {
				s.Leases = append(s.Leases, kcl.NewLease(s.Shards[i], at, "", kcl.KCL3))
			}
		}
		changes, err := Plan(s, SameTarget(s.Shards[2:], kcl.Latest))
		switch {
		case tt.want != "":
			if err == nil || !strings.Contains(err.Error(), "parent "+tt.want+", which has not been read to its end") {
				t.Errorf("%v: changes %v, error %v, want one about parent %s", tt, changes, err, tt.want)
			}
		case err != nil || len(changes) != 1 || changes[0].Key() != grandchild.id || checkpointOf(changes[0].After).Sequence != kcl.Latest:
			t.Errorf("%v: changes %v, error %v, want %s at LATEST", tt, changes, err, grandchild.id)
		}
	}
}
