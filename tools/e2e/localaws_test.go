package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/handle"
	"github.com/seed96110120/kinesis-client-go/processor/worker"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
	"github.com/seed96110120/kinesis-client-go/tools/localaws"
)

// The test in the README of localaws is testMyWorker, and passes. It runs nightly, because
// KCL takes more than a minute until the first record of a new application, and no other
// test may run at the same time because it sets environment variables.
func TestREADMEOfLocalAWS(t *testing.T) {
	dir := filepath.Join(testenv.Workspace(t), "tools")
	readme, err := os.ReadFile(filepath.Join(dir, "localaws", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(dir, "e2e", "localaws_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	_, function, _ := strings.Cut(string(source), "\nfunc testMyWorker(")
	if !strings.Contains(string(readme), "\n```go\nfunc TestMyWorker("+function+"```\n") {
		t.Error("the README of localaws does not have testMyWorker as it is here")
	}
	testenv.Nightly(t)
	testenv.Java(t)
	testMyWorker(t)
}

func testMyWorker(t *testing.T) {
	local := localaws.StartTest(t, nil) // on free ports, until the test ends
	t.Setenv("AWS_ACCESS_KEY_ID", "any")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "any")
	client, stream := kinesis.NewFromConfig(local.AWSConfig()), aws.String("orders")
	_, err := client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: stream, ShardCount: aws.Int32(1)})
	if err == nil {
		_, err = client.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: stream, PartitionKey: aws.String("customer-1"), Data: []byte("two apples")})
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
	defer stop()
	got := ""
	err = worker.Run(ctx, worker.Config{
		Stream: *stream, Application: "billing", Region: "us-east-1", InitialPosition: worker.TrimHorizon,
		AWS: worker.AWSOptions{KinesisEndpoint: local.Kinesis.URL(), DynamoDBEndpoint: local.DynamoDB.URL()},
	}, func(worker.ShardInfo) (processor.RecordProcessor, error) {
		return handle.Record(func(_ context.Context, r processor.Record) error {
			got = string(r.Data)
			stop()
			return nil
		}, nil), nil
	})
	if err != nil || got != "two apples" {
		t.Errorf("%q, %v", got, err)
	}
}
