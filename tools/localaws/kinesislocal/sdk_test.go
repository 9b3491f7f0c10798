package kinesislocal_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal"
)

func newClient(s *kinesislocal.Server) *kinesis.Client {
	config := s.AWSConfig()
	config.Region = "eu-central-1"
	return kinesis.NewFromConfig(config)
}

func createStream(t *testing.T, c *kinesis.Client, name string, shards int32) {
	t.Helper()
	_, err := c.CreateStream(context.Background(), &kinesis.CreateStreamInput{StreamName: &name, ShardCount: &shards})
	if err != nil {
		t.Fatal(err)
	}
}

func putRecord(ctx context.Context, c *kinesis.Client, stream, key, data string) error {
	_, err := c.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: &stream, PartitionKey: &key, Data: []byte(data)})
	return err
}

func readShard(t *testing.T, c *kinesis.Client, stream, shard string) (records []types.Record) {
	t.Helper()
	ctx := context.Background()
	it, err := c.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{
		StreamName: &stream, ShardId: &shard, ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
	})
	if err != nil {
		t.Fatal(err)
	}
	for next := it.ShardIterator; next != nil; {
		out, err := c.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: next})
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, out.Records...)
		if len(out.Records) == 0 {
			break
		}
		next = out.NextShardIterator
	}
	return records
}

