package kinesislocal_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/fault"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal"
)

// A program puts a record and reads it back through the AWS SDK.
func Example() {
	server, err := kinesislocal.Start(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	ctx := context.Background()
	client := kinesis.NewFromConfig(server.AWSConfig())
	stream := aws.String("orders")
	if _, err := client.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: stream, ShardCount: aws.Int32(1)}); err != nil {
		log.Fatal(err)
	}
	put, err := client.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: stream, PartitionKey: aws.String("customer-1"), Data: []byte("two apples")})
	if err != nil {
		log.Fatal(err)
	}
	it, err := client.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{StreamName: stream, ShardId: put.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
	if err != nil {
		log.Fatal(err)
	}
	got, err := client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: it.ShardIterator})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %s\n", *put.ShardId, got.Records[0].Data)
	// Output: shardId-000000000000: two apples
}

// A test starts its own server, with the throughput limits of AWS.
func ExampleStartTest() {
	_ = func(t *testing.T) {
		server := kinesislocal.StartTest(t, &kinesislocal.Options{ThroughputLimits: true})
		client := kinesis.NewFromConfig(server.AWSConfig())
		if _, err := client.ListStreams(t.Context(), &kinesis.ListStreamsInput{}); err != nil {
			t.Fatal(err)
		}
	}
}

// Every second call of ListStreams is throttled.
func ExampleServer_SetFaults() {
	server, err := kinesislocal.Start(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	if err := server.SetFaults(fault.Rule{Kind: fault.Throttle, Operation: "ListStreams", Rate: 0.5}); err != nil {
		log.Fatal(err)
	}
	client := kinesis.NewFromConfig(server.AWSConfig(), func(o *kinesis.Options) { o.Retryer = aws.NopRetryer{} })
	for range 4 {
		_, err := client.ListStreams(context.Background(), &kinesis.ListStreamsInput{})
		fmt.Println(err == nil)
	}
	// Output:
	// true
	// false
	// true
	// false
}

// An account shares its stream with another account, which uses the ARN.
func ExampleServer_AWSConfigForAccount() {
	server, err := kinesislocal.Start(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	ctx := context.Background()
	owner := kinesis.NewFromConfig(server.AWSConfigForAccount("111111111111"))
	if _, err := owner.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: aws.String("orders"), ShardCount: aws.Int32(1)}); err != nil {
		log.Fatal(err)
	}
	reader := kinesis.NewFromConfig(server.AWSConfigForAccount("222222222222"))
	orders := &kinesis.DescribeStreamSummaryInput{StreamARN: aws.String("arn:aws:kinesis:us-east-1:111111111111:stream/orders")}
	var denied *types.AccessDeniedException
	_, err = reader.DescribeStreamSummary(ctx, orders)
	fmt.Println(errors.As(err, &denied))

	_, err = owner.PutResourcePolicy(ctx, &kinesis.PutResourcePolicyInput{ResourceARN: orders.StreamARN, Policy: aws.String(`{
		"Version": "2012-10-17",
		"Statement": {
			"Effect": "Allow",
			"Principal": {"AWS": "222222222222"},
			"Action": ["kinesis:DescribeStreamSummary", "kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords"],
			"Resource": "arn:aws:kinesis:us-east-1:111111111111:stream/orders"
		}
	}`)})
	if err != nil {
		log.Fatal(err)
	}
	got, err := reader.DescribeStreamSummary(ctx, orders)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(*got.StreamDescriptionSummary.StreamARN)
	// Output:
	// true
	// arn:aws:kinesis:us-east-1:111111111111:stream/orders
}
