package core

import (
	"encoding/json"
	"time"
)

// FilterType selects the shards that ListShards returns, by the names of AWS.
type FilterType string

// The filters. AWS defaults to FromTrimHorizon.
const (
	AfterShardID    FilterType = "AFTER_SHARD_ID"
	AtTrimHorizon   FilterType = "AT_TRIM_HORIZON"
	FromTrimHorizon FilterType = "FROM_TRIM_HORIZON"
	AtLatest        FilterType = "AT_LATEST"
	AtTimestamp     FilterType = "AT_TIMESTAMP"
	FromTimestamp   FilterType = "FROM_TIMESTAMP"
)

// FilterTypes lists all filter types.
var FilterTypes = []FilterType{AfterShardID, AtTrimHorizon, FromTrimHorizon, AtLatest, AtTimestamp, FromTimestamp}

// Filter selects shards.
type Filter struct {
	Type      FilterType
	ShardID   string    // with AfterShardID
	Timestamp time.Time // with AtTimestamp and FromTimestamp
}

// pageToken is the content of a NextToken. Only the account that has the stream
// can open it.
type pageToken struct {
	Stream uint64
	Name   string
	Filter Filter
	After  string
	Issued time.Time
}

const listShardsPurpose = "list shards"

// DescribeShards returns up to limit shards of a stream after a shard ID, and
// whether there are more. A stream that is being created has none.
func (s *Account) DescribeShards(name, after string, limit int) (sum Summary, shards []Shard, more bool, err error) {
	err = s.withStream(name, func(st *stream, now time.Time) error {
		sum = st.summary()
		shards, more = st.list(Filter{Type: FromTrimHorizon}, after, limit, now)
		return nil
	})
	return sum, shards, more, err
}

// ListShards returns up to limit shards that the filter selects, and a token for
// the rest. Unless created is zero, the stream must have been created then.
func (s *Account) ListShards(name string, created time.Time, filter Filter, after string, limit int) ([]Shard, string, error) {
	return s.listShards(pageToken{Name: name, Filter: filter, After: after}, created, limit)
}

// ListShardsNext continues after a token of ListShards.
func (s *Account) ListShardsNext(token string, limit int) ([]Shard, string, error) {
	l, err := s.openPageToken(listShardsPurpose, token)
	if err != nil {
		return nil, "", err
	}
	return s.listShards(l, time.Time{}, limit)
}

func (s *Account) sealPageToken(purpose string, l pageToken) string {
	content, err := json.Marshal(l)
	if err != nil {
		panic(err) // names and times can always be marshaled
	}
	return s.tokens.seal(purpose+" of "+s.owner, content)
}

func (s *Account) openPageToken(purpose, token string) (l pageToken, err error) {
	content, ok := s.tokens.open(purpose+" of "+s.owner, token)
	if !ok || json.Unmarshal(content, &l) != nil {
		return l, errorf(InvalidArgument, "NextToken is invalid.")
	}
	if age := time.Since(l.Issued); age > IteratorLifetime {
		return l, errorf(ExpiredNextToken, "NextToken expired: it is %s old, the tolerated age is %s.", age.Round(time.Millisecond), IteratorLifetime)
	}
	return l, nil
}

// checkIdentity returns an error unless the stream has the number and the time of
// creation: another stream may have had the same name. 0 and the zero time match
// any stream.
func (st *stream) checkIdentity(number uint64, created time.Time) error {
	if number != 0 && number != st.number {
		return errorf(ResourceNotFound, "The stream %s that NextToken was made for has been deleted.", st.name)
	}
	// Some clients know the time only to the second.
	if !created.IsZero() && created.Unix() != st.created.Unix() {
		return errorf(ResourceNotFound, "Stream %s under account %s was created at another time than StreamCreationTimestamp.", st.name, st.account)
	}
	return nil
}

func (s *Account) listShards(l pageToken, created time.Time, limit int) (shards []Shard, token string, err error) {
	err = s.withStream(l.Name, func(st *stream, now time.Time) error {
		if st.status == Creating || st.status == Deleting {
			return st.inUseError()
		}
		if err := st.checkIdentity(l.Stream, created); err != nil {
			return err
		}
		// All pages show the same moment, even when shards change in between.
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
			token = s.sealPageToken(listShardsPurpose, l)
		}
		return nil
	})
	return shards, token, err
}

// tip returns a time at which exactly the open shards are open: now, or later
// when shards were replaced faster than once a millisecond.
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
		// A timestamp that equals the end of a shard selects only its children:
		// a consumer that starts there must find each hash key once.
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
