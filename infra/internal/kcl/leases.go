package kcl

import (
	"errors"
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	kinesis "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// The positions at which KCL starts to read a shard without a checkpoint.
const (
	TrimHorizon = "TRIM_HORIZON"
	Latest      = "LATEST"
	AtTimestamp = "AT_TIMESTAMP"
)

// ShardEnd is the checkpoint of a shard that was read to its end.
const ShardEnd = "SHARD_END"

// Position is where an application starts.
type Position struct {
	// Kind is TrimHorizon, Latest or AtTimestamp. It is also the checkpoint of a
	// first lease.
	Kind string
	// Time is set with AtTimestamp: whole seconds, the finest that KCL's property
	// initialPositionInStreamExtended takes. It is not part of a lease: KCL
	// reads it from its properties.
	Time time.Time
}

// ParsePosition reads a position by the name of its kind, in any case as KCL
// does; seconds since the epoch go with AT_TIMESTAMP, and are 0 with the others.
func ParsePosition(kind string, seconds int64) (Position, error) {
	switch kind = strings.ToUpper(kind); kind {
	case TrimHorizon, Latest:
		if seconds != 0 {
			return Position{}, fmt.Errorf("a timestamp goes with %s only, not with %s", AtTimestamp, kind)
		}
		return Position{Kind: kind}, nil
	case AtTimestamp:
		if seconds <= 0 {
			return Position{}, fmt.Errorf("%s needs a timestamp, in seconds since the epoch", AtTimestamp)
		}
		return Position{Kind: kind, Time: time.Unix(seconds, 0)}, nil
	}
	return Position{}, fmt.Errorf("position %q is none of %s, %s, %s", kind, TrimHorizon, Latest, AtTimestamp)
}

// CheckTime says why AWS would refuse a position's time now: it is to come. Then it
// is probably in milliseconds.
func (p Position) CheckTime(now time.Time) error {
	if p.Kind != AtTimestamp || !p.Time.After(now) {
		return nil
	}
	if seconds := p.Time.Unix() / 1000; seconds >= time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Unix() && seconds <= now.Unix() {
		return fmt.Errorf("the timestamp %d is in milliseconds: write %d, seconds since the epoch", p.Time.Unix(), seconds)
	}
	return fmt.Errorf("the timestamp %d is in the future, which AWS refuses", p.Time.Unix())
}

func (p Position) String() string {
	if p.Kind == AtTimestamp {
		return fmt.Sprintf("%s %d", p.Kind, p.Time.Unix())
	}
	return p.Kind
}

// ShardFilter asks ListShards for the shards that KCL's first sync of an empty
// lease table asks for.
func (p Position) ShardFilter() *kinesis.ShardFilter {
	switch p.Kind {
	case Latest:
		return &kinesis.ShardFilter{Type: kinesis.ShardFilterTypeAtLatest}
	case AtTimestamp:
		return &kinesis.ShardFilter{Type: kinesis.ShardFilterTypeAtTimestamp, Timestamp: aws.Time(p.Time)}
	default:
		return &kinesis.ShardFilter{Type: kinesis.ShardFilterTypeAtTrimHorizon}
	}
}

// Item is a row of a DynamoDB table.
type Item = map[string]ddb.AttributeValue

var maxHashKey = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1))

// FirstLeases are the leases that KCL's first sync makes of the shards that
// ListShards gave for a position: one for each shard, open or closed, in the
// order of their starting sequence numbers. KCL makes none unless the shards
// cover all hash keys just once, which is the error here.
//
// stream is the stream's identifier in an application of several streams, empty in
// one of a single stream. Of several streams KCL lists the shards of a position for
// the first alone, and all shards for the others. At AT_TIMESTAMP it then begins with
// the oldest, and finds nothing in them: here each stream is like the first.
func FirstLeases(shards []kinesis.Shard, at Position, stream string, layout Layout) ([]Item, error) {
	if err := checkHashRange(shards); err != nil {
		return nil, err
	}
	shards = slices.Clone(shards)
	slices.SortFunc(shards, func(a, b kinesis.Shard) int {
		x, y := number(a.SequenceNumberRange.StartingSequenceNumber), number(b.SequenceNumberRange.StartingSequenceNumber)
		if c := x.Cmp(y); c != 0 {
			return c
		}
		return strings.Compare(aws.ToString(a.ShardId), aws.ToString(b.ShardId))
	})
	var leases []Item
	for _, s := range shards {
		leases = append(leases, firstLease(s, at, stream, layout))
	}
	return leases, nil
}

