package check

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// corruptions are what each check must find. A corruption reports false if the history has
// no place for it.
var corruptions = []struct {
	name, check string
	corrupt     func(*history) bool
}{
	{"a record in no file", Missing, func(h *history) bool {
		a := h.acks[h.IntN(len(h.acks))]
		for name, all := range h.files {
			h.files[name] = slices.DeleteFunc(all, func(w *written) bool { return w.Seq == a.Seq })
		}
		return true
	}},
	{"another record in its place", Missing, func(h *history) bool {
		w := h.line()
		other := h.line()
		w.N, w.Key = other.N, other.Key
		return slices.ContainsFunc(h.acks, func(a Ack) bool { return a.Seq == w.Seq && a.N != w.N })
	}},
	{"a record that was never put", Missing, func(h *history) bool {
		h.line().N = h.n + 1
		return true
	}},
	{"a record of another key", Missing, func(h *history) bool {
		h.line().Key = "other"
		return true
	}},
	{"a line twice", Duplicates, func(h *history) bool {
		name, i := h.place()
		w := *h.files[name][i]
		w.born = len(h.snapshots)
		h.files[name] = append(h.files[name], &w)
		return true
	}},
	{"two records of a key change places in a file", Order, func(h *history) bool {
		name, i := h.place()
		all := h.files[name]
		for j := range all[:i] {
			if all[j].Key == all[i].Key && all[j].N < all[i].N && h.first(all[i]) && h.first(all[j]) {
				all[i].Record, all[j].Record = all[j].Record, all[i].Record
				return true
			}
		}
		return false
	}},
	{"a record before one of its key, on another host", Order, func(h *history) bool {
		w := h.line()
		for _, all := range h.files {
			for _, v := range all {
				if v.Key == w.Key && v.N < w.N && h.first(v) && h.first(w) {
					w.At = 1
					return true
				}
			}
		}
		return false
	}},
	{"a line that was not there at its checkpoint", Checkpoints, func(h *history) bool {
		w := h.line()
		acked := slices.ContainsFunc(h.acks, func(a Ack) bool { return a.Seq == w.Seq })
		covered := slices.IndexFunc(h.snapshots, func(s Snapshot) bool {
			return slices.ContainsFunc(s.Leases, func(l Lease) bool {
				return h.shardOf(w.Seq) == l.Shard && (l.Checkpoint == w.Seq || acked && place{l.Checkpoint, 0}.compare(w.place()) > 0)
			})
		})
		if covered < 0 {
			return false
		}
		for name, all := range h.files { // nor were the lines after it
			behind := false
			for _, v := range all {
				if behind = behind || v.Seq == w.Seq; behind && strings.Contains(name, h.shardOf(w.Seq)) {
					v.born = max(v.born, covered+1)
				}
			}
		}
		return true
	}},
	{"a checkpoint of what is in no file yet", Checkpoints, func(h *history) bool {
		s := h.snapshots[h.IntN(len(h.snapshots))]
		if len(s.Leases) == 0 {
			return false
		}
		l := &s.Leases[h.IntN(len(s.Leases))]
		if l.Checkpoint == ShardEnd {
			return false
		}
		l.Checkpoint = "999999"
		return true
	}},
	{"an end that is checkpointed early", Checkpoints, func(h *history) bool {
		for i, s := range h.snapshots {
			for j, l := range s.Leases {
				for _, all := range h.files {
					for _, w := range all {
						if h.shardOf(w.Seq) == l.Shard && slices.ContainsFunc(h.acks, func(a Ack) bool { return a.Seq == w.Seq }) && h.born(w.Seq) > i {
							h.snapshots[i].Leases[j].Checkpoint = ShardEnd
							return true
						}
					}
				}
			}
		}
		return false
	}},
	{"a former owner writes on", Owners, func(h *history) bool {
		former, next, ok := h.pair()
		if !ok {
			return false
		}
		for i := range 2 {
			h.files[former.host+"/data/"+former.Shard+".jsonl"] = append(h.files[former.host+"/data/"+former.Shard+".jsonl"], &written{Record{
				N: 1, Seq: fmt.Sprint(900_000 + i), Session: former.Session, Batch: 100 + i, At: next.At + 1,
			}, len(h.snapshots)})
		}
		return true
	}},
	{"a checkpoint of a former owner", Owners, func(h *history) bool {
		former, next, ok := h.pair()
		if !ok {
			return false
		}
		h.events[former.host] = append(h.events[former.host], Event{
			Session: former.Session, Shard: former.Shard, Event: "checkpoint", Seq: "900000", Asked: next.At + 1, At: next.At + 2,
		})
		return true
	}},
	{"a checkpoint is forgotten", Owners, func(h *history) bool {
		former, next, ok := h.pair()
		if !ok {
			return false
		}
		h.events[former.host] = append(h.events[former.host], Event{
			Session: former.Session, Shard: former.Shard, Event: "checkpoint", Seq: "900000", Asked: former.At, At: next.At - 1,
		})
		return true
	}},
	{"the table's checkpoint goes back", Owners, func(h *history) bool {
		for i, s := range h.snapshots[:len(h.snapshots)-1] {
			for _, l := range s.Leases {
				for j, after := range h.snapshots[i+1].Leases {
					if after.Shard == l.Shard && l.Checkpoint != "TRIM_HORIZON" {
						h.snapshots[i+1].Leases[j].Checkpoint = "TRIM_HORIZON"
						return true
					}
				}
			}
		}
		return false
	}},
	{"a session without a begin", Owners, func(h *history) bool {
		w := h.line()
		w.Session = "nobody"
		return true
	}},
	{"an owner is left", Rest, func(h *history) bool {
		h.last().Leases[0].Owner = "host1"
		return true
	}},
	{"the leader's lock is left", Rest, func(h *history) bool {
		h.last().Leader = "host1"
		return true
	}},
	{"the last checkpoint is missing", Rest, func(h *history) bool {
		for i, l := range h.last().Leases {
			if l.Checkpoint != ShardEnd && l.Checkpoint != "TRIM_HORIZON" {
				h.last().Leases[i].Checkpoint = "1"
				return true
			}
		}
		return false
	}},
	{"a shard has no lease", Rest, func(h *history) bool {
		for _, l := range h.last().Leases {
			if l.Checkpoint != ShardEnd && l.Checkpoint != "TRIM_HORIZON" {
				for i := range h.snapshots {
					h.snapshots[i].Leases = slices.DeleteFunc(h.snapshots[i].Leases, func(of Lease) bool { return of.Shard == l.Shard })
				}
				return true
			}
		}
		return false
	}},
	{"the run was broken off", Rest, func(h *history) bool {
		h.last().Rest = false
		return true
	}},
}

