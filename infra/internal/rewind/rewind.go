// Package rewind plans which leases have to change so that KCL reads records again.
//
// What a plan relies on, by KCL's source (3.1.3; 2.5.4 and 3.5.1 are alike here):
//
//   - KCL reads at a lease's checkpoint (AT_SEQUENCE_NUMBER) and drops what is not behind
//     it, by sequence number and then sub-sequence number. After an iterator has expired,
//     or a subscription has failed, it goes on behind the checkpoint
//     (AFTER_SEQUENCE_NUMBER). So the checkpoint before a record is that of the record
//     before it in the shard, or TRIM_HORIZON when there is none. A number between two
//     records will not do: AWS takes those of records alone.
//   - A lease is not read while the lease of a parent is there that is not at SHARD_END. A
//     parent without a lease does not hold it up.
//   - At the end of a shard KCL makes the leases of its children, at TRIM_HORIZON, where
//     they are not there. For the child of a merge it waits until both parents have a
//     lease or neither has.
//   - KCL deletes a lease at SHARD_END when its parents' are gone and all its children
//     are being read. It makes leases for shards without one only where an open shard
//     and all of its ancestors have none.
//
// So of a tree of shards the oldest that have something to be read again are set back
// or made again, the leases of their descendants are deleted, and the finished partner of a
// merge gets a lease at SHARD_END.
package rewind

