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

// The positions at which KCL starts to read a shard that has no checkpoint.
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
	// Time is set with AtTimestamp, in whole seconds, as KCL's property
	// initialPositionInStreamExtended is. It is not part of a lease: KCL reads it from
	// its properties.
	Time time.Time
}

// ParsePosition returns the position of a kind, whose letters may have any case, as in
// KCL. AT_TIMESTAMP needs seconds since 1970. With the other kinds they must be 0.
func ParsePosition(kind string, seconds int64) (Position, error) {
	switch kind = strings.ToUpper(kind); kind {
	case TrimHorizon, Latest:
		if seconds != 0 {
			return Position{}, fmt.Errorf("a timestamp is for %s only, not for %s", AtTimestamp, kind)
		}
		return Position{Kind: kind}, nil
	case AtTimestamp:
		if seconds <= 0 {
			return Position{}, fmt.Errorf("%s needs a timestamp, in seconds since 1970", AtTimestamp)
		}
		return Position{Kind: kind, Time: time.Unix(seconds, 0)}, nil
	}
	return Position{}, fmt.Errorf("position %q is none of %s, %s, %s", kind, TrimHorizon, Latest, AtTimestamp)
}

// CheckTime returns an error if the position's time is in the future, which AWS refuses.
// Such a time is probably in milliseconds.
func (p Position) CheckTime(now time.Time) error {
	if p.Kind != AtTimestamp || !p.Time.After(now) {
		return nil
	}
	if seconds := p.Time.Unix() / 1000; seconds >= time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Unix() && seconds <= now.Unix() {
		return fmt.Errorf("the timestamp %d is in milliseconds: write %d, in seconds since 1970", p.Time.Unix(), seconds)
	}
	return fmt.Errorf("the timestamp %d is in the future, which AWS refuses", p.Time.Unix())
}

func (p Position) String() string {
	if p.Kind == AtTimestamp {
		return fmt.Sprintf("%s %d", p.Kind, p.Time.Unix())
	}
	return p.Kind
}

// ShardFilter returns the filter that KCL gives to ListShards when the lease table is
// empty.
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

// FirstLeases returns the leases that KCL creates in an empty lease table, from the
// shards that ListShards returned for a position: one lease for each shard, open or
// closed, in the order of their starting sequence numbers. The error wraps
// ErrIncompleteShards if the shards do not cover all hash keys exactly once, in which
// case KCL creates no leases either.
//
// stream is the stream's identifier in an application with several streams, otherwise
// empty. KCL lists the shards of the position for the first of several streams only, and
// all shards for the others. At AT_TIMESTAMP it then begins with the oldest shards and
// finds nothing in them. FirstLeases treats each stream like the first.
func FirstLeases(shards []kinesis.Shard, at Position, stream string, layout Layout) ([]Item, error) {
	if err := checkHashRange(shards); err != nil {
		return nil, err
	}
	shards = slices.Clone(shards)
	slices.SortFunc(shards, func(a, b kinesis.Shard) int {
		x, y := parseNumber(a.SequenceNumberRange.StartingSequenceNumber), parseNumber(b.SequenceNumberRange.StartingSequenceNumber)
		if c := x.Cmp(y); c != 0 {
			return c
		}
		return strings.Compare(aws.ToString(a.ShardId), aws.ToString(b.ShardId))
	})
	var leases []Item
	for _, s := range shards {
		leases = append(leases, NewLease(s, at.Kind, stream, layout))
	}
	return leases, nil
}

// ErrIncompleteShards is the error if shards do not cover all hash keys exactly once, for
// example while a stream is being resharded.
var ErrIncompleteShards = errors.New("the shards do not cover all hash keys exactly once")

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
		return parseNumber(a.HashKeyRange.StartingHashKey).Cmp(parseNumber(b.HashKeyRange.StartingHashKey))
	})
	next := new(big.Int)
	for _, s := range byHash {
		if parseNumber(s.HashKeyRange.StartingHashKey).Cmp(next) != 0 {
			return fmt.Errorf("shard %s starts at hash key %s, not %s: %w", aws.ToString(s.ShardId), aws.ToString(s.HashKeyRange.StartingHashKey), next, ErrIncompleteShards)
		}
		next.Add(parseNumber(s.HashKeyRange.EndingHashKey), big.NewInt(1))
	}
	if next.Sub(next, big.NewInt(1)).Cmp(maxHashKey) != 0 {
		return fmt.Errorf("the last shard ends at hash key %s: %w", next, ErrIncompleteShards)
	}
	return nil
}

// parseNumber parses a decimal number of Kinesis. It returns -1, which no check accepts,
// for anything else.
func parseNumber(s *string) *big.Int {
	if n, ok := new(big.Int).SetString(aws.ToString(s), 10); ok {
		return n
	}
	return big.NewInt(-1)
}