func (h *history) place() (name string, i int) {
	var names []string
	for name := range h.files {
		names = append(names, name)
	}
	slices.Sort(names)
	name = names[h.IntN(len(names))]
	return name, h.IntN(len(h.files[name]))
}

func (h *history) line() *written {
	name, i := h.place()
	return h.files[name][i]
}

func (h *history) last() *Snapshot { return &h.snapshots[len(h.snapshots)-1] }

// first reports whether a line is of the first record that a repeated put made.
func (h *history) first(w *written) bool {
	for _, s := range h.shards {
		for _, r := range s.records {
			if r.N == w.N {
				return r.Seq == w.Seq
			}
		}
	}
	return false
}

func (h *history) shardOf(seq string) string {
	for _, s := range h.shards {
		for _, r := range s.records {
			if r.Seq == seq {
				return s.id
			}
		}
	}
	return ""
}

// born returns the first snapshot by which a record was in some file.
func (h *history) born(seq string) int {
	born := len(h.snapshots)
	for _, all := range h.files {
		for _, w := range all {
			if w.Seq == seq {
				born = min(born, w.born)
			}
		}
	}
	return born
}

type begin struct {
	Event
	host string
}

// pair returns the begins of a session and of the next one of its shard.
func (h *history) pair() (former, next begin, ok bool) {
	var all []begin
	for host, events := range h.events {
		for _, e := range events {
			if e.Event == "initialize" {
				all = append(all, begin{e, host})
			}
		}
	}
	slices.SortFunc(all, func(a, b begin) int { return int(a.At - b.At) })
	for i, a := range all {
		for _, b := range all[i+1:] {
			if a.Shard == b.Shard {
				return a, b, true
			}
		}
	}
	return begin{}, begin{}, false
}

