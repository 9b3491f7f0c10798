package core

import "time"

// trimToMaxMemory drops the oldest records of all streams when they take more
// than Options.MaxMemory. It drops another eighth of MaxMemory, so that it has
// work only seldom.
func (s *Service) trimToMaxMemory() {
	if !s.overMaxMemory() {
		return
	}
	s.trimming.Lock()
	defer s.trimming.Unlock()
	if !s.overMaxMemory() {
		return // another goroutine has just trimmed
	}
	streams := s.all()
	for _, st := range streams { // nothing else locks two streams, so the order cannot deadlock
		st.mu.Lock()
		defer st.mu.Unlock()
	}
	limit := s.options.MaxMemory
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
	s.options.Logger.Warn("oldest records trimmed: all records exceeded MaxMemory",
		"records", dropped, "bytes", before-s.used.Load(), "maxMemory", limit)
}

func (s *Service) overMaxMemory() bool {
	return s.options.MaxMemory != 0 && s.used.Load() > s.options.MaxMemory
}

// dropOldest drops all records that arrived in the same millisecond as the oldest
// one, and returns how many.
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
