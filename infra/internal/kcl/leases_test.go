package kcl

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	kinesis "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// shard has the hash keys from start to end and began at a sequence number.
func shard(id, start, end, sequence string, parents ...string) kinesis.Shard {
	s := kinesis.Shard{
		ShardId:             &id,
		HashKeyRange:        &kinesis.HashKeyRange{StartingHashKey: &start, EndingHashKey: &end},
		SequenceNumberRange: &kinesis.SequenceNumberRange{StartingSequenceNumber: &sequence},
	}
	if len(parents) > 0 {
		s.ParentShardId = &parents[0]
	}
	if len(parents) > 1 {
		s.AdjacentParentShardId = &parents[1]
	}
	return s
}

const (
	half     = "170141183460469231731687303715884105728"
	halfLess = "170141183460469231731687303715884105727"
	last     = "340282366920938463463374607431768211455"
)

func twoShards() []kinesis.Shard {
	return []kinesis.Shard{
		shard("shardId-000000000000", "0", halfLess, "100"),
		shard("shardId-000000000001", half, last, "101"),
	}
}

// plain is an item in DynamoDB's own JSON.
func plain(item Item) map[string]map[string]any {
	out := map[string]map[string]any{}
	for name, value := range item {
		switch v := value.(type) {
		case *ddb.AttributeValueMemberS:
			out[name] = map[string]any{"S": v.Value}
		case *ddb.AttributeValueMemberN:
			out[name] = map[string]any{"N": v.Value}
		case *ddb.AttributeValueMemberSS:
			out[name] = map[string]any{"SS": v.Value}
		default:
			out[name] = map[string]any{fmt.Sprintf("%T", v): nil}
		}
	}
	return out
}

func plainAll(items []Item) (all []map[string]map[string]any) {
	for _, item := range items {
		all = append(all, plain(item))
	}
	return all
}

// testdata/kcl-3.1.3-first-sync.json is what KCL 3.1.3 itself wrote to an empty lease table
// for a stream of two shards, before a worker took a lease.
func TestFirstLeasesAreKCLs(t *testing.T) {
	text, err := os.ReadFile("testdata/kcl-3.1.3-first-sync.json")
	if err != nil {
		t.Fatal(err)
	}
	var want []map[string]map[string]any
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	leases, err := FirstLeases(twoShards(), Position{Kind: TrimHorizon}, "", KCL3)
	if err != nil {
		t.Fatal(err)
	}
	if got := plainAll(leases); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

func TestFirstLeasesOfAReshardedStream(t *testing.T) {
	shards := []kinesis.Shard{ // as ListShards may give them: by ID, not by age
		shard("shardId-000000000002", "0", halfLess, "9", "shardId-000000000000", "shardId-000000000001"),
		shard("shardId-000000000003", half, last, "10", "shardId-000000000001"),
	}
	slices.Reverse(shards)
	for _, at := range []Position{{Kind: Latest}, {Kind: AtTimestamp, Time: time.Unix(1700000000, 0)}} {
		leases, err := FirstLeases(shards, at, "", KCL3)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "resharded-"+at.Kind+".json", plainAll(leases))
	}
}

func TestFirstLeasesNeedAllHashKeys(t *testing.T) {
	tests := []struct {
		name   string
		shards []kinesis.Shard
	}{
		{"no shards", nil},
		{"not from 0", []kinesis.Shard{shard("a", "1", last, "1")}},
		{"not to the end", []kinesis.Shard{shard("a", "0", halfLess, "1")}},
		{"a hole", []kinesis.Shard{shard("a", "0", "9", "1"), shard("b", "11", last, "1")}},
		{"an overlap", []kinesis.Shard{shard("a", "0", "10", "1"), shard("b", "10", last, "1")}},
		{"parent and children", append(twoShards(), shard("c", "0", last, "1"))},
		{"no number", []kinesis.Shard{shard("a", "0", "x", "1")}},
		{"no range", []kinesis.Shard{{ShardId: aws.String("a")}}},
	}
	for _, tt := range tests {
		if leases, err := FirstLeases(tt.shards, Position{Kind: Latest}, "", KCL3); !errors.Is(err, ErrIncompleteShards) || leases != nil {
			t.Errorf("%s: got %v, error %v, want %v", tt.name, leases, err, ErrIncompleteShards)
		}
	}
}