func TestSDKLifeOfAStream(t *testing.T) {
	t.Parallel()
	begin := time.Now().Truncate(time.Millisecond)
	client := newClient(kinesislocal.StartTest(t, nil))
	ctx := context.Background()
	name := aws.String("orders")
	createStream(t, client, *name, 2)

	sum, err := client.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: name})
	if err != nil {
		t.Fatal(err)
	}
	s := sum.StreamDescriptionSummary
	arn := aws.String("arn:aws:kinesis:eu-central-1:000000000000:stream/orders")
	if s.StreamStatus != types.StreamStatusActive || *s.StreamARN != *arn || *s.OpenShardCount != 2 ||
		*s.RetentionPeriodHours != 24 || s.StreamModeDetails.StreamMode != types.StreamModeProvisioned || *s.MaxRecordSizeInKiB != 1024 {
		t.Errorf("summary %+v", s)
	}
	if s.StreamCreationTimestamp.Before(begin) || s.StreamCreationTimestamp.After(time.Now()) {
		t.Errorf("created %s, now %s", s.StreamCreationTimestamp, time.Now())
	}

	// Both ends of the hash key space, by ARN.
	put, err := client.PutRecords(ctx, &kinesis.PutRecordsInput{StreamARN: arn, Records: []types.PutRecordsRequestEntry{
		{PartitionKey: aws.String("a"), Data: []byte("zero"), ExplicitHashKey: aws.String("0")},
		{PartitionKey: aws.String("ключ"), Data: []byte{0, 255, 10}, ExplicitHashKey: aws.String("340282366920938463463374607431768211455")},
		{PartitionKey: aws.String("a"), Data: []byte{}, ExplicitHashKey: aws.String("0")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if *put.FailedRecordCount != 0 || len(put.Records) != 3 || *put.Records[0].ShardId != "shardId-000000000000" || *put.Records[1].ShardId != "shardId-000000000001" {
		t.Errorf("put %+v", put)
	}
	records := readShard(t, client, *name, "shardId-000000000000")
	if len(records) != 2 || string(records[0].Data) != "zero" || *records[0].SequenceNumber != *put.Records[0].SequenceNumber || len(records[1].Data) != 0 {
		t.Errorf("records %+v", records)
	}
	if at := records[0].ApproximateArrivalTimestamp; at.Before(begin) || at.After(time.Now()) {
		t.Errorf("arrived %s, now %s", at, time.Now())
	}
	if other := readShard(t, client, *name, "shardId-000000000001"); len(other) != 1 || *other[0].PartitionKey != "ключ" || !reflect.DeepEqual(other[0].Data, []byte{0, 255, 10}) {
		t.Errorf("records %+v", other)
	}

	if _, err := client.SplitShard(ctx, &kinesis.SplitShardInput{StreamARN: arn, ShardToSplit: aws.String("shardId-000000000000"), NewStartingHashKey: aws.String("1000")}); err != nil {
		t.Fatal(err)
	}
	it, err := client.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{
		StreamARN: arn, ShardId: aws.String("shardId-000000000000"),
		ShardIteratorType: types.ShardIteratorTypeAfterSequenceNumber, StartingSequenceNumber: records[0].SequenceNumber,
	})
	if err != nil {
		t.Fatal(err)
	}
	last, err := client.GetRecords(ctx, &kinesis.GetRecordsInput{StreamARN: arn, ShardIterator: it.ShardIterator})
	if err != nil {
		t.Fatal(err)
	}
	if len(last.Records) != 1 || last.NextShardIterator != nil || *last.MillisBehindLatest != 0 || len(last.ChildShards) != 2 {
		t.Fatalf("end of the shard %+v", last)
	}
	if c := last.ChildShards[1]; *c.ShardId != "shardId-000000000003" || !reflect.DeepEqual(c.ParentShards, []string{"shardId-000000000000"}) || *c.HashKeyRange.StartingHashKey != "1000" {
		t.Errorf("child %+v", c)
	}

	if _, err := client.MergeShards(ctx, &kinesis.MergeShardsInput{StreamName: name, ShardToMerge: aws.String("shardId-000000000003"), AdjacentShardToMerge: aws.String("shardId-000000000001")}); err != nil {
		t.Fatal(err)
	}
	count, err := client.UpdateShardCount(ctx, &kinesis.UpdateShardCountInput{StreamName: name, TargetShardCount: aws.Int32(4), ScalingType: types.ScalingTypeUniformScaling})
	if err != nil {
		t.Fatal(err)
	}
	if *count.CurrentShardCount != 2 || *count.TargetShardCount != 4 || *count.StreamARN != *arn {
		t.Errorf("update %+v", count)
	}
	open, err := client.ListShards(ctx, &kinesis.ListShardsInput{StreamARN: arn, ShardFilter: &types.ShardFilter{Type: types.ShardFilterTypeAtLatest}})
	if err != nil || len(open.Shards) != 4 {
		t.Errorf("open shards %+v, error %v", open, err)
	}
	early, err := client.ListShards(ctx, &kinesis.ListShardsInput{StreamARN: arn, ShardFilter: &types.ShardFilter{Type: types.ShardFilterTypeAtTimestamp, Timestamp: &begin}})
	if err != nil || len(early.Shards) != 2 || early.Shards[0].SequenceNumberRange.EndingSequenceNumber == nil {
		t.Errorf("shards at the start %+v, error %v", early, err)
	}

	if _, err := client.DeleteStream(ctx, &kinesis.DeleteStreamInput{StreamName: name}); err != nil {
		t.Fatal(err)
	}
	var notFound *types.ResourceNotFoundException
	if _, err := client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: it.ShardIterator}); !errors.As(err, &notFound) {
		t.Errorf("read of a deleted stream: %v", err)
	}
	if err := kinesis.NewStreamNotExistsWaiter(client).Wait(ctx, &kinesis.DescribeStreamInput{StreamName: name}, time.Minute); err != nil {
		t.Error(err)
	}
}

func TestSDKErrorTypes(t *testing.T) {
	t.Parallel()
	client := newClient(kinesislocal.StartTest(t, nil))
	ctx := context.Background()
	createStream(t, client, "s", 1)
	_, err := client.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: aws.String("s"), ShardCount: aws.Int32(1)})
	var inUse *types.ResourceInUseException
	if !errors.As(err, &inUse) || *inUse.Message != "Stream s under account 000000000000 already exists." {
		t.Errorf("error %v, want %T", err, inUse)
	}
	_, err = client.DescribeStream(ctx, &kinesis.DescribeStreamInput{StreamName: aws.String("a b")})
	var validation *types.ValidationException
	if !errors.As(err, &validation) {
		t.Errorf("error %v, want %T", err, validation)
	}
	_, err = client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: aws.String("x")})
	var argument *types.InvalidArgumentException
	if !errors.As(err, &argument) {
		t.Errorf("error %v, want %T", err, argument)
	}
}

