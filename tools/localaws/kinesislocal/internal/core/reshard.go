package core

import "time"

// SplitShard splits a shard in two; newStart is the first hash key of the upper
// one.
func (s *Account) SplitShard(name, id string, newStart HashKey) error {
	return s.reshard(name, func(st *stream) (change, error) {
		sh, err := st.openShard(id)
		if err != nil {
			return nil, err
		}
		if newStart.Compare(sh.keys.First.next()) <= 0 || newStart.Compare(sh.keys.Last) >= 0 {
			return nil, errorf(InvalidArgument,
				"NewStartingHashKey %s used in SplitShard() on shard %s in stream %s under account %s is not both greater than one plus the shard's StartingHashKey %s and less than the shard's EndingHashKey %s.",
				newStart, id, st.name, st.account, sh.keys.First, sh.keys.Last)
		}
		return func(at time.Time) { st.split(sh, newStart, at) }, nil
	})
}

// MergeShards merges two shards whose hash keys are adjacent.
func (s *Account) MergeShards(name, id, adjacent string) error {
	return s.reshard(name, func(st *stream) (change, error) {
		a, err := st.openShard(id)
		if err != nil {
			return nil, err
		}
		b, err := st.openShard(adjacent)
		if err != nil {
			return nil, err
		}
		below := a.keys.Last != MaxHashKey && a.keys.Last.next() == b.keys.First
		above := b.keys.Last != MaxHashKey && b.keys.Last.next() == a.keys.First
		if !below && !above {
			return nil, errorf(InvalidArgument,
				"Shards %s and %s in stream %s under account %s are not an adjacent pair of shards eligible for merging",
				id, adjacent, st.name, st.account)
		}
		return func(at time.Time) { st.merge(a, b, at) }, nil
	})
}

// UpdateShardCount reshards to target shards of equal size and returns the
// summary from before. As on AWS, it splits and then merges, and so may create
// shards that live only briefly.
func (s *Account) UpdateShardCount(name string, target int) (sum Summary, err error) {
	err = s.reshard(name, func(st *stream) (change, error) {
		sum = st.summary()
		switch {
		case target > 2*sum.OpenShards:
			return nil, errorf(InvalidArgument,
				"UpdateShardCount cannot scale up over double your current open shard count. Current open shard count: %d Target: %d", sum.OpenShards, target)
		case 2*target < sum.OpenShards:
			return nil, errorf(InvalidArgument,
				"UpdateShardCount cannot scale down below half your current open shard count. Current open shard count: %d Target: %d", sum.OpenShards, target)
		case target > MaxShards:
			return nil, errorf(LimitExceeded, "A stream has at most %d shards, %d were asked for.", MaxShards, target)
		}
		return func(at time.Time) { st.scale(uniformRanges(target), at) }, nil
	})
	return sum, err
}

// reshard makes the change that plan returns, unless plan returns an error.
func (s *Account) reshard(name string, plan func(*stream) (change, error)) error {
	return s.withStream(name, func(st *stream, now time.Time) error {
		if err := st.requireActive(); err != nil {
			return err
		}
		if st.OnDemand {
			return errorf(ValidationFailure, "Stream %s under account %s is in ON_DEMAND mode, whose shards the service manages.", st.name, st.account)
		}
		c, err := plan(st)
		if err != nil {
			return err
		}
		st.begin(Updating, now, s.options.TransitionDelay, c)
		return nil
	})
}

// openShard returns a shard that can be split or merged.
func (st *stream) openShard(id string) (*shard, error) {
	sh, err := st.shard(id)
	if err != nil {
		return nil, err
	}
	if !sh.open() {
		return nil, errorf(InvalidArgument,
			"Shard %s in stream %s under account %s has already been merged or split, and thus is not eligible for merging or splitting.",
			id, st.name, st.account)
	}
	return sh, nil
}

func (st *stream) split(sh *shard, newStart HashKey, at time.Time) {
	at = sh.close(at)
	st.add(HashKeyRange{sh.keys.First, newStart.prev()}, at, sh)
	st.add(HashKeyRange{newStart, sh.keys.Last}, at, sh)
	st.sortOpen()
}

// merge merges two shards: a becomes the parent, b the adjacent parent.
func (st *stream) merge(a, b *shard, at time.Time) {
	// Both must end at the same time: the earliest that is possible for both.
	at = b.close(a.close(at))
	a.closed = at
	keys := HashKeyRange{a.keys.First, b.keys.Last}
	if b.keys.First.Compare(a.keys.First) < 0 {
		keys = HashKeyRange{b.keys.First, a.keys.Last}
	}
	st.add(keys, at, a, b)
	st.sortOpen()
}

// scale reshards to the ranges: it splits at each missing boundary, then merges
// the shards between two boundaries.
func (st *stream) scale(ranges []HashKeyRange, at time.Time) {
	for _, r := range ranges {
		if sh := st.shardFor(r.First); sh.keys.First != r.First {
			st.split(sh, r.First, at)
		}
	}
	for _, r := range ranges {
		for {
			sh := st.shardFor(r.First)
			if sh.keys == r {
				break
			}
			st.merge(sh, st.shardFor(sh.keys.Last.next()), at)
		}
	}
}
