package kinesislocal_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal"
)

const (
	shard0 = "shardId-000000000000"
	shard1 = "shardId-000000000001"
)

func registerConsumer(t *testing.T, c *kinesis.Client, stream, name string) *string {
	t.Helper()
	arn := "arn:aws:kinesis:us-east-1:" + kinesislocal.DefaultAccount + ":stream/" + stream
	out, err := c.RegisterStreamConsumer(t.Context(), &kinesis.RegisterStreamConsumerInput{StreamARN: &arn, ConsumerName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return out.Consumer.ConsumerARN
}

// subscribe uses a new client: version 1.56.11 of the SDK mixes up the event
// streams of one client, because it reads them through one buffer.
func subscribe(ctx context.Context, c *kinesis.Client, arn *string, shard string, p types.StartingPosition) (*kinesis.SubscribeToShardEventStream, error) {
	out, err := kinesis.New(c.Options()).SubscribeToShard(ctx, &kinesis.SubscribeToShardInput{ConsumerARN: arn, ShardId: &shard, StartingPosition: &p})
	if err != nil {
		return nil, err
	}
	return out.GetStream(), nil
}

// nextEvent returns the next event; false at the end of the stream.
func nextEvent(t *testing.T, s *kinesis.SubscribeToShardEventStream) (types.SubscribeToShardEvent, bool) {
	t.Helper()
	select {
	case event, ok := <-s.Events():
		if !ok {
			return types.SubscribeToShardEvent{}, false
		}
		return event.(*types.SubscribeToShardEventStreamMemberSubscribeToShardEvent).Value, true
	case <-time.After(time.Minute):
		t.Fatal("no event for a minute")
	}
	panic("unreachable")
}

// A subscription reads a shard until it is split.
func TestSDKSubscription(t *testing.T) {
	t.Parallel()
	client := kinesis.NewFromConfig(kinesislocal.StartTest(t, nil).AWSConfig())
	createStream(t, client, "s", 2)
	arn := registerConsumer(t, client, "s", "reader")
	ctx := t.Context()
	explicit := func(key, data string) *string {
		out, err := client.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: aws.String("s"), PartitionKey: &key, Data: []byte(data), ExplicitHashKey: aws.String("0")})
		if err != nil {
			t.Fatal(err)
		}
		return out.SequenceNumber
	}
	explicit("k", "before")
	stream, err := subscribe(ctx, client, arn, shard0, types.StartingPosition{Type: types.ShardIteratorTypeTrimHorizon})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	event, _ := nextEvent(t, stream)
	if len(event.Records) != 1 || string(event.Records[0].Data) != "before" || *event.MillisBehindLatest != 0 {
		t.Fatalf("event %+v", event)
	}
	sequence := explicit("k", "while")
	event, _ = nextEvent(t, stream)
	if len(event.Records) != 1 || string(event.Records[0].Data) != "while" || *event.Records[0].SequenceNumber != *sequence || *event.ContinuationSequenceNumber != *sequence {
		t.Fatalf("event %+v", event)
	}
	// A second subscription within five seconds is refused, unless it is to another shard.
	var inUse *types.ResourceInUseException
	if _, err := subscribe(ctx, client, arn, shard0, types.StartingPosition{Type: types.ShardIteratorTypeLatest}); !errors.As(err, &inUse) {
		t.Errorf("error %v, want %T", err, inUse)
	}
	other, err := subscribe(ctx, client, arn, shard1, types.StartingPosition{Type: types.ShardIteratorTypeLatest})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := client.SplitShard(ctx, &kinesis.SplitShardInput{StreamName: aws.String("s"), ShardToSplit: aws.String(shard0), NewStartingHashKey: aws.String("1000")}); err != nil {
		t.Fatal(err)
	}
	event, _ = nextEvent(t, stream)
	if event.ContinuationSequenceNumber != nil || len(event.ChildShards) != 2 || *event.ChildShards[0].ShardId != "shardId-000000000002" || event.ChildShards[0].ParentShards[0] != shard0 {
		t.Fatalf("last event %+v", event)
	}
	if event, more := nextEvent(t, stream); more || stream.Err() != nil {
		t.Errorf("event %+v after the last, error %v", event, stream.Err())
	}
	if _, err := client.DeregisterStreamConsumer(ctx, &kinesis.DeregisterStreamConsumerInput{ConsumerARN: arn}); err != nil {
		t.Fatal(err)
	}
	var notFound *types.ResourceNotFoundException
	if event, more := nextEvent(t, other); more || !errors.As(other.Err(), &notFound) {
		t.Errorf("event %+v of a consumer that is gone, error %v", event, other.Err())
	}
}

