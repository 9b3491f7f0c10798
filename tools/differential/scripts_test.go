package differential

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// scripts send calls to the endpoint of a session. A call may depend on earlier answers.
var scripts = []struct {
	name string
	run  func(*session)
}{
	{"streams", streams},
	{"stream limits", streamLimits},
	{"put and get", putAndGet},
	{"iterators", iterators},
	{"paging", paging},
	{"split and merge", splitAndMerge},
	{"update shard count", updateShardCount},
	{"list shards", listShards},
	{"consumers", consumers},
	{"retention", retention},
	{"tags", tags},
	{"encryption", encryption},
	{"mode", mode},
	{"monitoring", monitoring},
	{"records that are refused", refusedRecords},
}

func streams(s *session) {
	name := aws.String("streams")
	out, err := s.client.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: name, ShardCount: aws.Int32(3)})
	record(s, "create", out, err)
	s.active(*name)
	out, err = s.client.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: name, ShardCount: aws.Int32(1)})
	record(s, "create again", out, err)
	summary, err := s.client.DescribeStreamSummary(s.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: name})
	record(s, "summary", summary, err)
	arn := summary.StreamDescriptionSummary.StreamARN
	byARN, err := s.client.DescribeStreamSummary(s.ctx, &kinesis.DescribeStreamSummaryInput{StreamARN: arn})
	record(s, "summary by ARN", byARN, err)
	whole, err := s.client.DescribeStream(s.ctx, &kinesis.DescribeStreamInput{StreamName: name})
	record(s, "describe", whole, err)
	page, err := s.client.DescribeStream(s.ctx, &kinesis.DescribeStreamInput{StreamName: name, Limit: aws.Int32(2)})
	record(s, "describe, first page", page, err)
	page, err = s.client.DescribeStream(s.ctx, &kinesis.DescribeStreamInput{StreamARN: arn, ExclusiveStartShardId: shard(1)})
	record(s, "describe, second page by ARN", page, err)
	missing := aws.String("no-such-stream")
	_, err = s.client.DescribeStream(s.ctx, &kinesis.DescribeStreamInput{StreamName: missing})
	record[kinesis.DescribeStreamOutput](s, "describe what is not there", nil, err)
	_, err = s.client.DeleteStream(s.ctx, &kinesis.DeleteStreamInput{StreamName: missing})
	record[kinesis.DeleteStreamOutput](s, "delete what is not there", nil, err)
	deleted, err := s.client.DeleteStream(s.ctx, &kinesis.DeleteStreamInput{StreamName: name})
	record(s, "delete", deleted, err)
	s.gone(*name)
	_, err = s.client.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: name, PartitionKey: aws.String("k"), Data: []byte("x")})
	record[kinesis.PutRecordOutput](s, "put into a deleted stream", nil, err)
	var names []string
	for _, n := range []string{"list-a", "list-b", "list-c"} {
		names = append(names, s.stream(n, 1))
	}
	listed, err := s.client.ListStreams(s.ctx, &kinesis.ListStreamsInput{Limit: aws.Int32(2), ExclusiveStartStreamName: aws.String("list")})
	s.check(err)
	record(s, "list, first page", &listed.StreamNames, err)
	listed, err = s.client.ListStreams(s.ctx, &kinesis.ListStreamsInput{ExclusiveStartStreamName: &names[1], Limit: aws.Int32(1)})
	s.check(err)
	record(s, "list, second page", &listed.StreamNames, err)
}

func streamLimits(s *session) {
	for _, c := range []struct {
		what string
		in   kinesis.CreateStreamInput
	}{
		{"a name with a space", kinesis.CreateStreamInput{StreamName: aws.String("a b"), ShardCount: aws.Int32(1)}},
		{"a name too long", kinesis.CreateStreamInput{StreamName: aws.String(strings.Repeat("x", 129)), ShardCount: aws.Int32(1)}},
		{"no shards", kinesis.CreateStreamInput{StreamName: aws.String("none"), ShardCount: aws.Int32(0)}},
	} {
		_, err := s.client.CreateStream(s.ctx, &c.in)
		record[kinesis.CreateStreamOutput](s, "create with "+c.what, nil, err)
	}
	_, err := s.client.DescribeLimits(s.ctx, &kinesis.DescribeLimitsInput{})
	record[kinesis.DescribeLimitsOutput](s, "describe limits", nil, err)
}