// However the hash keys are split, and in whatever order the shards come, there is a lease
// for each shard. If a shard is missing, there is none.
func TestFirstLeasesProperty(t *testing.T) {
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 0))
		var shards []kinesis.Shard
		start := new(big.Int)
		n := 1 + random.IntN(20)
		for i := range n {
			end := new(big.Int).Set(maxHashKey)
			if i < n-1 {
				end.Add(start, new(big.Int).SetUint64(1+random.Uint64()))
			}
			shards = append(shards, shard(fmt.Sprint("s", i), start.String(), end.String(), fmt.Sprint(random.IntN(50))))
			start = new(big.Int).Add(end, big.NewInt(1))
		}
		random.Shuffle(n, func(i, j int) { shards[i], shards[j] = shards[j], shards[i] })
		leases, err := FirstLeases(shards, Position{Kind: TrimHorizon}, "", KCL3)
		if err != nil || len(leases) != n {
			t.Fatalf("seed %d: %d leases, error %v, want %d", seed, len(leases), err, n)
		}
		if missing, err := MissingLeases(leases, nil); err != nil || len(missing) != n {
			t.Fatalf("seed %d: %d missing, error %v, want %d", seed, len(missing), err, n)
		}
		if missing, err := MissingLeases(leases, leases); err != nil || len(missing) != 0 {
			t.Fatalf("seed %d: %d missing, error %v, want none", seed, len(missing), err)
		}
		// Interrupted after k, and read in another order: the rest is missing.
		k := random.IntN(n)
		there := slices.Clone(leases[:k])
		slices.Reverse(there)
		if missing, err := MissingLeases(leases, there); err != nil || !reflect.DeepEqual(missing, leases[k:]) {
			t.Fatalf("seed %d: after %d of %d, got %v, error %v, want %v", seed, k, n, missing, err, leases[k:])
		}
		if _, err := FirstLeases(shards[1:], Position{Kind: TrimHorizon}, "", KCL3); err == nil {
			t.Fatalf("seed %d: no error without the first shard, want one", seed)
		}
	}
}

func TestMissingLeasesRefuses(t *testing.T) {
	wanted, err := FirstLeases(twoShards(), Position{Kind: TrimHorizon}, "", KCL3)
	if err != nil {
		t.Fatal(err)
	}
	s := func(v string) ddb.AttributeValue { return &ddb.AttributeValueMemberS{Value: v} }
	n := func(v string) ddb.AttributeValue { return &ddb.AttributeValueMemberN{Value: v} }
	tests := []struct {
		name      string
		attribute string
		value     ddb.AttributeValue
		want      string
	}{
		{"owner", LeaseOwner, s("w1"), "owned by worker w1"},
		{"being handed over", CheckpointOwner, s("w2"), "owned by worker w2"},
		{"position", Checkpoint, s(Latest), "is at LATEST, not at TRIM_HORIZON"},
		{"checkpoint", Checkpoint, s("4711"), "is at 4711"},
		{"counter", LeaseCounter, n("7"), "its counter is 7"},
		{"unknown attribute", "streamName", s("other"), "differs in streamName"},
		{"hash keys", endHashKey, s("5"), "differs in endingHashKey"},
		{"shard of another stream", LeaseKey, s("shardId-000000000009"), "of no shard"},
		{"children", "childShardIds", &ddb.AttributeValueMemberSS{Value: []string{"x"}}, "differs in childShardIds"},
	}
	for _, tt := range tests {
		lease := maps.Clone(wanted[1])
		lease[tt.attribute] = tt.value
		missing, err := MissingLeases(wanted, []Item{wanted[0], lease})
		var conflict *LeaseConflictError
		if !errors.As(err, &conflict) || missing != nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, error %v, want a *LeaseConflictError with %q", tt.name, missing, err, tt.want)
		}
	}
}

func TestMissingLeasesTakesASetInAnyOrder(t *testing.T) {
	wanted, err := FirstLeases([]kinesis.Shard{shard("c", "0", last, "1", "b", "a")}, Position{Kind: Latest}, "", KCL3)
	if err != nil {
		t.Fatal(err)
	}
	lease := maps.Clone(wanted[0])
	lease[parentShardIDs] = &ddb.AttributeValueMemberSS{Value: []string{"a", "b"}}
	if missing, err := MissingLeases(wanted, []Item{lease}); err != nil || len(missing) != 0 {
		t.Errorf("got %v, error %v, want none", missing, err)
	}
}