// ErrIncompleteShards says that shards do not cover all hash keys just once, as
// while a stream is being resharded.
var ErrIncompleteShards = errors.New("the shards do not cover all hash keys just once")

func checkHashRange(shards []kinesis.Shard) error {
	if len(shards) == 0 {
		return fmt.Errorf("no shards: %w", ErrIncompleteShards)
	}
	for _, s := range shards {
		if s.ShardId == nil || s.HashKeyRange == nil || s.SequenceNumberRange == nil {
			return fmt.Errorf("shard %s lacks a range: %w", aws.ToString(s.ShardId), ErrIncompleteShards)
		}
	}
	byHash := slices.Clone(shards)
	slices.SortFunc(byHash, func(a, b kinesis.Shard) int {
		return number(a.HashKeyRange.StartingHashKey).Cmp(number(b.HashKeyRange.StartingHashKey))
	})
	next := new(big.Int)
	for _, s := range byHash {
		if number(s.HashKeyRange.StartingHashKey).Cmp(next) != 0 {
			return fmt.Errorf("shard %s starts at hash key %s, not %s: %w", aws.ToString(s.ShardId), aws.ToString(s.HashKeyRange.StartingHashKey), next, ErrIncompleteShards)
		}
		next.Add(number(s.HashKeyRange.EndingHashKey), big.NewInt(1))
	}
	if next.Sub(next, big.NewInt(1)).Cmp(maxHashKey) != 0 {
		return fmt.Errorf("the last shard ends at hash key %s: %w", next, ErrIncompleteShards)
	}
	return nil
}

// number reads a decimal number of Kinesis; what is none is -1, which no check
// takes.
func number(s *string) *big.Int {
	if n, ok := new(big.Int).SetString(aws.ToString(s), 10); ok {
		return n
	}
	return big.NewInt(-1)
}

func firstLease(s kinesis.Shard, at Position, stream string, layout Layout) Item {
	lease := Item{
		LeaseKey:      &ddb.AttributeValueMemberS{Value: *s.ShardId},
		LeaseCounter:  &ddb.AttributeValueMemberN{Value: "0"},
		LeaseSwitches: &ddb.AttributeValueMemberN{Value: "0"},
		Checkpoint:    &ddb.AttributeValueMemberS{Value: at.Kind},
		CheckpointSub: &ddb.AttributeValueMemberN{Value: "0"},
		startHashKey:  &ddb.AttributeValueMemberS{Value: number(s.HashKeyRange.StartingHashKey).String()},
		endHashKey:    &ddb.AttributeValueMemberS{Value: number(s.HashKeyRange.EndingHashKey).String()},
	}
	var parents []string
	for _, p := range []*string{s.ParentShardId, s.AdjacentParentShardId} {
		if p != nil {
			parents = append(parents, *p)
		}
	}
	if parents != nil { // DynamoDB takes no empty set
		lease[parentShardIDs] = &ddb.AttributeValueMemberSS{Value: parents}
	}
	if stream != "" {
		lease[LeaseKey] = &ddb.AttributeValueMemberS{Value: stream + ":" + *s.ShardId}
		lease[StreamID] = &ddb.AttributeValueMemberS{Value: stream}
		lease[ShardID] = &ddb.AttributeValueMemberS{Value: *s.ShardId}
	}
	if layout == KCL35 {
		lease[EntityType] = &ddb.AttributeValueMemberS{Value: string(KindLease)}
	}
	return lease
}

// LeaseConflictError says that a lease is there that would not have been made.
type LeaseConflictError struct {
	// Lease is the key of the lease, Why what is different about it.
	Lease, Why string
}

func (e *LeaseConflictError) Error() string {
	return fmt.Sprintf("lease %s exists and %s", e.Lease, e.Why)
}

// Missing returns those of the wanted leases that are not there, or a
// *LeaseConflictError when one is there that is not exactly as wanted: then KCL
// has worked with it, or it was made for another position or stream.
func Missing(wanted, there []Item) ([]Item, error) {
	byKey := map[string]Item{}
	for _, lease := range wanted {
		byKey[KeyOf(lease)] = lease
	}
	for _, lease := range there {
		key := KeyOf(lease)
		want, ok := byKey[key]
		if !ok {
			return nil, &LeaseConflictError{key, "is of no shard at this position"}
		}
		if why := difference(want, lease); why != "" {
			return nil, &LeaseConflictError{key, why}
		}
		delete(byKey, key)
	}
	var missing []Item
	for _, lease := range wanted {
		if _, ok := byKey[KeyOf(lease)]; ok {
			missing = append(missing, lease)
		}
	}
	return missing, nil
}