// Each subscription continues where the last one ended.
func TestSDKSubscribesAgain(t *testing.T) {
	t.Parallel()
	client := kinesis.NewFromConfig(kinesislocal.StartTest(t, &kinesislocal.Options{SubscriptionLifetime: 50 * time.Millisecond}).AWSConfig())
	createStream(t, client, "s", 1)
	arn := registerConsumer(t, client, "s", "reader")
	position := types.StartingPosition{Type: types.ShardIteratorTypeTrimHorizon}
	ended := 0
	for got := 0; got < 5; {
		stream, err := subscribe(t.Context(), client, arn, shard0, position)
		if err != nil {
			t.Fatal(err)
		}
		if err := putRecord(t.Context(), client, "s", "k", fmt.Sprint(ended)); err != nil {
			t.Fatal(err)
		}
		for {
			event, more := nextEvent(t, stream)
			if !more {
				break
			}
			for _, r := range event.Records {
				if string(r.Data) != fmt.Sprint(got) {
					t.Fatalf("record %s, want %d", r.Data, got)
				}
				got++
			}
			position = types.StartingPosition{Type: types.ShardIteratorTypeAfterSequenceNumber, SequenceNumber: event.ContinuationSequenceNumber}
		}
		if err := stream.Err(); err != nil {
			t.Fatal(err)
		}
		stream.Close()
		ended++
	}
}

func TestSDKConsumers(t *testing.T) {
	t.Parallel()
	client := kinesis.NewFromConfig(kinesislocal.StartTest(t, &kinesislocal.Options{TransitionDelay: 50 * time.Millisecond}).AWSConfig())
	ctx := t.Context()
	createStream(t, client, "s", 1)
	waiter := kinesis.NewStreamExistsWaiter(client, func(o *kinesis.StreamExistsWaiterOptions) { o.MinDelay = 10 * time.Millisecond })
	if err := waiter.Wait(ctx, &kinesis.DescribeStreamInput{StreamName: aws.String("s")}, time.Minute); err != nil {
		t.Fatal(err)
	}
	arn := registerConsumer(t, client, "s", "reader")
	byName := &kinesis.DescribeStreamConsumerInput{StreamARN: aws.String("arn:aws:kinesis:us-east-1:000000000000:stream/s"), ConsumerName: aws.String("reader")}
	for deadline := time.Now().Add(time.Minute); ; {
		out, err := client.DescribeStreamConsumer(ctx, byName)
		if err != nil {
			t.Fatal(err)
		}
		d := out.ConsumerDescription
		if *d.ConsumerARN != *arn || *d.StreamARN != *byName.StreamARN || d.ConsumerCreationTimestamp.After(time.Now()) {
			t.Fatalf("consumer %+v", d)
		}
		if d.ConsumerStatus == types.ConsumerStatusActive {
			break
		}
		if d.ConsumerStatus != types.ConsumerStatusCreating || time.Now().After(deadline) {
			t.Fatalf("status %s", d.ConsumerStatus)
		}
	}
	list, err := client.ListStreamConsumers(ctx, &kinesis.ListStreamConsumersInput{StreamARN: byName.StreamARN})
	if err != nil || len(list.Consumers) != 1 || *list.Consumers[0].ConsumerARN != *arn {
		t.Errorf("consumers %+v, error %v", list, err)
	}
	sum, err := client.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: aws.String("s")})
	if err != nil || *sum.StreamDescriptionSummary.ConsumerCount != 1 {
		t.Errorf("summary %+v, error %v", sum, err)
	}
	var inUse *types.ResourceInUseException
	if _, err := client.DeleteStream(ctx, &kinesis.DeleteStreamInput{StreamName: aws.String("s")}); !errors.As(err, &inUse) {
		t.Errorf("delete of a stream with a consumer: %v", err)
	}
	if _, err := client.DeleteStream(ctx, &kinesis.DeleteStreamInput{StreamName: aws.String("s"), EnforceConsumerDeletion: aws.Bool(true)}); err != nil {
		t.Error(err)
	}
}

