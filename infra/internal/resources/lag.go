package resources

import (
	"context"
	"math/big"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

// addLags reads one record at the checkpoint of each shard. A shard allows five reads per
// second and 2 MB, which its POLLING consumers use too. So it reads one record of each
// shard, once, and does not retry a read that is refused.
func (a *App) addLags(ctx context.Context, streams []streamShards, shards []Shard) error {
	named := map[string]kcl.Stream{}
	for _, s := range streams {
		named[s.String()] = s.Stream
		if s.id != "" {
			named[s.id] = s.Stream
		}
	}
	return forEach(ctx, len(shards), func(ctx context.Context, i int) error {
		s := &shards[i]
		if from, ok := startOf(*s); ok && s.State != "gone" && s.Problem == "" {
			a.addLag(ctx, named[s.Stream], s, from)
		}
		return nil
	})
}

// startOf returns where KCL starts to read a shard. It returns false for a position
// without a record: LATEST, or a time that only the properties have.
func startOf(s Shard) (in kinesis.GetShardIteratorInput, ok bool) {
	in.ShardId = aws.String(s.ShardID)
	switch s.Checkpoint {
	case kcl.TrimHorizon:
		in.ShardIteratorType = kinesistypes.ShardIteratorTypeTrimHorizon
		return in, true
	case "", kcl.Latest, kcl.AtTimestamp, kcl.ShardEnd:
		return in, false
	}
	in.ShardIteratorType = kinesistypes.ShardIteratorTypeAtSequenceNumber
	in.StartingSequenceNumber = aws.String(s.Checkpoint)
	return in, true
}

func (a *App) addLag(ctx context.Context, stream kcl.Stream, s *Shard, from kinesis.GetShardIteratorInput) {
	once := func(o *kinesis.Options) { o.RetryMaxAttempts = 1 }
	from.StreamName, from.StreamARN = nameOrARN(stream)
	iterator, err := a.Kinesis.GetShardIterator(ctx, &from, once)
	if err != nil {
		s.LagUnknown = a.kinesisError("find the checkpoint", err).Error()
		return
	}
	in := &kinesis.GetRecordsInput{ShardIterator: iterator.ShardIterator, Limit: aws.Int32(1)}
	if stream.ARN != "" {
		in.StreamARN = &stream.ARN
	}
	out, err := a.Kinesis.GetRecords(ctx, in, once)
	if err != nil {
		s.LagUnknown = a.kinesisError("read at the checkpoint", err).Error()
		return
	}
	if out.MillisBehindLatest != nil {
		s.LagSeconds = aws.Float64(float64(*out.MillisBehindLatest) / 1000)
	}
	if len(out.Records) == 0 {
		return // none was put yet, or all have expired: there is nothing left to read
	}
	if record := out.Records[0]; isAt(record, s.Checkpoint) {
		s.Arrival = record.ApproximateArrivalTimestamp
		return
	}
	s.Expired = true
}

// isAt reports whether a record is the one at a checkpoint.
func isAt(record kinesistypes.Record, checkpoint string) bool {
	n, numbers := new(big.Int).SetString(checkpoint, 10)
	return !numbers || n.String() == aws.ToString(record.SequenceNumber)
}
