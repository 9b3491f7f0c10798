package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
)

// probe finds out what an emulator can do, with a stream in a process of its own.
func (c *localContender) probe(ctx context.Context) error {
	e, err := c.start(ctx)
	if err != nil {
		return err
	}
	defer e.Close()
	p := &prober{client: localClient(e.URL), stream: aws.String("probe")}
	if err := createStream(ctx, p.client, *p.stream, 2); err != nil {
		return err
	}
	summary, err := p.client.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: p.stream})
	if err != nil {
		return err
	}
	p.arn = summary.StreamDescriptionSummary.StreamARN
	for _, op := range operations {
		if known(op.call(ctx, p)) {
			c.operations++
		} else {
			c.refused = append(c.refused, op.name)
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	c.polling, c.pollingEnds = p.reads(ctx)
	c.fanOut, c.fanOutEnds = p.subscribes(ctx)
	return context.Cause(ctx)
}

// A prober calls one emulator.
type prober struct {
	client      *kinesis.Client
	stream, arn *string
}

// known tells whether the service knows an operation that answered err: any
// answer but that it does not.
func known(err error) bool {
	var api smithy.APIError
	if errors.As(err, &api) && slices.Contains([]string{"UnknownOperationException", "InvalidAction", "NotImplemented", "UnknownError"}, api.ErrorCode()) {
		return false
	}
	var response *awshttp.ResponseError
	if errors.As(err, &response) && response.HTTPStatusCode() == http.StatusNotImplemented {
		return false
	}
	return true
}

// operations are those that KCL 3.x, the SDKs and the CLI use on streams, each
// with arguments that are right in form.
var operations = []struct {
	name string
	call func(context.Context, *prober) error
}{
	{"AddTagsToStream", func(ctx context.Context, p *prober) error {
		_, err := p.client.AddTagsToStream(ctx, &kinesis.AddTagsToStreamInput{StreamName: p.stream, Tags: map[string]string{"a": "b"}})
		return err
	}},
	{"CreateStream", func(ctx context.Context, p *prober) error {
		_, err := p.client.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: aws.String("second"), ShardCount: aws.Int32(1)})
		return err
	}},
	{"DecreaseStreamRetentionPeriod", func(ctx context.Context, p *prober) error {
		_, err := p.client.DecreaseStreamRetentionPeriod(ctx, &kinesis.DecreaseStreamRetentionPeriodInput{StreamName: p.stream, RetentionPeriodHours: aws.Int32(24)})
		return err
	}},
	{"DeleteStream", func(ctx context.Context, p *prober) error {
		_, err := p.client.DeleteStream(ctx, &kinesis.DeleteStreamInput{StreamName: aws.String("second")})
		return err
	}},
	{"DeregisterStreamConsumer", func(ctx context.Context, p *prober) error {
		_, err := p.client.DeregisterStreamConsumer(ctx, &kinesis.DeregisterStreamConsumerInput{StreamARN: p.arn, ConsumerName: aws.String("none")})
		return err
	}},
	{"DescribeLimits", func(ctx context.Context, p *prober) error {
		_, err := p.client.DescribeLimits(ctx, &kinesis.DescribeLimitsInput{})
		return err
	}},
	{"DescribeStream", func(ctx context.Context, p *prober) error {
		_, err := p.client.DescribeStream(ctx, &kinesis.DescribeStreamInput{StreamName: p.stream})
		return err
	}},
	{"DescribeStreamConsumer", func(ctx context.Context, p *prober) error {
		_, err := p.client.DescribeStreamConsumer(ctx, &kinesis.DescribeStreamConsumerInput{StreamARN: p.arn, ConsumerName: aws.String("none")})
		return err
	}},
	{"DescribeStreamSummary", func(ctx context.Context, p *prober) error {
		_, err := p.client.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamARN: p.arn})
		return err
	}},
	{"DisableEnhancedMonitoring", func(ctx context.Context, p *prober) error {
		_, err := p.client.DisableEnhancedMonitoring(ctx, &kinesis.DisableEnhancedMonitoringInput{StreamName: p.stream, ShardLevelMetrics: []types.MetricsName{types.MetricsNameAll}})
		return err
	}},
	{"EnableEnhancedMonitoring", func(ctx context.Context, p *prober) error {
		_, err := p.client.EnableEnhancedMonitoring(ctx, &kinesis.EnableEnhancedMonitoringInput{StreamName: p.stream, ShardLevelMetrics: []types.MetricsName{types.MetricsNameAll}})
		return err
	}},
	{"GetRecords", func(ctx context.Context, p *prober) error {
		it, err := p.client.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{StreamName: p.stream, ShardId: shardID(0), ShardIteratorType: types.ShardIteratorTypeLatest})
		if err != nil {
			return err
		}
		_, err = p.client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: it.ShardIterator})
		return err
	}},
	{"GetShardIterator", func(ctx context.Context, p *prober) error {
		_, err := p.client.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{StreamARN: p.arn, ShardId: shardID(0), ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
		return err
	}},
	{"IncreaseStreamRetentionPeriod", func(ctx context.Context, p *prober) error {
		_, err := p.client.IncreaseStreamRetentionPeriod(ctx, &kinesis.IncreaseStreamRetentionPeriodInput{StreamName: p.stream, RetentionPeriodHours: aws.Int32(48)})
		return err
	}},
	{"ListShards", func(ctx context.Context, p *prober) error {
		_, err := p.client.ListShards(ctx, &kinesis.ListShardsInput{StreamName: p.stream})
		return err
	}},
	{"ListStreamConsumers", func(ctx context.Context, p *prober) error {
		_, err := p.client.ListStreamConsumers(ctx, &kinesis.ListStreamConsumersInput{StreamARN: p.arn})
		return err
	}},
	{"ListStreams", func(ctx context.Context, p *prober) error {
		_, err := p.client.ListStreams(ctx, &kinesis.ListStreamsInput{})
		return err
	}},
	{"ListTagsForResource", func(ctx context.Context, p *prober) error {
		_, err := p.client.ListTagsForResource(ctx, &kinesis.ListTagsForResourceInput{ResourceARN: p.arn})
		return err
	}},
	{"ListTagsForStream", func(ctx context.Context, p *prober) error {
		_, err := p.client.ListTagsForStream(ctx, &kinesis.ListTagsForStreamInput{StreamName: p.stream})
		return err
	}},
	{"MergeShards", func(ctx context.Context, p *prober) error {
		_, err := p.client.MergeShards(ctx, &kinesis.MergeShardsInput{StreamName: p.stream, ShardToMerge: shardID(8), AdjacentShardToMerge: shardID(9)})
		return err
	}},
	{"PutRecord", func(ctx context.Context, p *prober) error {
		_, err := p.client.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: p.stream, PartitionKey: aws.String("k"), Data: []byte("x")})
		return err
	}},
	{"PutRecords", func(ctx context.Context, p *prober) error {
		_, err := p.client.PutRecords(ctx, &kinesis.PutRecordsInput{StreamARN: p.arn, Records: []types.PutRecordsRequestEntry{{PartitionKey: aws.String("k"), Data: []byte("x")}}})
		return err
	}},
	{"RegisterStreamConsumer", func(ctx context.Context, p *prober) error {
		_, err := p.client.RegisterStreamConsumer(ctx, &kinesis.RegisterStreamConsumerInput{StreamARN: p.arn, ConsumerName: aws.String("second")})
		return err
	}},
	{"RemoveTagsFromStream", func(ctx context.Context, p *prober) error {
		_, err := p.client.RemoveTagsFromStream(ctx, &kinesis.RemoveTagsFromStreamInput{StreamName: p.stream, TagKeys: []string{"a"}})
		return err
	}},
	{"SplitShard", func(ctx context.Context, p *prober) error {
		_, err := p.client.SplitShard(ctx, &kinesis.SplitShardInput{StreamName: p.stream, ShardToSplit: shardID(9), NewStartingHashKey: aws.String("5")})
		return err
	}},
	{"StartStreamEncryption", func(ctx context.Context, p *prober) error {
		_, err := p.client.StartStreamEncryption(ctx, &kinesis.StartStreamEncryptionInput{StreamName: aws.String("none"), EncryptionType: types.EncryptionTypeKms, KeyId: aws.String("alias/aws/kinesis")})
		return err
	}},
	{"StopStreamEncryption", func(ctx context.Context, p *prober) error {
		_, err := p.client.StopStreamEncryption(ctx, &kinesis.StopStreamEncryptionInput{StreamName: aws.String("none"), EncryptionType: types.EncryptionTypeKms, KeyId: aws.String("alias/aws/kinesis")})
		return err
	}},
	{"SubscribeToShard", func(ctx context.Context, p *prober) error {
		out, err := p.client.SubscribeToShard(ctx, &kinesis.SubscribeToShardInput{
			ConsumerARN: aws.String(*p.arn + "/consumer/none:1700000000"), ShardId: shardID(0),
			StartingPosition: &types.StartingPosition{Type: types.ShardIteratorTypeLatest},
		})
		if err == nil {
			out.GetStream().Close()
		}
		return err
	}},
	{"TagResource", func(ctx context.Context, p *prober) error {
		_, err := p.client.TagResource(ctx, &kinesis.TagResourceInput{ResourceARN: p.arn, Tags: map[string]string{"a": "b"}})
		return err
	}},
	{"UntagResource", func(ctx context.Context, p *prober) error {
		_, err := p.client.UntagResource(ctx, &kinesis.UntagResourceInput{ResourceARN: p.arn, TagKeys: []string{"a"}})
		return err
	}},
	{"UpdateMaxRecordSize", func(ctx context.Context, p *prober) error {
		_, err := p.client.UpdateMaxRecordSize(ctx, &kinesis.UpdateMaxRecordSizeInput{StreamARN: p.arn, MaxRecordSizeInKiB: aws.Int32(2048)})
		return err
	}},
	{"UpdateShardCount", func(ctx context.Context, p *prober) error {
		_, err := p.client.UpdateShardCount(ctx, &kinesis.UpdateShardCountInput{StreamName: aws.String("none"), TargetShardCount: aws.Int32(2), ScalingType: types.ScalingTypeUniformScaling})
		return err
	}},
	{"UpdateStreamMode", func(ctx context.Context, p *prober) error {
		_, err := p.client.UpdateStreamMode(ctx, &kinesis.UpdateStreamModeInput{StreamARN: aws.String(*p.arn + "-none"), StreamModeDetails: &types.StreamModeDetails{StreamMode: types.StreamModeOnDemand}})
		return err
	}},
}