// NewLease returns a lease that nobody has owned yet, at a checkpoint: a sequence number
// or a position such as TrimHorizon. stream is as for FirstLeases.
func NewLease(s kinesis.Shard, checkpoint, stream string, layout Layout) Item {
	lease := Item{
		LeaseKey:      &ddb.AttributeValueMemberS{Value: *s.ShardId},
		LeaseCounter:  &ddb.AttributeValueMemberN{Value: "0"},
		LeaseSwitches: &ddb.AttributeValueMemberN{Value: "0"},
		Checkpoint:    &ddb.AttributeValueMemberS{Value: checkpoint},
		CheckpointSub: &ddb.AttributeValueMemberN{Value: "0"},
		startHashKey:  &ddb.AttributeValueMemberS{Value: parseNumber(s.HashKeyRange.StartingHashKey).String()},
		endHashKey:    &ddb.AttributeValueMemberS{Value: parseNumber(s.HashKeyRange.EndingHashKey).String()},
	}
	var parents []string
	for _, p := range []*string{s.ParentShardId, s.AdjacentParentShardId} {
		if p != nil {
			parents = append(parents, *p)
		}
	}
	if parents != nil { // DynamoDB refuses an empty set
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

// LeaseConflictError is the error for an existing lease that a first start of KCL would
// not have created.
type LeaseConflictError struct {
	// Lease is the key of the lease. Why says how it differs.
	Lease, Why string
}

func (e *LeaseConflictError) Error() string {
	return fmt.Sprintf("lease %s exists and %s", e.Lease, e.Why)
}

// MissingLeases returns the wanted leases that do not exist. It returns a
// *LeaseConflictError if a lease exists that is not exactly as wanted: then KCL has
// worked with it, or it was created for another position or stream.
func MissingLeases(wanted, existing []Item) ([]Item, error) {
	byKey := map[string]Item{}
	for _, lease := range wanted {
		byKey[KeyOf(lease)] = lease
	}
	for _, lease := range existing {
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

// difference says how a lease differs from a first lease, and "" if it does not.
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
	delete(names, EntityType) // depends on the version that wrote it
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !reflect.DeepEqual(canonical(want[name]), canonical(got[name])) {
			return "differs in " + name
		}
	}
	return ""
}

// Equal reports whether two rows are equal.
func Equal(a, b Item) bool {
	return maps.EqualFunc(a, b, func(x, y ddb.AttributeValue) bool { return reflect.DeepEqual(canonical(x), canonical(y)) })
}

// canonical returns a value that is comparable: a set is sorted.
func canonical(v ddb.AttributeValue) any {
	if set, ok := v.(*ddb.AttributeValueMemberSS); ok {
		return slices.Sorted(slices.Values(set.Value))
	}
	return v
}

// CheckpointProblem says why a stream cannot have the checkpoint of a lease, and returns
// "" if it can. shard is the lease's shard, or nil if the stream has no shard with its ID,
// for example because its records have expired.
func CheckpointProblem(lease Item, shard *kinesis.Shard) string {
	at := Text(lease, Checkpoint)
	n, ok := new(big.Int).SetString(at, 10)
	switch {
	case shard == nil && at == ShardEnd, shard == nil && at == "":
		return "" // KCL will delete it
	case shard == nil:
		return "the stream does not have this shard, and it was not read to its end"
	case shard.SequenceNumberRange == nil:
		return ""
	}
	first, last := shard.SequenceNumberRange.StartingSequenceNumber, shard.SequenceNumberRange.EndingSequenceNumber
	switch {
	case at == ShardEnd && last == nil:
		return "it was read to its end, but is open"
	case ok && n.Cmp(parseNumber(first)) < 0:
		return "its checkpoint is before its first sequence number, " + aws.ToString(first)
	case ok && last != nil && n.Cmp(parseNumber(last)) > 0:
		return "its checkpoint is after its last sequence number, " + aws.ToString(last)
	}
	return ""
}

// KeyOf returns the key of a lease: the ID of its shard, or, in an application with
// several streams, the stream's identifier, a colon and the ID of the shard.
func KeyOf(lease Item) string { return Text(lease, LeaseKey) }

// StreamOf returns the identifier of a lease's stream, and "" in an application with one
// stream.
func StreamOf(lease Item) string { return Text(lease, StreamID) }

// ShardOf returns the ID of a lease's shard.
func ShardOf(lease Item) string {
	if StreamOf(lease) == "" {
		return KeyOf(lease)
	}
	return Text(lease, ShardID)
}

// EverOwned reports whether a worker owns, or owned, one of the leases.
func EverOwned(leases []Item) bool {
	return slices.ContainsFunc(leases, func(lease Item) bool {
		return Text(lease, LeaseOwner) != "" || Text(lease, CheckpointOwner) != "" || Int(lease, LeaseCounter) != 0
	})
}

// Text returns an attribute that is a string or a number, and "" if there is none.
func Text(item Item, name string) string {
	switch v := item[name].(type) {
	case *ddb.AttributeValueMemberS:
		return v.Value
	case *ddb.AttributeValueMemberN:
		return v.Value
	}
	return ""
}

// Printable returns a text for the terminal: unchanged, or quoted as in Go if it has
// characters that are not printable. Anyone who can write to a table chooses the names of
// workers and leases. They must not end a line or control a terminal.
func Printable(text string) string {
	if utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return text
	}
	return strconv.Quote(text)
}

// Int returns an attribute that is a number, and 0 if there is none.
func Int(item Item, name string) int64 {
	n, _ := strconv.ParseInt(Text(item, name), 10, 64)
	return n
}
