package check

import (
	"fmt"
	"maps"
	"slices"
)

// Report has the results of all checks.
type Report struct {
	Records int // that Kinesis has acknowledged
	Written int // lines of all shard files
	Found   []Finding
}

// A Finding has the results of one check.
type Finding struct {
	Check    string   // its name
	Breaches []string // one line each
}

// The names of the checks.
const (
	Missing     = "missing"           // each acknowledged record is in a file
	Duplicates  = "duplicates"        // no record is twice in a host's file
	Order       = "order breaks"      // the records of a key are in order; repeats of a put do not count
	Checkpoints = "early checkpoints" // no checkpoint is ahead of the disk
	Owners      = "late owners"       // a consumer that has lost its lease finishes its batch and does not checkpoint it
	Rest        = "not at rest"       // at the end all is checkpointed, and all leases and locks are free
)

var checks = []struct {
	name  string
	check func(*Run, func(format string, args ...any))
}{
	{Missing, (*Run).missing},
	{Duplicates, (*Run).duplicates},
	{Order, (*Run).order},
	{Checkpoints, (*Run).checkpoints},
	{Owners, (*Run).owners},
	{Rest, (*Run).rest},
}

// Check runs all checks.
func (r *Run) Check() Report {
	report := Report{Records: len(r.acks)}
	for _, f := range r.files {
		report.Written += len(f.lines)
	}
	for _, c := range checks {
		found := Finding{Check: c.name}
		c.check(r, func(format string, args ...any) {
			found.Breaches = append(found.Breaches, fmt.Sprintf(format, args...))
		})
		report.Found = append(report.Found, found)
	}
	return report
}

// Good reports whether no check has found anything.
func (r Report) Good() bool {
	return !slices.ContainsFunc(r.Found, func(f Finding) bool { return len(f.Breaches) > 0 })
}

// A record identifies a record of the stream.
type record struct{ shard, seq string }

// eachLine calls f with each line of the shard files, file by file.
func (r *Run) eachLine(f func(*shardFile, *Record)) {
	for i := range r.files {
		for j := range r.files[i].lines {
			f(&r.files[i], &r.files[i].lines[j])
		}
	}
}

func (r *Run) missing(breach func(string, ...any)) {
	acked := make(map[record]int64)
	for _, a := range r.acks {
		acked[record{a.Shard, a.Seq}] = a.N
	}
	written := make(map[record]bool)
	r.eachLine(func(f *shardFile, l *Record) {
		k := record{f.shard, l.Seq}
		written[k] = true
		if key, ok := r.keys[l.N]; !ok || key != l.Key {
			breach("record %d of key %s in %s was not put", l.N, l.Key, f.name)
		} else if n, ok := acked[k]; ok && n != l.N {
			breach("record %d in %s, at %s, was put as record %d", l.N, f.name, l.Seq, n)
		}
	})
	for _, a := range r.acks {
		if !written[record{a.Shard, a.Seq}] {
			breach("record %d of key %s, at %s of %s, is in no file", a.N, r.keys[a.N], a.Seq, a.Shard)
		}
	}
}

func (r *Run) duplicates(breach func(string, ...any)) {
	for _, f := range r.files {
		have := make(map[place]bool)
		for _, l := range f.lines {
			if p := l.place(); have[p] {
				breach("record %d at %s/%d is twice in %s", l.N, l.Seq, l.Sub, f.name)
			} else {
				have[p] = true
			}
		}
	}
}

// order considers, of the repeats of a put, the one with the lowest sequence number, which
// is the first: sequence numbers also rise from a shard to its children.
func (r *Run) order(breach func(string, ...any)) {
	type first struct {
		place
		n, at int64 // at: when it was first written
	}
	keys := make(map[string]map[int64]*first)
	r.eachLine(func(_ *shardFile, l *Record) {
		if keys[l.Key] == nil {
			keys[l.Key] = make(map[int64]*first)
		}
		of, p := keys[l.Key], l.place()
		switch known := of[l.N]; {
		case known == nil, p.compare(known.place) < 0:
			of[l.N] = &first{p, l.N, l.At}
		case p == known.place:
			known.at = min(known.at, l.At)
		}
	})
	for _, f := range r.files {
		newest := make(map[string]int64)
		for _, l := range f.lines {
			switch before := newest[l.Key]; {
			case keys[l.Key][l.N].place != l.place(): // a repeat
			case l.N < before:
				breach("record %d of key %s comes after record %d in %s", l.N, l.Key, before, f.name)
			default:
				newest[l.Key] = l.N
			}
		}
	}
	for key, of := range keys {
		var before *first
		for _, n := range slices.Sorted(maps.Keys(of)) {
			if now := of[n]; before != nil && now.at < before.at {
				breach("record %d of key %s was written %d ms before record %d", n, key, before.at-now.at, before.n)
			} else {
				before = now
			}
		}
	}
}