// opened makes a stream of one shard that has a record.
func (p *prober) opened(ctx context.Context, name string) (arn *string, err error) {
	if err := createStream(ctx, p.client, name, 1); err != nil {
		return nil, err
	}
	if _, err := p.client.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: &name, PartitionKey: aws.String("k"), Data: []byte("x")}); err != nil {
		return nil, err
	}
	out, err := p.client.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &name})
	if err != nil {
		return nil, err
	}
	return out.StreamDescriptionSummary.StreamARN, nil
}

// closed makes a stream whose first shard has a record and was split.
func (p *prober) closed(ctx context.Context, name string) (arn *string, err error) {
	if arn, err = p.opened(ctx, name); err != nil {
		return nil, err
	}
	if _, err := p.client.SplitShard(ctx, &kinesis.SplitShardInput{StreamName: &name, ShardToSplit: shardID(0), NewStartingHashKey: aws.String("170141183460469231731687303715884105728")}); err != nil {
		return nil, err
	}
	return arn, active(ctx, p.client, name)
}

// reads tells whether GetRecords delivers the record of a closed shard, and
// whether it then ends the shard with its children, without which KCL polls it
// for ever.
func (p *prober) reads(ctx context.Context) (delivers, ends bool) {
	name := "closed"
	if _, err := p.closed(ctx, name); err != nil {
		return false, false
	}
	it, err := p.client.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{StreamName: &name, ShardId: shardID(0), ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
	if err != nil {
		return false, false
	}
	iterator := it.ShardIterator
	for range 5 {
		out, err := p.client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: iterator})
		if err != nil {
			return delivers, false
		}
		delivers = delivers || len(out.Records) == 1
		if out.NextShardIterator == nil {
			return delivers, len(out.ChildShards) == 2
		}
		iterator = out.NextShardIterator
	}
	return delivers, false
}