import (
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	kinesis "github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

// WholeRecord is the sub-sequence number of a checkpoint behind all of an aggregated
// record. A record cannot hold that many.
const WholeRecord = math.MaxInt32

// Checkpoint is a place in a shard: behind a record, or one of KCL's words.
type Checkpoint struct {
	Sequence string
	Sub      int64
}

// String returns the sequence number or word and, if that is not 0, the sub-sequence
// number behind a slash.
func (c Checkpoint) String() string {
	if c.Sub != 0 {
		return fmt.Sprintf("%s/%d", c.Sequence, c.Sub)
	}
	return c.Sequence
}

// Target is the place in a shard from which on records shall come again.
type Target struct {
	// Over says that the shard is closed and has no record from there on.
	Over bool
	// At is the checkpoint before the first record from there on. With LATEST a closed
	// shard is not read any more. Not set when Over.
	At Checkpoint
	// Time is that of the target, zero for TRIM_HORIZON. It is compared with where a
	// lease at AT_TIMESTAMP begins.
	Time time.Time
}

// Stream is what there is of one stream.
type Stream struct {
	// ID is the stream's identifier in an application of several.
	ID     string
	Layout kcl.Layout
	// Shards are all that the stream lists, Leases those of the stream.
	Shards []kinesis.Shard
	Leases []kcl.Item
	// Initial is where the application begins, if that is known: its Kind may be empty.
	Initial kcl.Position
}

// Change is a row before and after; nil where it is not there.
type Change struct{ Before, After kcl.Item }

// Key returns the key of the lease.
func (c Change) Key() string {
	if c.Before == nil {
		return kcl.KeyOf(c.After)
	}
	return kcl.KeyOf(c.Before)
}

// String says what changes of the lease: its checkpoint, or that it is not there.
func (c Change) String() string {
	say := func(row kcl.Item) string {
		if row == nil {
			return "none"
		}
		return place(row).String()
	}
	return fmt.Sprintf("lease %s: %s -> %s", c.Key(), say(c.Before), say(c.After))
}

// Next returns the shards whose targets are needed next: a descendant of one that has
// records to come again needs none.
func Next(shards []kinesis.Shard, targets map[string]Target) (next []kinesis.Shard) {
	listed := byID(shards)
	for _, shard := range shards {
		_, known := targets[*shard.ShardId]
		over := true
		for _, parent := range parents(shard) {
			if _, there := listed[parent]; there {
				over = over && targets[parent].Over
			}
		}
		if !known && over {
			next = append(next, shard)
		}
	}
	return next
}

// Everywhere returns the same target for all shards: TRIM_HORIZON or LATEST.
func Everywhere(shards []kinesis.Shard, word string) map[string]Target {
	targets := map[string]Target{}
	for _, shard := range shards {
		targets[*shard.ShardId] = Target{At: Checkpoint{Sequence: word}}
	}
	return targets
}

// Plan returns what has to change so that all records from the targets on, and none
// before them, come again, those of each key in their order. A lease that has not come to
// its target yet stays where it is: nothing is skipped, except with LATEST. A shard
// without a target stays as it is, unless an ancestor is set back. LATEST is no target for
// a shard that waits for an ancestor.
//
// The changes are in the order to make them. Planned again after some of them, the rest
// is the same, and when the application has been started in between nothing is lost.
func Plan(s Stream, targets map[string]Target) ([]Change, error) {
	shards, listed := parentsFirst(s.Shards), byID(s.Shards)
	before := map[string]kcl.Item{}
	for _, lease := range s.Leases {
		before[kcl.ShardOf(lease)] = lease
	}
	after := maps.Clone(before)
	waits := map[string]string{} // for this ancestor to be read to its end
	for _, shard := range shards {
		id := *shard.ShardId
		ready := true // KCL may have made its lease already
		for _, parent := range parents(shard) {
			if _, there := listed[parent]; !there {
				continue
			}
			lease := after[parent]
			switch {
			case waits[parent] != "":
				waits[id] = waits[parent]
			case lease != nil && place(lease).Sequence != kcl.ShardEnd:
				waits[id] = parent
			}
			ready = ready && lease != nil
		}
		target, wanted := targets[id]
		switch {
		case waits[id] != "" && wanted && target.At.Sequence == kcl.Latest:
			return nil, fmt.Errorf("shard %s comes after its parent %s, which is not read to its end: let a worker read that first, or rewind all shards to %s, without --shard", id, waits[id], kcl.Latest)
		case waits[id] != "" && before[id] != nil && !(ready && place(before[id]).Sequence == kcl.TrimHorizon):
			delete(after, id)
		case waits[id] == "" && wanted:
			lease, err := s.move(shard, before[id], target)
			if err != nil {
				return nil, err
			}
			if after[id] = lease; lease == nil {
				delete(after, id)
			}
		}
	}
	for _, shard := range shards {
		merged := parents(shard)
		if waits[*shard.ShardId] == "" || len(merged) < 2 {
			continue
		}
		for _, parent := range merged {
			of, there := listed[parent]
			switch {
			case after[parent] != nil || waits[parent] != "":
			case !there:
				return nil, fmt.Errorf("shard %s was merged with %s, which the stream does not list any more, and would never end: choose a later time", *shard.ShardId, parent)
			default:
				after[parent] = kcl.NewLease(of, kcl.ShardEnd, s.ID, s.Layout)
			}
		}
	}
	var set, deleted []Change
	for _, shard := range shards {
		id := *shard.ShardId
		switch c := (Change{before[id], after[id]}); {
		case kcl.Equal(c.Before, c.After):
		case c.After == nil:
			deleted = append(deleted, c)
		default:
			set = append(set, c)
		}
	}
	return append(set, deleted...), nil
}

// Forget returns what has to change to give up a lease whose shard the stream does not
// list. Its children are read from the oldest on; what the shard had is lost already. The
// changes are in the order to make them.
func (s Stream) Forget(lease kcl.Item) (changes []Change) {
	id, leased, parent := kcl.ShardOf(lease), map[string]bool{}, false
	for _, other := range s.Leases {
		leased[kcl.ShardOf(other)] = true
	}
	for _, shard := range parentsFirst(s.Shards) {
		of := parents(shard)
		if !slices.Contains(of, id) {
			continue
		}
		parent = true
		if !leased[*shard.ShardId] && !slices.ContainsFunc(of, func(p string) bool { return p != id && leased[p] }) {
			changes = append(changes, Change{nil, kcl.NewLease(shard, kcl.TrimHorizon, s.ID, s.Layout)})
		}
	}
	if parent { // the partner of a merge waits for a lease
		return append(changes, Change{lease, set(lease, Checkpoint{Sequence: kcl.ShardEnd})})
	}
	return append(changes, Change{lease, nil})
}

// move returns the lease of a shard that waits for no parent, nil for none.
func (s Stream) move(shard kinesis.Shard, lease kcl.Item, to Target) (kcl.Item, error) {
	var at Checkpoint
	if lease != nil {
		at = place(lease)
	}
	closed := shard.SequenceNumberRange != nil && shard.SequenceNumberRange.EndingSequenceNumber != nil
	switch {
	case to.Over:
		return lease, nil
	case to.At.Sequence == kcl.Latest && closed:
		if at.Sequence != kcl.ShardEnd {
			return nil, nil
		}
		return lease, nil
	case at == to.At:
		return lease, nil
	case lease == nil:
		lease = kcl.NewLease(shard, to.At.Sequence, s.ID, s.Layout)
		lease[kcl.CheckpointSub] = number(to.At.Sub)
		return lease, nil
	case to.At.Sequence == kcl.Latest:
		return set(lease, to.At), nil
	}
	switch at.Sequence {
	case kcl.TrimHorizon:
		return lease, nil
	case kcl.ShardEnd, kcl.Latest:
		return set(lease, to.At), nil
	case kcl.AtTimestamp:
		switch {
		case to.At.Sequence == kcl.TrimHorizon:
			return set(lease, to.At), nil
		case s.Initial.Kind != kcl.AtTimestamp:
			return nil, fmt.Errorf("lease %s is at %s, and only the properties file says at which: give it with --properties", kcl.KeyOf(lease), kcl.AtTimestamp)
		case s.Initial.Time.After(to.Time):
			return set(lease, to.At), nil
		}
		return lease, nil
	}
	have, ok := new(big.Int).SetString(at.Sequence, 10)
	if !ok {
		return nil, fmt.Errorf("lease %s has the checkpoint %q, which is none of KCL's", kcl.KeyOf(lease), at.Sequence)
	}
	want, ok := new(big.Int).SetString(to.At.Sequence, 10)
	if !ok || have.Cmp(want) > 0 {
		return set(lease, to.At), nil
	}
	return lease, nil
}

// set returns the lease at a checkpoint, owned by nobody. A worker that was stopped and
// goes on finds another counter, and has lost it.
func set(lease kcl.Item, at Checkpoint) kcl.Item {
	lease = maps.Clone(lease)
	lease[kcl.Checkpoint] = &ddb.AttributeValueMemberS{Value: at.Sequence}
	lease[kcl.CheckpointSub] = number(at.Sub)
	lease[kcl.LeaseCounter] = number(kcl.Int(lease, kcl.LeaseCounter) + 1)
	lease[kcl.LeaseSwitches] = number(0)
	for _, name := range []string{kcl.LeaseOwner, kcl.CheckpointOwner, kcl.PendingCheckpoint, kcl.PendingCheckpointSub, kcl.PendingState} {
		delete(lease, name)
	}
	return lease
}

func place(lease kcl.Item) Checkpoint {
	return Checkpoint{kcl.Text(lease, kcl.Checkpoint), kcl.Int(lease, kcl.CheckpointSub)}
}

func number(n int64) ddb.AttributeValue {
	return &ddb.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func parents(shard kinesis.Shard) (ids []string) {
	for _, id := range []*string{shard.ParentShardId, shard.AdjacentParentShardId} {
		if aws.ToString(id) != "" {
			ids = append(ids, *id)
		}
	}
	return ids
}

func byID(shards []kinesis.Shard) map[string]kinesis.Shard {
	listed := map[string]kinesis.Shard{}
	for _, shard := range shards {
		listed[*shard.ShardId] = shard
	}
	return listed
}

// parentsFirst orders shards so that each comes after its parents.
func parentsFirst(shards []kinesis.Shard) (ordered []kinesis.Shard) {
	shards = slices.Clone(shards)
	slices.SortFunc(shards, func(a, b kinesis.Shard) int { return strings.Compare(*a.ShardId, *b.ShardId) })
	listed, done := byID(shards), map[string]bool{}
	var visit func(kinesis.Shard)
	visit = func(shard kinesis.Shard) {
		if done[*shard.ShardId] {
			return
		}
		done[*shard.ShardId] = true
		for _, parent := range parents(shard) {
			if of, there := listed[parent]; there {
				visit(of)
			}
		}
		ordered = append(ordered, shard)
	}
	for _, shard := range shards {
		visit(shard)
	}
	return ordered
}
