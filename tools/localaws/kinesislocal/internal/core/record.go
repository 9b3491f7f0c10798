package core

import "time"

// Entry is a record to put.
type Entry struct {
	PartitionKey string
	HashKey      HashKey // of the partition key, or the explicit hash key
	Data         []byte  // retained: the caller must not change it
}

// PutResult says where a record was stored.
type PutResult struct {
	ShardID  string
	Sequence SequenceNumber
	Err      *Error // why it was not stored: the shard is at its throughput limit; nil if stored
}

// Put stores records in order. It stores none and returns an error when one of
// them is invalid. With dryRun it only checks. It also returns the encryption key
// in the stream's settings, "" for none.
func (s *Account) Put(name string, entries []Entry, dryRun bool) (placed []PutResult, keyID string, err error) {
	placed = make([]PutResult, len(entries))
	err = s.withStream(name, func(st *stream, now time.Time) error {
		if err := st.requireShards(); err != nil {
			return err
		}
		for i := range entries {
			if size := len(entries[i].PartitionKey) + len(entries[i].Data); size > st.MaxRecordBytes {
				return errorf(InvalidArgument,
					"Record %d of %d has %d bytes with its partition key, stream %s under account %s takes at most %d.",
					i+1, len(entries), size, st.name, st.account, st.MaxRecordBytes)
			}
		}
		if dryRun {
			return nil
		}
		for i, e := range entries {
			sh := st.shardFor(e.HashKey)
			if s.options.ThroughputLimits && !sh.throughput.write(len(e.PartitionKey)+len(e.Data), now) {
				placed[i].Err = st.throttledError(sh)
				continue
			}
			sh.trim(now.Add(-st.Retention))
			placed[i] = PutResult{ShardID: sh.id, Sequence: sh.append(e.PartitionKey, e.Data, now)}
		}
		keyID = st.KeyID
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	s.trimToMaxMemory()
	return placed, keyID, nil
}

// Child is a shard that follows a closed shard.
type Child struct {
	ID       string
	Parents  []string
	HashKeys HashKeyRange
}

// Batch is what GetRecords returns.
type Batch struct {
	Records  []Record
	Next     string        // the next iterator, "" when the shard is closed and completely read
	Children []Child       // when Next is ""
	Behind   time.Duration // how far the batch is behind the tip
	KeyID    string        // the encryption key in the stream's settings, "" for none
}

// PositionType says where in a shard an iterator starts, by the names of AWS.
type PositionType string

// The types of shard iterator.
const (
	AtSequenceNumber    PositionType = "AT_SEQUENCE_NUMBER"
	AfterSequenceNumber PositionType = "AFTER_SEQUENCE_NUMBER"
	TrimHorizon         PositionType = "TRIM_HORIZON"
	Latest              PositionType = "LATEST"
	AtTime              PositionType = "AT_TIMESTAMP"
)

// PositionTypes lists all position types.
var PositionTypes = []PositionType{AtSequenceNumber, AfterSequenceNumber, TrimHorizon, Latest, AtTime}

// Position is a place in a shard.
type Position struct {
	Type      PositionType
	Sequence  string    // for AtSequenceNumber and AfterSequenceNumber
	Timestamp time.Time // for AtTime
}

// ShardIterator returns an iterator that is valid for IteratorLifetime.
func (s *Account) ShardIterator(name, shardID string, p Position) (token string, err error) {
	err = s.withStream(name, func(st *stream, now time.Time) error {
		if err := st.requireShards(); err != nil {
			return err
		}
		sh, err := st.shard(shardID)
		if err != nil {
			return err
		}
		next, err := st.locate(sh, p, "GetShardIterator", now)
		if err != nil {
			return err
		}
		token = s.tokens.sealIterator(iterator{stream: st.number, shard: sh.number, next: next, issued: now, key: s.key(name)})
		return nil
	})
	return token, err
}

// locate returns the index of the first record at or after a position.
func (st *stream) locate(sh *shard, p Position, operation string, now time.Time) (next uint64, err error) {
	switch p.Type {
	case TrimHorizon:
		return 1, nil
	case AtTime:
		if p.Timestamp.After(later(now, sh.lastArrival())) {
			return 0, errorf(InvalidArgument, "The timestamp %s is in the future.", p.Timestamp.UTC().Format(time.RFC3339Nano))
		}
		return sh.firstSince(p.Timestamp), nil
	case AtSequenceNumber, AfterSequenceNumber:
		n, ok := ParseSequenceNumber(p.Sequence)
		if !ok || n.shard() != sh.number || n.epoch() != sh.epoch {
			return 0, errorf(InvalidArgument,
				"StartingSequenceNumber %s used in %s on shard %s in stream %s under account %s is invalid because it did not come from this shard.",
				p.Sequence, operation, sh.id, st.name, st.account)
		}
		next = n.index()
		if p.Type == AfterSequenceNumber {
			next++
		}
		return max(next, 1), nil
	}
	return sh.next(), nil
}

// GetRecords reads up to limit records. Unless name is "", the iterator must
// belong to the stream of that name.
func (s *Account) GetRecords(token, name string, limit int) (Batch, error) {
	var b Batch
	it, ok := s.tokens.openIterator(token)
	if !ok {
		return b, errorf(InvalidArgument, "Invalid ShardIterator.")
	}
	switch {
	case name != "" && it.key != s.key(name):
		return b, errorf(InvalidArgument, "The ShardIterator belongs to stream %s under account %s, not to %s under account %s.", it.key.name, it.key.account, name, s.owner)
	case it.key.account != s.owner:
		return b, errorf(AccessDenied, "The ShardIterator belongs to a stream of another account: StreamARN must be given.")
	}
	err := s.withStream(it.key.name, func(st *stream, now time.Time) error {
		if age := now.Sub(it.issued); age > IteratorLifetime {
			return errorf(ExpiredIterator, "Iterator expired. It was created %s ago, the tolerated age is %s.",
				age.Round(time.Millisecond), IteratorLifetime)
		}
		if it.stream != st.number {
			return errorf(ResourceNotFound, "The stream %s that the ShardIterator was made for has been deleted.", it.key.name)
		}
		sh, err := st.shard(shardID(it.shard))
		if err != nil {
			return err
		}
		if s.options.ThroughputLimits && !sh.throughput.read(now) {
			return st.throttledError(sh)
		}
		first := sh.trim(now.Add(-st.Retention))
		b.Records, it.next = sh.read(max(it.next, first), limit, maxBytesRead)
		if s.options.ThroughputLimits {
			sh.throughput.returned(size(b.Records), now)
		}
		b.KeyID = st.KeyID
		b.Behind = sh.behind(it.next, b.Records, now)
		if !sh.open() && it.next >= sh.next() {
			b.Children = st.children(sh)
			return nil
		}
		it.issued = now
		b.Next = s.tokens.sealIterator(it)
		return nil
	})
	return b, err
}