func putAndGet(s *session) {
	name := aws.String(s.stream("put", 2))
	summary, err := s.client.DescribeStreamSummary(s.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: name})
	s.check(err)
	arn := summary.StreamDescriptionSummary.StreamARN
	var numbers []string
	for i := range 4 {
		out, err := s.client.PutRecord(s.ctx, &kinesis.PutRecordInput{
			StreamName:   name,
			PartitionKey: aws.String(fmt.Sprint("key", i)), Data: fmt.Appendf(nil, "record %d", i),
		})
		record(s, fmt.Sprint("put ", i), out, err)
		numbers = append(numbers, aws.ToString(out.SequenceNumber))
	}
	hashed, err := s.client.PutRecord(s.ctx, &kinesis.PutRecordInput{
		StreamARN: arn, PartitionKey: aws.String("key0"),
		ExplicitHashKey: aws.String("340282366920938463463374607431768211455"), Data: []byte("last hash key"),
	})
	record(s, "put with an explicit hash key by ARN", hashed, err)
	_, err = s.client.PutRecord(s.ctx, &kinesis.PutRecordInput{
		StreamName: name, PartitionKey: aws.String("k"),
		ExplicitHashKey: aws.String("340282366920938463463374607431768211456"), Data: []byte("x"),
	})
	record[kinesis.PutRecordOutput](s, "put beyond the last hash key", nil, err)
	ordered, err := s.client.PutRecord(s.ctx, &kinesis.PutRecordInput{
		StreamName: name, PartitionKey: aws.String("key1"),
		SequenceNumberForOrdering: &numbers[1], Data: []byte("after"),
	})
	record(s, "put after a sequence number", ordered, err)
	rises := number(aws.ToString(ordered.SequenceNumber)).Cmp(number(numbers[1])) > 0
	record(s, "sequence numbers rise", &rises, nil)
	var entries []types.PutRecordsRequestEntry
	for i := range 5 {
		entries = append(entries, types.PutRecordsRequestEntry{PartitionKey: aws.String(fmt.Sprint("key", i)), Data: []byte{0, 1, 255, byte(i)}})
	}
	many, err := s.client.PutRecords(s.ctx, &kinesis.PutRecordsInput{StreamName: name, Records: entries})
	record(s, "put records", many, err)
	for n := range 2 {
		iterator, err := s.client.GetShardIterator(s.ctx, &kinesis.GetShardIteratorInput{StreamName: name, ShardId: shard(n), ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
		record(s, fmt.Sprint("iterator ", n), iterator, err)
		records, err := s.client.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: iterator.ShardIterator})
		record(s, fmt.Sprint("records ", n), records, err)
		records, err = s.client.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: records.NextShardIterator})
		record(s, fmt.Sprint("at the tip ", n), records, err)
		records, err = s.client.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: iterator.ShardIterator, Limit: aws.Int32(1)})
		s.check(err)
		record(s, fmt.Sprint("one record ", n), &records.Records, err)
	}
}

func number(s string) *big.Int {
	n, _ := new(big.Int).SetString(s, 10)
	if n == nil {
		return new(big.Int)
	}
	return n
}