// difference says in the user's terms what keeps a lease from being a first one.
func difference(want, got Item) string {
	for _, attribute := range []string{LeaseOwner, CheckpointOwner} {
		if owner := Text(got, attribute); owner != "" {
			return "is owned by worker " + owner
		}
	}
	if w, g := Text(want, Checkpoint), Text(got, Checkpoint); w != g {
		return fmt.Sprintf("is at %s, not at %s", g, w)
	}
	if g := Text(got, LeaseCounter); g != Text(want, LeaseCounter) {
		return "has been owned: its counter is " + g
	}
	names := map[string]bool{}
	for name := range maps.Keys(want) {
		names[name] = true
	}
	for name := range maps.Keys(got) {
		names[name] = true
	}
	delete(names, EntityType) // which version wrote it
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !reflect.DeepEqual(canonical(want[name]), canonical(got[name])) {
			return "differs in " + name
		}
	}
	return ""
}

// Equal tells whether two rows are the same.
func Equal(a, b Item) bool {
	return maps.EqualFunc(a, b, func(x, y ddb.AttributeValue) bool { return reflect.DeepEqual(canonical(x), canonical(y)) })
}

// canonical brings a set into one order.
func canonical(v ddb.AttributeValue) any {
	if set, ok := v.(*ddb.AttributeValueMemberSS); ok {
		return slices.Sorted(slices.Values(set.Value))
	}
	return v
}

// Stray says why a stream cannot have the checkpoint of a lease, "" if it can.
// shard is the lease's; nil when the stream has none of its name, as when it has
// outlived the retention period.
func Stray(lease Item, shard *kinesis.Shard) string {
	at := Text(lease, Checkpoint)
	n, ok := new(big.Int).SetString(at, 10)
	switch {
	case shard == nil && at == ShardEnd, shard == nil && at == "":
		return "" // KCL will remove it
	case shard == nil:
		return "the stream does not have this shard, and it was not read to its end"
	case shard.SequenceNumberRange == nil:
		return ""
	}
	first, last := shard.SequenceNumberRange.StartingSequenceNumber, shard.SequenceNumberRange.EndingSequenceNumber
	switch {
	case at == ShardEnd && last == nil:
		return "it was read to its end, but is open"
	case ok && n.Cmp(number(first)) < 0:
		return "its checkpoint is before its first sequence number, " + aws.ToString(first)
	case ok && last != nil && n.Cmp(number(last)) > 0:
		return "its checkpoint is behind its last sequence number, " + aws.ToString(last)
	}
	return ""
}

// KeyOf returns the key of a lease: the ID of its shard, or in an application of
// several streams the stream's identifier, a colon and the ID of the shard.
func KeyOf(lease Item) string { return Text(lease, LeaseKey) }

// StreamOf returns the identifier of a lease's stream, empty in an application of a
// single stream.
func StreamOf(lease Item) string { return Text(lease, StreamID) }

// ShardOf returns the ID of a lease's shard.
func ShardOf(lease Item) string {
	if StreamOf(lease) == "" {
		return KeyOf(lease)
	}
	return Text(lease, ShardID)
}

// AtWork tells whether a worker has, or had, one of the leases.
func AtWork(leases []Item) bool {
	return slices.ContainsFunc(leases, func(lease Item) bool {
		return Text(lease, LeaseOwner) != "" || Text(lease, CheckpointOwner) != "" || Int(lease, LeaseCounter) != 0
	})
}

// Text returns an attribute that is a string or a number, "" without one.
func Text(item Item, name string) string {
	switch v := item[name].(type) {
	case *ddb.AttributeValueMemberS:
		return v.Value
	case *ddb.AttributeValueMemberN:
		return v.Value
	}
	return ""
}

// Plain returns a text for people: as it is or, where it has more than letters, digits,
// signs and spaces, quoted as in Go. Whoever writes into a table chooses the names of
// workers and leases: they end no line, and tell a terminal nothing.
func Plain(text string) string {
	if utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return text
	}
	return strconv.Quote(text)
}

// Int returns an attribute that is a number, 0 without one.
func Int(item Item, name string) int64 {
	n, _ := strconv.ParseInt(Text(item, name), 10, 64)
	return n
}

// NewLease returns a lease that nobody has owned yet, at a checkpoint: a sequence number
// or one of KCL's words. stream is as for FirstLeases.
func NewLease(s kinesis.Shard, checkpoint, stream string, layout Layout) Item {
	return firstLease(s, Position{Kind: checkpoint}, stream, layout)
}
