package wire

import (
	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal/internal/core"
)

func (in *listShardsInput) check(c *constraints) {
	c.stream(in.streamRef)
	c.name("exclusiveStartShardId", in.ExclusiveStartShardId)
	c.within("maxResults", in.MaxResults, 1, 10_000)
	if in.NextToken != nil {
		c.length("nextToken", *in.NextToken, 1, 1<<20)
	}
	if f := in.ShardFilter; f != nil {
		c.required("shardFilter.type", f.Type != nil)
		oneOf(c, "shardFilter.type", f.Type, core.FilterTypes)
		c.name("shardFilter.shardId", f.ShardId)
	}
}

func listShards(c *call, in *listShardsInput) (*listShardsOutput, error) {
	shards, token, err := listShardsPage(c, in)
	if err != nil {
		return nil, err
	}
	return &listShardsOutput{Shards: shardShapes(shards), NextToken: nilIfEmpty(token)}, nil
}

func listShardsPage(c *call, in *listShardsInput) ([]core.Shard, string, error) {
	limit := int(valueOr(in.MaxResults, 1000))
	if in.NextToken != nil {
		if in.StreamName != nil || in.ExclusiveStartShardId != nil || in.StreamCreationTimestamp != nil || in.ShardFilter != nil {
			return nil, "", &failure{invalidArgument, "NextToken cannot be given together with StreamName, StreamCreationTimestamp, ExclusiveStartShardId or ShardFilter."}
		}
		of := c.account
		if in.StreamARN != nil {
			var err error
			if of, _, err = c.resolve(in.streamRef); err != nil {
				return nil, "", err
			}
		}
		return of.ListShardsNext(*in.NextToken, limit)
	}
	of, name, err := c.resolve(in.streamRef)
	if err != nil {
		return nil, "", err
	}
	filter, err := in.filter()
	if err != nil {
		return nil, "", err
	}
	return of.ListShards(name, in.StreamCreationTimestamp.orZero(), filter, valueOr(in.ExclusiveStartShardId, ""), limit)
}

func (in *listShardsInput) filter() (core.Filter, error) {
	f := in.ShardFilter
	if f == nil {
		return core.Filter{Type: core.FromTrimHorizon}, nil
	}
	filter := core.Filter{Type: core.FilterType(*f.Type)}
	wantsTime := filter.Type == core.AtTimestamp || filter.Type == core.FromTimestamp
	wantsShard := filter.Type == core.AfterShardID
	switch {
	case in.ExclusiveStartShardId != nil:
		return filter, &failure{invalidArgument, "ExclusiveStartShardId and ShardFilter cannot be given together."}
	case wantsTime != (f.Timestamp != nil):
		return filter, &failure{invalidArgument, "Timestamp in ShardFilter goes with AT_TIMESTAMP and FROM_TIMESTAMP, and only with these."}
	case wantsShard != (f.ShardId != nil):
		return filter, &failure{invalidArgument, "ShardId in ShardFilter goes with AFTER_SHARD_ID, and only with it."}
	}
	if wantsTime {
		filter.Timestamp = f.Timestamp.Time
	}
	filter.ShardID = valueOr(f.ShardId, "")
	return filter, nil
}

func (in *splitShardInput) check(c *constraints) {
	c.stream(in.streamRef)
	c.required("shardToSplit", in.ShardToSplit != nil)
	c.name("shardToSplit", in.ShardToSplit)
	c.required("newStartingHashKey", in.NewStartingHashKey != nil)
	c.number("newStartingHashKey", in.NewStartingHashKey, 39)
}

func splitShard(c *call, in *splitShardInput) (*empty, error) {
	of, name, err := c.resolve(in.streamRef)
	if err != nil {
		return nil, err
	}
	key, err := hashKey("NewStartingHashKey", *in.NewStartingHashKey)
	if err != nil {
		return nil, err
	}
	return &empty{}, of.SplitShard(name, *in.ShardToSplit, key)
}

func (in *mergeShardsInput) check(c *constraints) {
	c.stream(in.streamRef)
	c.required("shardToMerge", in.ShardToMerge != nil)
	c.name("shardToMerge", in.ShardToMerge)
	c.required("adjacentShardToMerge", in.AdjacentShardToMerge != nil)
	c.name("adjacentShardToMerge", in.AdjacentShardToMerge)
}

func mergeShards(c *call, in *mergeShardsInput) (*empty, error) {
	return onStream(c, in.streamRef, func(of *core.Account, name string) error {
		return of.MergeShards(name, *in.ShardToMerge, *in.AdjacentShardToMerge)
	})
}

func (in *updateShardCountInput) check(c *constraints) {
	c.stream(in.streamRef)
	c.required("targetShardCount", in.TargetShardCount != nil)
	c.within("targetShardCount", in.TargetShardCount, 1, 1<<31-1)
	c.required("scalingType", in.ScalingType != nil)
	oneOf(c, "scalingType", in.ScalingType, []string{"UNIFORM_SCALING"})
}

func updateShardCount(c *call, in *updateShardCountInput) (*updateShardCountOutput, error) {
	of, name, err := c.resolve(in.streamRef)
	if err != nil {
		return nil, err
	}
	sum, err := of.UpdateShardCount(name, int(*in.TargetShardCount))
	if err != nil {
		return nil, err
	}
	return &updateShardCountOutput{
		StreamName:        &sum.Name,
		StreamARN:         &sum.ARN,
		CurrentShardCount: ptr(int32(sum.OpenShards)),
		TargetShardCount:  in.TargetShardCount,
	}, nil
}

// hashKey parses a hash key that has passed its constraint.
func hashKey(member, s string) (core.HashKey, error) {
	k, ok := core.ParseHashKey(s)
	if !ok {
		return k, &failure{invalidArgument, "Invalid " + member + ". " + member + " must be in the range: [0, 2^128-1]. Specified value was " + s}
	}
	return k, nil
}

func hashKeys(r core.HashKeyRange) *hashKeyRange {
	return &hashKeyRange{StartingHashKey: ptr(r.First.String()), EndingHashKey: ptr(r.Last.String())}
}

func shardShapes(shards []core.Shard) []shard {
	out := make([]shard, len(shards))
	for i, s := range shards {
		out[i] = shard{
			ShardId:               &s.ID,
			ParentShardId:         nilIfEmpty(s.Parent),
			AdjacentParentShardId: nilIfEmpty(s.AdjacentParent),
			HashKeyRange:          hashKeys(s.HashKeys),
			SequenceNumberRange:   &sequenceNumberRange{StartingSequenceNumber: ptr(s.First.String())},
		}
		if s.Closed {
			out[i].SequenceNumberRange.EndingSequenceNumber = ptr(s.Last.String())
		}
	}
	return out
}