func iterators(s *session) {
	name := aws.String(s.stream("iterators", 1))
	var numbers []*string
	for i := range 3 {
		out, err := s.client.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: name, PartitionKey: aws.String("k"), Data: []byte{byte(i)}})
		s.check(err)
		numbers = append(numbers, out.SequenceNumber)
	}
	type in = kinesis.GetShardIteratorInput
	for _, c := range []struct {
		what string
		in   in
	}{
		{"trim horizon", in{ShardIteratorType: types.ShardIteratorTypeTrimHorizon}},
		{"latest", in{ShardIteratorType: types.ShardIteratorTypeLatest}},
		{"at the second", in{ShardIteratorType: types.ShardIteratorTypeAtSequenceNumber, StartingSequenceNumber: numbers[1]}},
		{"after the second", in{ShardIteratorType: types.ShardIteratorTypeAfterSequenceNumber, StartingSequenceNumber: numbers[1]}},
		{"long ago", in{ShardIteratorType: types.ShardIteratorTypeAtTimestamp, Timestamp: aws.Time(time.Now().Add(-time.Hour))}},
		{"no sequence number", in{ShardIteratorType: types.ShardIteratorTypeAtSequenceNumber}},
		{"no timestamp", in{ShardIteratorType: types.ShardIteratorTypeAtTimestamp}},
		{"an invalid type", in{ShardIteratorType: "SOMEWHERE"}},
		{"a sequence number that is none", in{ShardIteratorType: types.ShardIteratorTypeAtSequenceNumber, StartingSequenceNumber: aws.String("12x")}},
		{"no such shard", in{ShardId: shard(7), ShardIteratorType: types.ShardIteratorTypeLatest}},
	} {
		c.in.StreamName = name
		if c.in.ShardId == nil {
			c.in.ShardId = shard(0)
		}
		iterator, err := s.client.GetShardIterator(s.ctx, &c.in)
		record(s, c.what, iterator, err)
		if err != nil {
			continue
		}
		records, err := s.client.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: iterator.ShardIterator})
		s.check(err)
		record(s, "records of "+c.what, &records.Records, err)
	}
	_, err := s.client.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: aws.String("AAAAAAAAAAE=")})
	record[kinesis.GetRecordsOutput](s, "an iterator that is none", nil, err)
	_, err = s.client.GetShardIterator(s.ctx, &in{StreamName: aws.String("nowhere"), ShardId: shard(0), ShardIteratorType: types.ShardIteratorTypeLatest})
	record[kinesis.GetShardIteratorOutput](s, "no such stream", nil, err)
}

func paging(s *session) {
	name := aws.String(s.stream("paging", 5))
	page, err := s.client.ListShards(s.ctx, &kinesis.ListShardsInput{StreamName: name, MaxResults: aws.Int32(2)})
	record(s, "first page", page, err)
	second, err := s.client.ListShards(s.ctx, &kinesis.ListShardsInput{NextToken: page.NextToken})
	record(s, "second page", second, err)
	after, err := s.client.ListShards(s.ctx, &kinesis.ListShardsInput{StreamName: name, ExclusiveStartShardId: shard(3)})
	record(s, "after a shard", after, err)
	_, err = s.client.ListShards(s.ctx, &kinesis.ListShardsInput{StreamName: name, NextToken: page.NextToken})
	record[kinesis.ListShardsOutput](s, "a token and a name", nil, err)
	_, err = s.client.ListShards(s.ctx, &kinesis.ListShardsInput{NextToken: aws.String("rubbish")})
	record[kinesis.ListShardsOutput](s, "a token that is none", nil, err)
	_, err = s.client.ListShards(s.ctx, &kinesis.ListShardsInput{})
	record[kinesis.ListShardsOutput](s, "nothing", nil, err)
}

