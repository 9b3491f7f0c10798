package resources

import (
	"context"
	"math/big"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

// readsAtOnce bounds the reads of positions: they are of as many shards, and each
// shard has limits of its own.
const readsAtOnce = 16

// addLags reads one record at the checkpoint of each shard. A shard admits five reads
// in a second and 2 MB, which its POLLING consumers use too: so each shard is read
// once, one record, and a read that is refused is not tried again.
func (a *App) addLags(ctx context.Context, streams []listed, shards []Shard) error {
	named := map[string]kcl.Stream{}
	for _, s := range streams {
		named[s.String()] = s.Stream
		if s.id != "" {
			named[s.id] = s.Stream
		}
	}
	var group sync.WaitGroup
	slots := make(chan struct{}, readsAtOnce)
	for i := range shards {
		s := &shards[i]
		from, ok := startOf(*s)
		if !ok || s.State == "gone" || s.Problem != "" {
			continue
		}
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			a.addLag(ctx, named[s.Stream], s, from)
		})
	}
	group.Wait()
	return ctx.Err()
}

// startOf returns where KCL reads a shard from. It is false at a position that no
// record has: LATEST, or a time that only the properties know.
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
		return // none was put yet, or the last has expired: then nothing is left to read
	}
	if record := out.Records[0]; isAt(record, s.Checkpoint) {
		s.Arrival = record.ApproximateArrivalTimestamp
		return
	}
	s.Expired = true
}

// isAt tells whether a record is the one at a checkpoint.
func isAt(record kinesistypes.Record, checkpoint string) bool {
	n, numbers := new(big.Int).SetString(checkpoint, 10)
	return !numbers || n.String() == aws.ToString(record.SequenceNumber)
}