func TestSDKWaitsForAStream(t *testing.T) {
	t.Parallel()
	const delay = 500 * time.Millisecond
	client := newClient(kinesislocal.StartTest(t, &kinesislocal.Options{TransitionDelay: delay}))
	ctx := context.Background()
	begin := time.Now()
	createStream(t, client, "s", 1)
	out, err := client.DescribeStream(ctx, &kinesis.DescribeStreamInput{StreamName: aws.String("s")})
	if err != nil {
		t.Fatal(err)
	}
	// A busy machine may take longer than the delay.
	if status := out.StreamDescription.StreamStatus; status != types.StreamStatusCreating && time.Since(begin) < delay {
		t.Errorf("status %s before the delay is over", status)
	}
	waiter := kinesis.NewStreamExistsWaiter(client, func(o *kinesis.StreamExistsWaiterOptions) { o.MinDelay = 10 * time.Millisecond })
	if err := waiter.Wait(ctx, &kinesis.DescribeStreamInput{StreamName: aws.String("s")}, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := putRecord(ctx, client, "s", "k", "x"); err != nil {
		t.Error(err)
	}
}

func TestSDKPages(t *testing.T) {
	t.Parallel()
	client := newClient(kinesislocal.StartTest(t, nil))
	ctx := context.Background()
	var want []string
	for i := range 5 {
		want = append(want, fmt.Sprint("stream", i))
		createStream(t, client, want[i], 5)
	}
	var got []string
	streams := kinesis.NewListStreamsPaginator(client, &kinesis.ListStreamsInput{Limit: aws.Int32(2)})
	for streams.HasMorePages() {
		page, err := streams.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.StreamSummaries) != len(page.StreamNames) {
			t.Errorf("%d summaries of %d streams", len(page.StreamSummaries), len(page.StreamNames))
		}
		got = append(got, page.StreamNames...)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("streams %v", got)
	}
	shards, pages := 0, 0
	var token *string
	for in := (&kinesis.ListShardsInput{StreamName: &want[0], MaxResults: aws.Int32(2)}); ; in = (&kinesis.ListShardsInput{NextToken: token, MaxResults: aws.Int32(2)}) {
		page, err := client.ListShards(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		shards, pages = shards+len(page.Shards), pages+1
		if token = page.NextToken; token == nil {
			break
		}
	}
	if shards != 5 || pages != 3 {
		t.Errorf("%d shards on %d pages", shards, pages)
	}
	shards = 0
	in := &kinesis.DescribeStreamInput{StreamName: &want[0], Limit: aws.Int32(2)}
	for more := true; more; {
		out, err := client.DescribeStream(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		d := out.StreamDescription
		shards, more, in.ExclusiveStartShardId = shards+len(d.Shards), *d.HasMoreShards, d.Shards[len(d.Shards)-1].ShardId
	}
	if shards != 5 {
		t.Errorf("%d shards described", shards)
	}
}

func BenchmarkPutRecords(b *testing.B) {
	client, stream := benchmarkStream(b)
	in := &kinesis.PutRecordsInput{StreamName: stream}
	for range 500 {
		in.Records = append(in.Records, types.PutRecordsRequestEntry{PartitionKey: aws.String("key"), Data: make([]byte, 100)})
	}
	for b.Loop() {
		if _, err := client.PutRecords(context.Background(), in); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(500*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkGetRecords(b *testing.B) {
	client, stream := benchmarkStream(b)
	ctx := context.Background()
	const total = 10_000
	in := &kinesis.PutRecordsInput{StreamName: stream}
	for range 500 {
		in.Records = append(in.Records, types.PutRecordsRequestEntry{PartitionKey: aws.String("key"), Data: make([]byte, 100)})
	}
	for range total / 500 {
		if _, err := client.PutRecords(ctx, in); err != nil {
			b.Fatal(err)
		}
	}
	it, err := client.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{StreamName: stream, ShardId: aws.String("shardId-000000000000"), ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		out, err := client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: it.ShardIterator})
		if err != nil || len(out.Records) != total {
			b.Fatalf("%d records, error %v, want %d", len(out.Records), err, total)
		}
	}
	b.ReportMetric(total*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

func benchmarkStream(b *testing.B) (*kinesis.Client, *string) {
	s, err := kinesislocal.Start(nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	client := newClient(s)
	stream := aws.String("s")
	if _, err := client.CreateStream(context.Background(), &kinesis.CreateStreamInput{StreamName: stream, ShardCount: aws.Int32(1)}); err != nil {
		b.Fatal(err)
	}
	return client, stream
}