func splitAndMerge(s *session) {
	name := aws.String(s.stream("reshard", 1))
	put := func(data string) {
		for _, hash := range []string{"0", "100000000000000000000000000000000000000", "340282366920938463463374607431768211455"} {
			_, err := s.client.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: name, PartitionKey: aws.String("k"), ExplicitHashKey: aws.String(hash), Data: []byte(data)})
			s.check(err)
		}
	}
	put("before")
	split, err := s.client.SplitShard(s.ctx, &kinesis.SplitShardInput{StreamName: name, ShardToSplit: shard(0), NewStartingHashKey: aws.String("200000000000000000000000000000000000000")})
	record(s, "split", split, err)
	s.active(*name)
	split, err = s.client.SplitShard(s.ctx, &kinesis.SplitShardInput{StreamName: name, ShardToSplit: shard(1), NewStartingHashKey: aws.String("10000")})
	record(s, "split again", split, err)
	s.active(*name)
	_, err = s.client.SplitShard(s.ctx, &kinesis.SplitShardInput{StreamName: name, ShardToSplit: shard(0), NewStartingHashKey: aws.String("20000")})
	record[kinesis.SplitShardOutput](s, "split a closed shard", nil, err)
	_, err = s.client.SplitShard(s.ctx, &kinesis.SplitShardInput{StreamName: name, ShardToSplit: shard(2), NewStartingHashKey: aws.String("5")})
	record[kinesis.SplitShardOutput](s, "split outside the range", nil, err)
	_, err = s.client.SplitShard(s.ctx, &kinesis.SplitShardInput{StreamName: name, ShardToSplit: shard(9), NewStartingHashKey: aws.String("5")})
	record[kinesis.SplitShardOutput](s, "split no shard", nil, err)
	_, err = s.client.MergeShards(s.ctx, &kinesis.MergeShardsInput{StreamName: name, ShardToMerge: shard(3), AdjacentShardToMerge: shard(2)})
	record[kinesis.MergeShardsOutput](s, "merge shards that are not adjacent", nil, err)
	put("between")
	merge, err := s.client.MergeShards(s.ctx, &kinesis.MergeShardsInput{StreamName: name, ShardToMerge: shard(4), AdjacentShardToMerge: shard(2)})
	record(s, "merge", merge, err)
	s.active(*name)
	put("after")
	all, err := s.client.ListShards(s.ctx, &kinesis.ListShardsInput{StreamName: name})
	record(s, "all shards", all, err)
	for _, shard := range all.Shards {
		iterator, err := s.client.GetShardIterator(s.ctx, &kinesis.GetShardIteratorInput{StreamName: name, ShardId: shard.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
		record(s, "iterator of "+*shard.ShardId, iterator, err)
		records, err := s.client.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: iterator.ShardIterator})
		s.check(err)
		slices.SortFunc(records.ChildShards, func(a, b types.ChildShard) int { return strings.Compare(*a.ShardId, *b.ShardId) })
		record(s, "records of "+*shard.ShardId, records, err)
		if records.NextShardIterator != nil {
			records, err = s.client.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: records.NextShardIterator})
			record(s, "more of "+*shard.ShardId, records, err)
		}
	}
	summary, err := s.client.DescribeStreamSummary(s.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: name})
	s.check(err)
	record(s, "open shards", summary.StreamDescriptionSummary.OpenShardCount, err)
}

func updateShardCount(s *session) {
	name := aws.String(s.stream("scaled", 2))
	update := func(what string, n int32) {
		out, err := s.client.UpdateShardCount(s.ctx, &kinesis.UpdateShardCountInput{StreamName: name, TargetShardCount: &n, ScalingType: types.ScalingTypeUniformScaling})
		record(s, what, out, err)
		s.active(*name)
	}
	update("double", 4)
	update("halve", 2)
	update("more than double", 5)
	update("less than half", 0)
	filter := types.ShardFilter{Type: types.ShardFilterTypeAtLatest}
	open, err := s.client.ListShards(s.ctx, &kinesis.ListShardsInput{StreamName: name, ShardFilter: &filter})
	ranges := []types.HashKeyRange{}
	s.check(err)
	for _, s := range open.Shards {
		ranges = append(ranges, *s.HashKeyRange)
	}
	slices.SortFunc(ranges, func(a, b types.HashKeyRange) int {
		return number(*a.StartingHashKey).Cmp(number(*b.StartingHashKey))
	})
	record(s, "ranges of the open shards", &ranges, err)
}