// A correct run passes, and each corruption is found by its check.
func TestCheck(t *testing.T) {
	const seeds = 40
	for seed := range uint64(seeds) {
		good(t, newHistory(seed))
	}
	for _, s := range corruptions {
		t.Run(s.name, func(t *testing.T) {
			done := 0
			for seed := uint64(0); seed < seeds && done < 5; seed++ {
				h := newHistory(seed)
				if s.corrupt(h) {
					done++
					if r := h.check(t); r.breaches(s.check) == 0 {
						t.Errorf("seed %d: not found: %+v", seed, r)
					}
				}
			}
			if done < 5 {
				t.Errorf("%d of %d histories had a place for it", done, seeds)
			}
		})
	}
}

// breaches returns the number of breaches that a check has found.
func (r Report) breaches(check string) int {
	for _, f := range r.Found {
		if f.Check == check {
			return len(f.Breaches)
		}
	}
	panic("no such check: " + check)
}

func good(t testing.TB, h *history) {
	t.Helper()
	r := h.check(t)
	if r.Records == 0 || r.Written < r.Records {
		t.Errorf("%d records acknowledged, %d written: nothing to check", r.Records, r.Written)
	}
	for _, f := range r.Found {
		for _, b := range f.Breaches {
			t.Errorf("%s: %s", f.Check, b)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(uint64(1), uint(0))
	f.Fuzz(func(t *testing.T, seed uint64, which uint) {
		good(t, newHistory(seed))
		h := newHistory(seed)
		if s := corruptions[which%uint(len(corruptions))]; s.corrupt(h) {
			if h.check(t).breaches(s.check) == 0 {
				t.Errorf("not found: %s", s.name)
			}
		}
	})
}

func TestGaps(t *testing.T) {
	ack1 := func(n int64, at int64) Ack { return Ack{N: n, Shard: "s", Seq: fmt.Sprint(n), At: at} }
	wrote := func(n int64, at int64) Record { return Record{N: n, Seq: fmt.Sprint(n), At: at} }
	for name, c := range map[string]struct {
		acks  []Ack
		lines []Record
		want  []Gap
	}{
		"idle is no gap":                    {[]Ack{ack1(1, 10), ack1(2, 9000)}, []Record{wrote(1, 20), wrote(2, 9005)}, nil},
		"a record waits":                    {[]Ack{ack1(1, 10), ack1(2, 50)}, []Record{wrote(1, 20), wrote(2, 500)}, []Gap{{"s", 50, 500, 450}}},
		"one after the other is no gap":     {[]Ack{ack1(1, 10), ack1(2, 10), ack1(3, 10)}, []Record{wrote(1, 80), wrote(2, 160), wrote(3, 240)}, nil},
		"written before it is acknowledged": {[]Ack{ack1(1, 500), ack1(2, 500)}, []Record{wrote(1, 10), wrote(2, 20)}, nil},
		"to the end":                        {[]Ack{ack1(1, 10)}, nil, []Gap{{"s", 10, 10_000, 0}}},
		"written twice":                     {[]Ack{ack1(1, 10), ack1(2, 15)}, []Record{wrote(1, 20), wrote(1, 300), wrote(2, 310)}, []Gap{{"s", 20, 310, 295}}},
	} {
		r := Run{acks: c.acks, files: []shardFile{{shard: "s", lines: c.lines}}, snapshots: []Snapshot{{At: 10_000}}}
		if got := r.Gaps(100); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
