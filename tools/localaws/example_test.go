package localaws_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/seed96110120/kinesis-client-go/tools/localaws"
)

// A program creates a stream and a table, and puts something into each.
func Example() {
	server, err := localaws.Start(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	ctx, name := context.Background(), aws.String("orders")
	streams, tables := kinesis.NewFromConfig(server.AWSConfig()), dynamodb.NewFromConfig(server.AWSConfig())
	_, err = streams.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: name, ShardCount: aws.Int32(1)})
	_, err2 := tables.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: name, BillingMode: types.BillingModePayPerRequest,
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
	})
	if err := errors.Join(err, err2); err != nil {
		log.Fatal(err)
	}
	put, err := streams.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: name, PartitionKey: aws.String("customer-1"), Data: []byte("two apples")})
	if err != nil {
		log.Fatal(err)
	}
	item := map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: "customer-1"}, "shard": &types.AttributeValueMemberS{Value: *put.ShardId}}
	if _, err := tables.PutItem(ctx, &dynamodb.PutItemInput{TableName: name, Item: item}); err != nil {
		log.Fatal(err)
	}
	got, err := tables.GetItem(ctx, &dynamodb.GetItemInput{TableName: name, Key: map[string]types.AttributeValue{"id": item["id"]}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(got.Item["shard"].(*types.AttributeValueMemberS).Value)
	// Output: shardId-000000000000
}