func listShards(s *session) {
	name := aws.String(s.stream("filters", 2))
	before := time.Now().Add(-time.Hour)
	if _, err := s.client.SplitShard(s.ctx, &kinesis.SplitShardInput{StreamName: name, ShardToSplit: shard(0), NewStartingHashKey: aws.String("10000")}); err != nil {
		s.t.Fatal(err)
	}
	s.active(*name)
	// No timestamp near the split, with which the answer of kinesis-local would depend on
	// the time that the split took.
	type filter = types.ShardFilter
	for _, c := range []struct {
		what   string
		filter filter
	}{
		{"after a shard ID", filter{Type: types.ShardFilterTypeAfterShardId, ShardId: shard(1)}},
		{"at trim horizon", filter{Type: types.ShardFilterTypeAtTrimHorizon}},
		{"from trim horizon", filter{Type: types.ShardFilterTypeFromTrimHorizon}},
		{"at latest", filter{Type: types.ShardFilterTypeAtLatest}},
		{"from an hour ago", filter{Type: types.ShardFilterTypeFromTimestamp, Timestamp: &before}},
		{"an invalid filter", filter{Type: "SOME"}},
		{"a filter without its shard ID", filter{Type: types.ShardFilterTypeAfterShardId}},
		{"a filter without its timestamp", filter{Type: types.ShardFilterTypeAtTimestamp}},
	} {
		out, err := s.client.ListShards(s.ctx, &kinesis.ListShardsInput{StreamName: name, ShardFilter: &c.filter})
		ids := []string{}
		if out != nil {
			for _, s := range out.Shards {
				ids = append(ids, *s.ShardId)
			}
		}
		record(s, c.what, &ids, err)
	}
}

func consumers(s *session) {
	name := s.stream("fan-out", 1)
	summary, err := s.client.DescribeStreamSummary(s.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &name})
	s.check(err)
	arn := summary.StreamDescriptionSummary.StreamARN
	registered, err := s.client.RegisterStreamConsumer(s.ctx, &kinesis.RegisterStreamConsumerInput{StreamARN: arn, ConsumerName: aws.String("one")})
	s.check(err)
	registered.Consumer.ConsumerStatus = "" // each service may take another time
	record(s, "register", registered, err)
	describe := func() (*kinesis.DescribeStreamConsumerOutput, error) {
		return s.client.DescribeStreamConsumer(s.ctx, &kinesis.DescribeStreamConsumerInput{StreamARN: arn, ConsumerName: aws.String("one")})
	}
	s.until("the consumer is active", func() bool {
		out, err := describe()
		return err == nil && out.ConsumerDescription.ConsumerStatus == types.ConsumerStatusActive
	})
	_, err = s.client.RegisterStreamConsumer(s.ctx, &kinesis.RegisterStreamConsumerInput{StreamARN: arn, ConsumerName: aws.String("one")})
	record[kinesis.RegisterStreamConsumerOutput](s, "register again", nil, err)
	out, err := describe()
	record(s, "describe", out, err)
	byARN, err := s.client.DescribeStreamConsumer(s.ctx, &kinesis.DescribeStreamConsumerInput{ConsumerARN: registered.Consumer.ConsumerARN})
	record(s, "describe by ARN", byARN, err)
	listed, err := s.client.ListStreamConsumers(s.ctx, &kinesis.ListStreamConsumersInput{StreamARN: arn})
	record(s, "list", listed, err)
	_, err = s.client.DeleteStream(s.ctx, &kinesis.DeleteStreamInput{StreamName: &name})
	record[kinesis.DeleteStreamOutput](s, "delete a stream with a consumer", nil, err)
	gone, err := s.client.DeregisterStreamConsumer(s.ctx, &kinesis.DeregisterStreamConsumerInput{StreamARN: arn, ConsumerName: aws.String("one")})
	record(s, "deregister", gone, err)
	s.until("the consumer is gone", func() bool { _, err := describe(); return err != nil })
	_, err = describe()
	record[kinesis.DescribeStreamConsumerOutput](s, "describe what is gone", nil, err)
	_, err = s.client.DeregisterStreamConsumer(s.ctx, &kinesis.DeregisterStreamConsumerInput{StreamARN: arn, ConsumerName: aws.String("one")})
	record[kinesis.DeregisterStreamConsumerOutput](s, "deregister what is gone", nil, err)
	_, err = s.client.RegisterStreamConsumer(s.ctx, &kinesis.RegisterStreamConsumerInput{StreamARN: aws.String(*arn + "-not"), ConsumerName: aws.String("one")})
	record[kinesis.RegisterStreamConsumerOutput](s, "register with no stream", nil, err)
}

