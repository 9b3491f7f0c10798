// Package rewind plans which leases must change so that KCL reads records again:
//
//	changes, err := rewind.Plan(stream, targets)
//
// A plan relies on the following, from KCL's source (3.1.3; 2.5.4 and 3.5.1 do the same):
//
//   - KCL reads from a lease's checkpoint (AT_SEQUENCE_NUMBER) and drops records up to it,
//     by sequence number and sub-sequence number. After an expired iterator or a failed
//     subscription it goes on after the checkpoint (AFTER_SEQUENCE_NUMBER). So the
//     checkpoint before a record is the one of the record before it in the shard, or
//     TRIM_HORIZON if there is none. A number between two records is not enough: AWS
//     accepts only those of records.
//   - KCL does not read a shard while the lease of a parent exists and is not at
//     SHARD_END. A parent without a lease does not delay its children.
//   - At the end of a shard KCL creates missing leases of its children, at TRIM_HORIZON.
//     For the child of a merge it waits until both parents have a lease or neither has.
//   - KCL deletes a lease at SHARD_END when its parents' leases are gone and all its
//     children are being read. It creates leases for shards without one only if an open
//     shard and all its ancestors have none.
//
// So in a tree of shards, the leases of the oldest shards with records to read again are
// set back or created again, the leases of their descendants are deleted, and the
// finished partner of a merge gets a lease at SHARD_END.
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

// WholeRecord is the sub-sequence number of a checkpoint after a whole aggregated record.
// No record has that many parts.
const WholeRecord = math.MaxInt32

// Checkpoint is a checkpoint of KCL. Sequence is the sequence number of a record, or a
// word such as kcl.TrimHorizon.
type Checkpoint struct {
	Sequence string
	Sub      int64
}

// String returns Sequence and, if Sub is not 0, a slash and Sub.
func (c Checkpoint) String() string {
	if c.Sub != 0 {
		return fmt.Sprintf("%s/%d", c.Sequence, c.Sub)
	}
	return c.Sequence
}

// Target is the place in a shard from which records are to be read again.
type Target struct {
	// Exhausted is whether the shard is closed and has no record from the target on.
	Exhausted bool
	// At is the checkpoint before the first record to read again. With LATEST a closed
	// shard is not read any more. Not set if Exhausted.
	At Checkpoint
	// Time is the time of the target, zero for TRIM_HORIZON. It is compared with the
	// time at which a lease at AT_TIMESTAMP begins.
	Time time.Time
}

// Stream is a stream and its leases.
type Stream struct {
	// ID is the stream's identifier in an application with several streams.
	ID     string
	Layout kcl.Layout
	// Shards are all shards that ListShards returns, Leases the leases of the stream.
	Shards []kinesis.Shard
	Leases []kcl.Item
	// Initial is where the application starts. Its Kind is empty if that is not known.
	Initial kcl.Position
}

// Change is a lease before and after a change, nil if it does not exist.
type Change struct{ Before, After kcl.Item }

// Key returns the key of the lease.
func (c Change) Key() string {
	if c.Before == nil {
		return kcl.KeyOf(c.After)
	}
	return kcl.KeyOf(c.Before)
}

// String returns the key of the lease and its checkpoints before and after.
func (c Change) String() string {
	checkpoint := func(row kcl.Item) string {
		if row == nil {
			return "none"
		}
		return checkpointOf(row).String()
	}
	return fmt.Sprintf("lease %s: %s -> %s", c.Key(), checkpoint(c.Before), checkpoint(c.After))
}

// NextShards returns the shards whose targets Plan needs next, after those that targets
// has. A descendant of a shard with records to read again needs none.
func NextShards(shards []kinesis.Shard, targets map[string]Target) (next []kinesis.Shard) {
	listed := byID(shards)
	for _, shard := range shards {
		_, known := targets[*shard.ShardId]
		over := true
		for _, parent := range parents(shard) {
			if _, there := listed[parent]; there {
				over = over && targets[parent].Exhausted
			}
		}
		if !known && over {
			next = append(next, shard)
		}
	}
	return next
}

// SameTarget returns one target for all shards. word is TRIM_HORIZON or LATEST.
func SameTarget(shards []kinesis.Shard, word string) map[string]Target {
	targets := map[string]Target{}
	for _, shard := range shards {
		targets[*shard.ShardId] = Target{At: Checkpoint{Sequence: word}}
	}
	return targets
}