// subscription is how long an emulator has to deliver, or to end a shard.
const subscription = 5 * time.Second

// subscribes tells the same of SubscribeToShard: whether it delivers the record
// of an open shard, and ends a closed one with its children.
func (p *prober) subscribes(ctx context.Context) (delivers, ends bool) {
	if arn, err := p.opened(ctx, "open-fan-out"); err == nil {
		delivers = p.subscribe(ctx, arn, func(e types.SubscribeToShardEvent) bool { return len(e.Records) == 1 })
	}
	if arn, err := p.closed(ctx, "closed-fan-out"); err == nil {
		ends = p.subscribe(ctx, arn, func(e types.SubscribeToShardEvent) bool { return len(e.ChildShards) == 2 })
	}
	return delivers, ends
}

// subscribe registers a consumer, subscribes to the first shard from its
// beginning, and tells whether the wanted event came.
func (p *prober) subscribe(ctx context.Context, arn *string, wanted func(types.SubscribeToShardEvent) bool) bool {
	ctx, cancel := context.WithTimeout(ctx, subscription)
	defer cancel()
	registered, err := p.client.RegisterStreamConsumer(ctx, &kinesis.RegisterStreamConsumerInput{StreamARN: arn, ConsumerName: aws.String("probe")})
	if err != nil {
		return false
	}
	for {
		out, err := p.client.DescribeStreamConsumer(ctx, &kinesis.DescribeStreamConsumerInput{ConsumerARN: registered.Consumer.ConsumerARN})
		if err != nil {
			return false
		}
		if out.ConsumerDescription.ConsumerStatus == types.ConsumerStatusActive {
			break
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(10 * time.Millisecond):
		}
	}
	out, err := p.client.SubscribeToShard(ctx, &kinesis.SubscribeToShardInput{
		ConsumerARN: registered.Consumer.ConsumerARN, ShardId: shardID(0),
		StartingPosition: &types.StartingPosition{Type: types.ShardIteratorTypeTrimHorizon},
	})
	if err != nil {
		return false
	}
	stream := out.GetStream()
	defer stream.Close()
	for {
		select {
		case <-ctx.Done():
			return false
		case event, ok := <-stream.Events():
			if !ok {
				return false
			}
			if e, is := event.(*types.SubscribeToShardEventStreamMemberSubscribeToShardEvent); is && wanted(e.Value) {
				return true
			}
		}
	}
}