func retention(s *session) {
	name := aws.String(s.stream("retention", 1))
	hours := func() {
		out, err := s.client.DescribeStreamSummary(s.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: name})
		s.check(err)
		record(s, fmt.Sprint("hours after step ", len(s.steps)), out.StreamDescriptionSummary.RetentionPeriodHours, err)
	}
	hours()
	for _, h := range []int32{48, 24, 8760, 8761} {
		out, err := s.client.IncreaseStreamRetentionPeriod(s.ctx, &kinesis.IncreaseStreamRetentionPeriodInput{StreamName: name, RetentionPeriodHours: &h})
		record(s, fmt.Sprint("increase to ", h), out, err)
		s.active(*name)
		hours()
	}
	for _, h := range []int32{72, 96, 24, 23} {
		out, err := s.client.DecreaseStreamRetentionPeriod(s.ctx, &kinesis.DecreaseStreamRetentionPeriodInput{StreamName: name, RetentionPeriodHours: &h})
		record(s, fmt.Sprint("decrease to ", h), out, err)
		s.active(*name)
		hours()
	}
}

func tags(s *session) {
	name := aws.String(s.stream("tags", 1))
	added, err := s.client.AddTagsToStream(s.ctx, &kinesis.AddTagsToStreamInput{StreamName: name, Tags: map[string]string{"team": "blue", "env": "test", "z": "1"}})
	record(s, "add", added, err)
	listed, err := s.client.ListTagsForStream(s.ctx, &kinesis.ListTagsForStreamInput{StreamName: name})
	record(s, "list", listed, err)
	listed, err = s.client.ListTagsForStream(s.ctx, &kinesis.ListTagsForStreamInput{StreamName: name, Limit: aws.Int32(1), ExclusiveStartTagKey: aws.String("env")})
	record(s, "list a page", listed, err)
	removed, err := s.client.RemoveTagsFromStream(s.ctx, &kinesis.RemoveTagsFromStreamInput{StreamName: name, TagKeys: []string{"env", "none"}})
	record(s, "remove", removed, err)
	listed, err = s.client.ListTagsForStream(s.ctx, &kinesis.ListTagsForStreamInput{StreamName: name})
	record(s, "list what is left", listed, err)
	_, err = s.client.AddTagsToStream(s.ctx, &kinesis.AddTagsToStreamInput{StreamName: name, Tags: map[string]string{strings.Repeat("k", 129): "x"}})
	record[kinesis.AddTagsToStreamOutput](s, "a key too long", nil, err)
}

func encryption(s *session) {
	name := aws.String(s.stream("encrypted", 1))
	started, err := s.client.StartStreamEncryption(s.ctx, &kinesis.StartStreamEncryptionInput{StreamName: name, EncryptionType: types.EncryptionTypeKms, KeyId: aws.String("alias/aws/kinesis")})
	record(s, "start", started, err)
	s.active(*name)
	told := func(what string) {
		out, err := s.client.DescribeStreamSummary(s.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: name})
		s.check(err)
		record(s, what, &[]any{out.StreamDescriptionSummary.EncryptionType, out.StreamDescriptionSummary.KeyId}, err)
	}
	told("what it says")
	put, err := s.client.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: name, PartitionKey: aws.String("k"), Data: []byte("x")})
	record(s, "put", put, err)
	stopped, err := s.client.StopStreamEncryption(s.ctx, &kinesis.StopStreamEncryptionInput{StreamName: name, EncryptionType: types.EncryptionTypeKms, KeyId: aws.String("alias/aws/kinesis")})
	record(s, "stop", stopped, err)
	s.active(*name)
	told("what it says then")
}

