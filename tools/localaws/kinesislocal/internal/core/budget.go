package core

import "time"

// keepWithinBudget drops the oldest records of all streams when they take more
// than Config.MaxBytes, and then an eighth of that more, so that it is seldom
// needed.
func (s *Service) keepWithinBudget() {
	if !s.overBudget() {
		return
	}
	s.budget.Lock()
	defer s.budget.Unlock()
	if !s.overBudget() {
		return // somebody else has just done it
	}
	streams := s.all()
	for _, st := range streams { // in the order of creation: nobody else locks two
		st.mu.Lock()
		defer st.mu.Unlock()
	}
	limit := s.config.MaxBytes
	before, dropped := s.used.Load(), 0
	for s.used.Load() > limit-limit/8 {
		n := dropOldest(streams)
		if n == 0 {
			break
		}
		dropped += n
	}
	for _, st := range streams {
		for _, sh := range st.shards {
			sh.compact()
		}
	}
	s.config.Log.Warn("oldest records trimmed: they took more memory than they may",
		"records", dropped, "bytes", before-s.used.Load(), "maxBytes", limit)
}

func (s *Service) overBudget() bool {
	return s.config.MaxBytes != 0 && s.used.Load() > s.config.MaxBytes
}

// dropOldest drops the records that arrived in the oldest millisecond that any
// shard has records of, and returns how many.
func dropOldest(streams []*stream) (dropped int) {
	var oldest time.Time
	for _, st := range streams {
		for _, sh := range st.shards {
			if len(sh.records) > 0 && (oldest.IsZero() || sh.records[0].Arrival.Before(oldest)) {
				oldest = sh.records[0].Arrival
			}
		}
	}
	for _, st := range streams {
		for _, sh := range st.shards {
			n := 0
			for n < len(sh.records) && !sh.records[n].Arrival.After(oldest) {
				n++
			}
			sh.drop(n)
			dropped += n
		}
	}
	return dropped
}