func TestCheckpointProblem(t *testing.T) {
	open := shard("shardId-000000000000", "0", last, "100")
	closed := shard("shardId-000000000000", "0", last, "100")
	closed.SequenceNumberRange.EndingSequenceNumber = aws.String("1000") // longer than the start, but not as text
	for _, tt := range []struct {
		name, checkpoint string
		shard            *kinesis.Shard
		problem          bool
	}{
		{"not begun", TrimHorizon, &open, false},
		{"the first record", "100", &open, false},
		{"a later one", "99999", &open, false},
		{"an earlier stream's", "99", &open, true},
		{"an end", ShardEnd, &closed, false},
		{"an earlier stream's end", ShardEnd, &open, true},
		{"the last record", "1000", &closed, false},
		{"in a closed shard", "999", &closed, false},
		{"behind the end", "1001", &closed, true},
		{"gone and read", ShardEnd, nil, false},
		{"gone and not read", "100", nil, true},
		{"gone and not begun", Latest, nil, true},
		{"no checkpoint", "", &open, false},
		{"no number", "many", &open, false},
	} {
		lease := Item{Checkpoint: &ddb.AttributeValueMemberS{Value: tt.checkpoint}}
		if got := CheckpointProblem(lease, tt.shard); (got != "") != tt.problem {
			t.Errorf("%s: got %q, want a problem: %v", tt.name, got, tt.problem)
		}
	}
	if got := CheckpointProblem(Item{}, nil); got != "" {
		t.Errorf("lease without a checkpoint: got %q, want no problem", got)
	}
}

func TestCheckTime(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for seconds, want := range map[int64]string{
		1:                   "",
		now.Unix():          "",
		now.Unix() + 1:      "the timestamp 1800000001 is in the future, which AWS refuses",
		now.UnixMilli() - 1: "the timestamp 1799999999999 is in milliseconds: write 1799999999, in seconds since 1970",
		now.UnixNano():      "the timestamp 1800000000000000000 is in the future, which AWS refuses",
	} {
		got := ""
		if err := (Position{Kind: AtTimestamp, Time: time.Unix(seconds, 0)}).CheckTime(now); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%d: %q, want %q", seconds, got, want)
		}
	}
	if err := (Position{Kind: Latest}).CheckTime(now); err != nil {
		t.Errorf("LATEST: error %v, want none", err)
	}
}

func TestParsePosition(t *testing.T) {
	tests := []struct {
		kind    string
		seconds int64
		want    string
		filter  kinesis.ShardFilterType
	}{
		{"TRIM_HORIZON", 0, "TRIM_HORIZON", kinesis.ShardFilterTypeAtTrimHorizon},
		{"latest", 0, "LATEST", kinesis.ShardFilterTypeAtLatest},
		{"AT_TIMESTAMP", 1700000000, "AT_TIMESTAMP 1700000000", kinesis.ShardFilterTypeAtTimestamp},
		{"AT_TIMESTAMP", 0, "", ""},
		{"LATEST", 5, "", ""},
		{"", 0, "", ""},
		{"OLDEST", 0, "", ""},
	}
	for _, tt := range tests {
		p, err := ParsePosition(tt.kind, tt.seconds)
		if (err == nil) != (tt.want != "") {
			t.Errorf("%s %d: error %v, want %q", tt.kind, tt.seconds, err, tt.want)
			continue
		}
		if err == nil && (p.String() != tt.want || p.ShardFilter().Type != tt.filter) {
			t.Errorf("%s %d is %s with filter %v, want %s with %s", tt.kind, tt.seconds, p, p.ShardFilter().Type, tt.want, tt.filter)
		}
	}
}

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "",
		`worker "1" of ü & co \ 中`: `worker "1" of ü & co \ 中`,
		"a\nb":                     `"a\nb"`,
		"\x1b]0;x\a\"":             `"\x1b]0;x\a\""`,
		"a\u009b2J":                `"a\u009b2J"`,
		"a\u202eb\u2066":           `"a\u202eb\u2066"`,
		"a\tb\x7f":                 `"a\tb\x7f"`,
		"\xff":                     `"\xff"`,
		"a\u2028b":                 `"a\u2028b"`,
	} {
		if got := Printable(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
