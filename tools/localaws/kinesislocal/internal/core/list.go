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

// listing is what a NextToken says. It opens for the account that has the stream.
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
func (s *Account) DescribeShards(name, after string, limit int) (sum Summary, shards []Shard, more bool, err error) {
	err = s.with(name, func(st *stream, now time.Time) error {
		sum = st.summary()
		shards, more = st.list(Filter{Type: FromTrimHorizon}, after, limit, now)
		return nil
	})
	return sum, shards, more, err
}

// ListShards returns the shards that the filter chooses, at most limit, and a
// token for the rest. created, unless it is zero, is when the stream must have
// been created.
func (s *Account) ListShards(name string, created time.Time, filter Filter, after string, limit int) ([]Shard, string, error) {
	return s.listShards(listing{Name: name, Filter: filter, After: after}, created, limit)
}

// ListShardsNext goes on with a token of ListShards.
func (s *Account) ListShardsNext(token string, limit int) ([]Shard, string, error) {
	l, err := s.openListing(listingPurpose, token)
	if err != nil {
		return nil, "", err
	}
	return s.listShards(l, time.Time{}, limit)
}

func (s *Account) sealListing(purpose string, l listing) string {
	content, err := json.Marshal(l)
	if err != nil {
		panic(err) // names and times always marshal
	}
	return s.tokens.seal(purpose+" of "+s.owner, content)
}

func (s *Account) openListing(purpose, token string) (l listing, err error) {
	content, ok := s.tokens.open(purpose+" of "+s.owner, token)
	if !ok || json.Unmarshal(content, &l) != nil {
		return l, errorf(InvalidArgument, "NextToken is invalid.")
	}
	if age := time.Since(l.Issued); age > IteratorLife {
		return l, errorf(ExpiredNextToken, "NextToken expired: it is %s old, the tolerated age is %s.", age.Round(time.Millisecond), IteratorLife)
	}
	return l, nil
}

// is refuses a token that was made for a namesake of the stream, and a time of
// creation that is not its own. 0 and the zero time are no claims.
func (st *stream) is(number uint64, created time.Time) error {
	if number != 0 && number != st.number {
		return errorf(ResourceNotFound, "The stream %s that NextToken was made for has been deleted.", st.name)
	}
	// Clients may know the time to the second only.
	if !created.IsZero() && created.Unix() != st.created.Unix() {
		return errorf(ResourceNotFound, "Stream %s under account %s was created at another time than StreamCreationTimestamp.", st.name, st.account)
	}
	return nil
}

func (s *Account) listShards(l listing, created time.Time, limit int) (shards []Shard, token string, err error) {
	err = s.with(l.Name, func(st *stream, now time.Time) error {
		if st.status == Creating || st.status == Deleting {
			return st.inUse()
		}
		if err := st.is(l.Stream, created); err != nil {
			return err
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
			token = s.sealListing(listingPurpose, l)
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
