package core

import (
	"encoding/json"
	"time"
)

// FilterType says which shards ListShards returns; the names are the
// service's.
type FilterType string

// The filters. FromTrimHorizon is the service's default.
const (
	AfterShardID    FilterType = "AFTER_SHARD_ID"
	AtTrimHorizon   FilterType = "AT_TRIM_HORIZON"
	FromTrimHorizon FilterType = "FROM_TRIM_HORIZON"
	AtLatest        FilterType = "AT_LATEST"
	AtTimestamp     FilterType = "AT_TIMESTAMP"
	FromTimestamp   FilterType = "FROM_TIMESTAMP"
)

// FilterTypes are all of them.
var FilterTypes = []FilterType{AfterShardID, AtTrimHorizon, FromTrimHorizon, AtLatest, AtTimestamp, FromTimestamp}

// Filter chooses shards.
type Filter struct {
	Type      FilterType
	ShardID   string    // with AfterShardID
	Timestamp time.Time // with AtTimestamp and FromTimestamp
}

// listing is what a NextToken of ListShards says.
type listing struct {
	Stream uint64
	Name   string
	Filter Filter
	After  string
	Issued time.Time
}

const listingPurpose = "list shards"

// DescribeShards returns the shards of a stream after a shard ID, at most
// limit, and whether there are more. A stream that is being created has none.
func (s *Service) DescribeShards(name, after string, limit int) (sum Summary, shards []Shard, more bool, err error) {
	err = s.with(name, func(st *stream, now time.Time) error {
		sum = st.summary()
		shards, more = st.list(Filter{Type: FromTrimHorizon}, after, limit, now)
		return nil
	})
	return sum, shards, more, err
}

// ListShards returns the shards that the filter chooses, at most limit, and a
// token for the rest.
func (s *Service) ListShards(name string, filter Filter, after string, limit int) ([]Shard, string, error) {
	return s.listShards(listing{Name: name, Filter: filter, After: after}, limit)
}

// ListShardsNext goes on with a token of ListShards.
func (s *Service) ListShardsNext(token string, limit int) ([]Shard, string, error) {
	var l listing
	content, ok := s.tokens.open(listingPurpose, token)
	if !ok || json.Unmarshal(content, &l) != nil {
		return nil, "", errorf(InvalidArgument, "NextToken is invalid.")
	}
	if age := time.Since(l.Issued); age > IteratorLife {
		return nil, "", errorf(ExpiredNextToken, "NextToken expired: it is %s old, the tolerated age is %s.", age.Round(time.Millisecond), IteratorLife)
	}
	return s.listShards(l, limit)
}

func (s *Service) listShards(l listing, limit int) (shards []Shard, token string, err error) {
	err = s.with(l.Name, func(st *stream, now time.Time) error {
		if st.status == Creating || st.status == Deleting {
			return st.inUse()
		}
		if l.Stream != 0 && l.Stream != st.number {
			return errorf(ResourceNotFound, "The stream %s that NextToken was made for has been deleted.", l.Name)
		}
		// The pages show one moment, also when shards come and go in between.
		switch {
		case l.Filter.Type == AtLatest:
			l.Filter = Filter{Type: AtTimestamp, Timestamp: st.tip(now)}
		case l.Filter.Type == AtTrimHorizon:
			l.Filter = Filter{Type: AtTimestamp, Timestamp: st.horizon(now)}
		}
		var more bool
		shards, more = st.list(l.Filter, l.After, limit, now)
		if more {
			l.Stream, l.After, l.Issued = st.number, shards[len(shards)-1].ID, now
			content, err := json.Marshal(l)
			if err != nil {
				panic(err) // names and times always marshal
			}
			token = s.tokens.seal(listingPurpose, content)
		}
		return nil
	})
	return shards, token, err
}

// tip is a moment at which exactly the open shards are open: now, or later
// when shards were replaced faster than one a millisecond.
func (st *stream) tip(now time.Time) time.Time {
	for _, s := range st.open {
		now = later(now, s.created)
	}
	return now
}

func (st *stream) list(f Filter, after string, limit int, now time.Time) (shards []Shard, more bool) {
	from := later(f.Timestamp, st.horizon(now))
	shards = []Shard{}
	for _, s := range st.shards {
		if s.id <= after || f.Type == AfterShardID && s.id <= f.ShardID {
			continue
		}
		// A timestamp that equals the end of a shard belongs to its children
		// alone: a consumer that starts there must find each hash key once.
		switch f.Type {
		case AtTimestamp, AtTrimHorizon, AtLatest:
			if !s.openAt(from) {
				continue
			}
		case FromTimestamp:
			if !s.open() && !s.closed.After(from) {
				continue
			}
		}
		if len(shards) == limit {
			return shards, true
		}
		shards = append(shards, s.describe())
	}
	return shards, false
}