// checkpoints compares the checkpoints of each snapshot with the lines in the files then.
func (r *Run) checkpoints(breach func(string, ...any)) {
	seen := make(map[record]int) // the first snapshot with the record on some disk
	r.eachLine(func(f *shardFile, l *Record) {
		k := record{f.shard, l.Seq}
		if s, ok := seen[k]; !ok || l.seen < s {
			seen[k] = l.seen
		}
	})
	// The acknowledged records of each shard, in order, with the first snapshot in which
	// all records up to this one were on disk.
	type due struct {
		seq   string
		n     int64
		ready int
	}
	shards := make(map[string][]due)
	for _, a := range r.acks {
		s, ok := seen[record{a.Shard, a.Seq}]
		if !ok {
			s = len(r.snapshots)
		}
		shards[a.Shard] = append(shards[a.Shard], due{a.Seq, a.N, s})
	}
	for _, all := range shards {
		slices.SortFunc(all, func(a, b due) int { return compareNumbers(a.seq, b.seq) })
		for i := 1; i < len(all); i++ {
			if all[i-1].ready > all[i].ready {
				all[i].ready, all[i].n = all[i-1].ready, all[i-1].n
			}
		}
	}
	for i, s := range r.snapshots {
		for _, l := range s.Leases {
			at, all := place{l.Checkpoint, l.Sub}, shards[l.Shard]
			covered, exact := slices.BinarySearchFunc(all, at, func(d due, at place) int { return place{d.seq, at.sub}.compare(at) })
			if exact {
				covered++
			}
			if covered > 0 && all[covered-1].ready > i {
				breach("%s was checkpointed at %s by %d, and record %d was on no disk", l.Shard, l.Checkpoint, s.At, all[covered-1].n)
			} else if by, ok := seen[record{l.Shard, l.Checkpoint}]; at.compare(place{}) > 0 && l.Checkpoint != ShardEnd && (!ok || by > i) {
				breach("%s was checkpointed at %s by %d, and that record was on no disk", l.Shard, l.Checkpoint, s.At)
			}
		}
	}
}

// owners checks what each session did after the next session of its shard had begun.
func (r *Run) owners(breach func(string, ...any)) {
	shards := make(map[string][]*session)
	for _, s := range r.sessions {
		if s.begin < 0 {
			breach("session %s of %s never began", s.id, s.shard)
			continue
		}
		shards[s.shard] = append(shards[s.shard], s)
	}
	for shard, all := range shards {
		slices.SortFunc(all, func(a, b *session) int { return int(a.begin - b.begin) })
		acked := place{} // by earlier sessions
		for i, s := range all {
			if s.from.compare(acked) < 0 {
				breach("session %s of %s began at %s, though %s was checkpointed", s.id, shard, s.from.seq, acked.seq)
			}
			if i+1 < len(all) {
				s.late(all[i+1], breach)
				for _, e := range s.events {
					if p := (place{e.Seq, e.Sub}); e.Event == Checkpoint && e.At < all[i+1].begin && p.compare(acked) > 0 {
						acked = p
					}
				}
			}
		}
	}
	at := make(map[string]place)
	for _, s := range r.snapshots {
		for _, l := range s.Leases {
			p := place{l.Checkpoint, l.Sub}
			if p.compare(at[l.Shard]) < 0 {
				breach("the checkpoint of %s went back from %s to %s by %d", l.Shard, at[l.Shard].seq, p.seq, s.At)
			}
			at[l.Shard] = p
		}
	}
}

// late checks what a session did after next had begun.
func (s *session) late(next *session, breach func(string, ...any)) {
	batches := make(map[int]bool)
	for _, l := range s.lines {
		if l.At > next.begin {
			batches[l.Batch] = true
		}
	}
	if len(batches) > 1 {
		breach("session %s of %s wrote %d batches after %s had begun", s.id, s.shard, len(batches), next.id)
	}
	done := place{}
	for _, e := range s.events {
		if e.Event != Checkpoint {
			continue
		}
		// A repeated checkpoint does not reach the lease table.
		p := place{e.Seq, e.Sub}
		if e.Asked > next.begin && p.compare(done) > 0 {
			breach("session %s of %s checkpointed at %s, %d ms after %s had begun", s.id, s.shard, p.seq, e.Asked-next.begin, next.id)
		}
		done = p
	}
}

// rest checks the last snapshot.
func (r *Run) rest(breach func(string, ...any)) {
	if len(r.snapshots) == 0 || !r.snapshots[len(r.snapshots)-1].Rest {
		breach("the run was not stopped in order")
		return
	}
	newest := make(map[string]place)
	add := func(shard string, p place) {
		if p.compare(newest[shard]) > 0 {
			newest[shard] = p
		}
	}
	for _, a := range r.acks {
		add(a.Shard, place{a.Seq, 0})
	}
	r.eachLine(func(f *shardFile, l *Record) { add(f.shard, l.place()) })
	at := make(map[string]place) // of all snapshots, because KCL deletes the leases of ended shards
	for _, s := range r.snapshots {
		for _, l := range s.Leases {
			at[l.Shard] = place{l.Checkpoint, l.Sub}
		}
	}
	last := r.snapshots[len(r.snapshots)-1]
	there := make(map[string]bool)
	for _, l := range last.Leases {
		there[l.Shard] = true
		if l.Owner != "" {
			breach("the lease of %s still has the owner %s", l.Shard, l.Owner)
		}
	}
	if last.Leader != "" {
		breach("%s still has the leader's lock", last.Leader)
	}
	for shard, p := range newest {
		switch {
		case at[shard].seq == ShardEnd:
		case !there[shard]:
			breach("%s has no lease", shard)
		case at[shard].compare(p) != 0:
			breach("%s is checkpointed at %s, and its newest record is at %s", shard, at[shard].seq, p.seq)
		}
	}
}
