package check

import (
	"cmp"
	"slices"
)

// A Gap is a time in which a shard had records and wrote none. From and To are in
// milliseconds since 1970. Lag is the age in milliseconds of the record whose write ended
// the gap, 0 if the run ended first.
type Gap struct {
	Shard    string
	From, To int64
	Lag      int64
}

// Gaps returns the gaps of at least so many milliseconds, in the order of their begin. A
// gap that lasted until the end of the run ends with the last snapshot.
func (r *Run) Gaps(least int64) (gaps []Gap) {
	const wrote, acked = 0, 1
	type step struct {
		at   int64
		what int
		seq  string
	}
	shards := make(map[string][]step)
	first := make(map[record]int64)
	r.eachLine(func(f *shardFile, l *Record) {
		k := record{f.shard, l.Seq}
		if at, ok := first[k]; !ok || l.At < at {
			first[k] = l.At
		}
	})
	for k, at := range first {
		shards[k.shard] = append(shards[k.shard], step{at, wrote, k.seq})
	}
	for _, a := range r.acks {
		shards[a.Shard] = append(shards[a.Shard], step{a.At, acked, a.Seq})
	}
	for shard, steps := range shards {
		// At the same time writes come first: they may end a gap.
		slices.SortFunc(steps, func(a, b step) int {
			return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.what, b.what), compareNumbers(a.seq, b.seq))
		})
		waiting := make(map[string]int64) // since when
		written := make(map[string]bool)
		var since int64
		end := func(at int64, seq string) {
			if len(waiting) == 0 || at-since < least {
				return
			}
			gap := Gap{Shard: shard, From: since, To: at}
			if put, ok := waiting[seq]; ok {
				gap.Lag = at - put
			}
			gaps = append(gaps, gap)
		}
		for _, s := range steps {
			switch {
			case s.what == wrote:
				end(s.at, s.seq)
				delete(waiting, s.seq)
				written[s.seq], since = true, s.at
			case !written[s.seq]:
				if len(waiting) == 0 {
					since = s.at
				}
				waiting[s.seq] = s.at
			}
		}
		if n := len(r.snapshots); n > 0 {
			end(r.snapshots[n-1].At, "")
		}
	}
	slices.SortFunc(gaps, func(a, b Gap) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.Shard, b.Shard))
	})
	return gaps
}