// Clients need not end their subscriptions before Close.
//
// Guarantee: Close takes less than two seconds, even with open connections and
// subscriptions.
func TestCloseEndsSubscriptions(t *testing.T) {
	t.Parallel()
	s := kinesislocal.StartTest(t, nil)
	config := s.AWSConfig()
	var plain, h2 *kinesis.Client
	plain = kinesis.NewFromConfig(config, func(o *kinesis.Options) { o.HTTPClient = transport(t, false) })
	h2 = kinesis.NewFromConfig(config, func(o *kinesis.Options) { o.HTTPClient = transport(t, true) })
	createStream(t, plain, "s", 2)
	arn := registerConsumer(t, plain, "s", "reader")
	var streams []*kinesis.SubscribeToShardEventStream
	for client, shard := range map[*kinesis.Client]string{plain: shard0, h2: shard1} {
		stream, err := subscribe(t.Context(), client, arn, shard, types.StartingPosition{Type: types.ShardIteratorTypeLatest})
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Close()
		streams = append(streams, stream)
	}
	begin := time.Now()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("Close took %s, want at most 2s", took)
	}
	for _, stream := range streams {
		if event, more := nextEvent(t, stream); more {
			t.Errorf("event %+v", event)
		}
	}
}

// KCL asks for events in JSON, although it uses CBOR for all other calls.
func TestSubscriptionOverHTTP2InJSON(t *testing.T) {
	t.Parallel()
	s := kinesislocal.StartTest(t, &kinesislocal.Options{SubscriptionLifetime: 10 * time.Millisecond})
	client := transport(t, true)
	post(t, client, s.URL(), "CreateStream", cborType, javaCBOR(t, []member{{"StreamName", "s"}, {"ShardCount", 1}}))
	a := post(t, client, s.URL(), "RegisterStreamConsumer", cborType, javaCBOR(t, []member{{"StreamARN", "arn:aws:kinesis:us-east-1:000000000000:stream/s"}, {"ConsumerName", "c"}}))
	if a.status != http.StatusOK {
		t.Fatalf("response %d %x", a.status, a.body)
	}
	list := kinesis.NewFromConfig(s.AWSConfig())
	out, err := list.ListStreamConsumers(t.Context(), &kinesis.ListStreamConsumersInput{StreamARN: aws.String("arn:aws:kinesis:us-east-1:000000000000:stream/s")})
	if err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"ConsumerARN":%q,"ShardId":%q,"StartingPosition":{"Type":"LATEST"}}`, *out.Consumers[0].ConsumerARN, shard0)
	a = post(t, client, s.URL(), "SubscribeToShard", "application/x-amz-json-1.1", []byte(body))
	if a.status != http.StatusOK || a.proto != "HTTP/2.0" || a.header.Get("Content-Type") != "application/vnd.amazon.eventstream" {
		t.Errorf("response %d %s %v %q", a.status, a.proto, a.header, a.body)
	}
	// An error before the first event is an ordinary response.
	a = post(t, client, s.URL(), "SubscribeToShard", "application/x-amz-json-1.1", []byte(`{}`))
	if a.status != http.StatusBadRequest || a.header.Get("x-amzn-ErrorType") != "ValidationException" {
		t.Errorf("response %d %v %s", a.status, a.header, a.body)
	}
}