// Plan returns the changes after which KCL reads all records from the targets on again,
// and none before them, in order for each key. A lease that has not reached its target
// yet does not change: nothing is skipped, except with LATEST. A shard without a target
// does not change, unless an ancestor is set back. LATEST cannot be the target of a shard
// that waits for an ancestor.
//
// The changes are in the order to make them. If some have been made, planning again
// returns the rest, and nothing is lost if the application ran in between.
func Plan(s Stream, targets map[string]Target) ([]Change, error) {
	shards, listed := parentsFirst(s.Shards), byID(s.Shards)
	before := map[string]kcl.Item{}
	for _, lease := range s.Leases {
		before[kcl.ShardOf(lease)] = lease
	}
	after := maps.Clone(before)
	waits := map[string]string{} // the ancestor that must be read to its end first
	for _, shard := range shards {
		id := *shard.ShardId
		ready := true // KCL may have created its lease already
		for _, parent := range parents(shard) {
			if _, there := listed[parent]; !there {
				continue
			}
			lease := after[parent]
			switch {
			case waits[parent] != "":
				waits[id] = waits[parent]
			case lease != nil && checkpointOf(lease).Sequence != kcl.ShardEnd:
				waits[id] = parent
			}
			ready = ready && lease != nil
		}
		target, wanted := targets[id]
		switch {
		case waits[id] != "" && wanted && target.At.Sequence == kcl.Latest:
			return nil, fmt.Errorf("shard %s comes after its parent %s, which has not been read to its end: let a worker read that first, or rewind all shards to %s, without --shard", id, waits[id], kcl.Latest)
		case waits[id] != "" && before[id] != nil && !(ready && checkpointOf(before[id]).Sequence == kcl.TrimHorizon):
			delete(after, id)
		case waits[id] == "" && wanted:
			lease, err := s.moveLease(shard, before[id], target)
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
				return nil, fmt.Errorf("shard %s was merged with %s, which the stream no longer has, and would never end: choose a later time", *shard.ShardId, parent)
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

// DropLease returns the changes that drop a lease whose shard the stream no longer has.
// Its children are read from the oldest record on. The records of the shard are already
// lost. The changes are in the order to make them.
func (s Stream) DropLease(lease kcl.Item) (changes []Change) {
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
	if parent { // its partner in a merge waits for a lease
		return append(changes, Change{lease, withCheckpoint(lease, Checkpoint{Sequence: kcl.ShardEnd})})
	}
	return append(changes, Change{lease, nil})
}

// moveLease returns the lease, moved to the target, of a shard that waits for no parent.
// It returns nil for no lease.
func (s Stream) moveLease(shard kinesis.Shard, lease kcl.Item, to Target) (kcl.Item, error) {
	var at Checkpoint
	if lease != nil {
		at = checkpointOf(lease)
	}
	closed := shard.SequenceNumberRange != nil && shard.SequenceNumberRange.EndingSequenceNumber != nil
	switch {
	case to.Exhausted:
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
		return withCheckpoint(lease, to.At), nil
	}
	switch at.Sequence {
	case kcl.TrimHorizon:
		return lease, nil
	case kcl.ShardEnd, kcl.Latest:
		return withCheckpoint(lease, to.At), nil
	case kcl.AtTimestamp:
		switch {
		case to.At.Sequence == kcl.TrimHorizon:
			return withCheckpoint(lease, to.At), nil
		case s.Initial.Kind != kcl.AtTimestamp:
			return nil, fmt.Errorf("lease %s is at %s, and only the properties file has the time: give it with --properties", kcl.KeyOf(lease), kcl.AtTimestamp)
		case s.Initial.Time.After(to.Time):
			return withCheckpoint(lease, to.At), nil
		}
		return lease, nil
	}
	have, ok := new(big.Int).SetString(at.Sequence, 10)
	if !ok {
		return nil, fmt.Errorf("lease %s has the checkpoint %q, which KCL does not know", kcl.KeyOf(lease), at.Sequence)
	}
	want, ok := new(big.Int).SetString(to.At.Sequence, 10)
	if !ok || have.Cmp(want) > 0 {
		return withCheckpoint(lease, to.At), nil
	}
	return lease, nil
}

// withCheckpoint returns the lease at a checkpoint, owned by nobody. A suspended worker
// that resumes finds another counter, so it has lost the lease.
func withCheckpoint(lease kcl.Item, at Checkpoint) kcl.Item {
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

func checkpointOf(lease kcl.Item) Checkpoint {
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