func mode(s *session) {
	name := s.stream("mode", 1)
	out, err := s.client.DescribeStreamSummary(s.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &name})
	s.check(err)
	arn := out.StreamDescriptionSummary.StreamARN
	updated, err := s.client.UpdateStreamMode(s.ctx, &kinesis.UpdateStreamModeInput{StreamARN: arn, StreamModeDetails: &types.StreamModeDetails{StreamMode: types.StreamModeOnDemand}})
	record(s, "on demand", updated, err)
	s.active(name)
	out, err = s.client.DescribeStreamSummary(s.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &name})
	s.check(err)
	record(s, "what it says", out.StreamDescriptionSummary.StreamModeDetails, err)
	_, err = s.client.UpdateStreamMode(s.ctx, &kinesis.UpdateStreamModeInput{StreamARN: aws.String(*arn + "-not"), StreamModeDetails: &types.StreamModeDetails{StreamMode: types.StreamModeOnDemand}})
	record[kinesis.UpdateStreamModeOutput](s, "no such stream", nil, err)
}

func monitoring(s *session) {
	name := aws.String(s.stream("monitored", 1))
	on, err := s.client.EnableEnhancedMonitoring(s.ctx, &kinesis.EnableEnhancedMonitoringInput{StreamName: name, ShardLevelMetrics: []types.MetricsName{types.MetricsNameIncomingBytes}})
	record(s, "enable", on, err)
	off, err := s.client.DisableEnhancedMonitoring(s.ctx, &kinesis.DisableEnhancedMonitoringInput{StreamName: name, ShardLevelMetrics: []types.MetricsName{types.MetricsNameIncomingBytes}})
	record(s, "disable", off, err)
}

func refusedRecords(s *session) {
	name := aws.String(s.stream("refused", 1))
	for _, c := range []struct {
		what string
		in   kinesis.PutRecordInput
	}{
		{"data of 1 MiB", kinesis.PutRecordInput{PartitionKey: aws.String("k"), Data: make([]byte, 1<<20-1)}},
		{"data that is too long", kinesis.PutRecordInput{PartitionKey: aws.String("k"), Data: make([]byte, 1<<20+1)}},
		{"a key that is too long", kinesis.PutRecordInput{PartitionKey: aws.String(strings.Repeat("k", 257)), Data: []byte("x")}},
		{"an empty key", kinesis.PutRecordInput{PartitionKey: aws.String(""), Data: []byte("x")}},
		{"no data", kinesis.PutRecordInput{PartitionKey: aws.String("k"), Data: []byte{}}},
		{"a hash key that is none", kinesis.PutRecordInput{PartitionKey: aws.String("k"), ExplicitHashKey: aws.String("x"), Data: []byte("x")}},
	} {
		c.in.StreamName = name
		_, err := s.client.PutRecord(s.ctx, &c.in)
		record[kinesis.PutRecordOutput](s, c.what, nil, err)
	}
	entries := make([]types.PutRecordsRequestEntry, 501)
	for i := range entries {
		entries[i] = types.PutRecordsRequestEntry{PartitionKey: aws.String("k"), Data: []byte("x")}
	}
	_, err := s.client.PutRecords(s.ctx, &kinesis.PutRecordsInput{StreamName: name, Records: entries})
	record[kinesis.PutRecordsOutput](s, "501 records", nil, err)
	_, err = s.client.PutRecords(s.ctx, &kinesis.PutRecordsInput{StreamName: name, Records: []types.PutRecordsRequestEntry{}})
	record[kinesis.PutRecordsOutput](s, "no records", nil, err)
	_, err = s.client.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: aws.String("x"), Limit: aws.Int32(10001)})
	record[kinesis.GetRecordsOutput](s, "a limit that is too high", nil, err)
}
