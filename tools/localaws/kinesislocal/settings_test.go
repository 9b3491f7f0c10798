package kinesislocal_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal"
)

// All settings of a stream are changed, by its ARN and, where the operation takes
// one, by its name.
func TestSDKSettings(t *testing.T) {
	t.Parallel()
	for _, byARN := range []bool{false, true} {
		t.Run(fmt.Sprint("byARN=", byARN), func(t *testing.T) {
			client := kinesis.NewFromConfig(kinesislocal.StartTest(t, nil).AWSConfig())
			ctx := t.Context()
			createStream(t, client, "s", 1)
			resource := aws.String("arn:aws:kinesis:us-east-1:000000000000:stream/s")
			name, arn := aws.String("s"), (*string)(nil)
			if byARN {
				name, arn = nil, resource
			}
			must := func(_ any, err error) {
				t.Helper()
				if err != nil {
					t.Error(err)
				}
			}
			must(client.IncreaseStreamRetentionPeriod(ctx, &kinesis.IncreaseStreamRetentionPeriodInput{StreamName: name, StreamARN: arn, RetentionPeriodHours: aws.Int32(72)}))
			must(client.DecreaseStreamRetentionPeriod(ctx, &kinesis.DecreaseStreamRetentionPeriodInput{StreamName: name, StreamARN: arn, RetentionPeriodHours: aws.Int32(48)}))
			must(client.UpdateMaxRecordSize(ctx, &kinesis.UpdateMaxRecordSizeInput{StreamARN: resource, MaxRecordSizeInKiB: aws.Int32(2048)}))
			must(client.UpdateStreamMode(ctx, &kinesis.UpdateStreamModeInput{StreamARN: resource, StreamModeDetails: &types.StreamModeDetails{StreamMode: types.StreamModeOnDemand}}))
			must(client.StartStreamEncryption(ctx, &kinesis.StartStreamEncryptionInput{StreamName: name, StreamARN: arn, EncryptionType: types.EncryptionTypeKms, KeyId: aws.String("alias/aws/kinesis")}))

			out, err := client.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: name, StreamARN: arn})
			if err != nil {
				t.Fatal(err)
			}
			d := out.StreamDescriptionSummary
			if *d.RetentionPeriodHours != 48 || *d.MaxRecordSizeInKiB != 2048 || d.StreamModeDetails.StreamMode != types.StreamModeOnDemand ||
				d.EncryptionType != types.EncryptionTypeKms || *d.KeyId != "alias/aws/kinesis" {
				t.Errorf("summary %+v", d)
			}
			put, err := client.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: name, StreamARN: arn, PartitionKey: aws.String("k"), Data: make([]byte, 2<<20-1)})
			if err != nil || put.EncryptionType != types.EncryptionTypeKms {
				t.Errorf("put %+v, error %v", put, err)
			}
			if records := readShard(t, client, "s", shard0); len(records) != 1 || len(records[0].Data) != 2<<20-1 || records[0].EncryptionType != types.EncryptionTypeKms {
				t.Errorf("%d records", len(records))
			}
			must(client.StopStreamEncryption(ctx, &kinesis.StopStreamEncryptionInput{StreamName: name, StreamARN: arn, EncryptionType: types.EncryptionTypeKms, KeyId: aws.String("alias/aws/kinesis")}))
			full, err := client.DescribeStream(ctx, &kinesis.DescribeStreamInput{StreamName: name, StreamARN: arn})
			if err != nil || full.StreamDescription.EncryptionType != types.EncryptionTypeNone || full.StreamDescription.KeyId != nil || *full.StreamDescription.RetentionPeriodHours != 48 {
				t.Errorf("description %+v, error %v", full, err)
			}

			must(client.AddTagsToStream(ctx, &kinesis.AddTagsToStreamInput{StreamName: name, StreamARN: arn, Tags: map[string]string{"team": "blue", "a": "1", "b": ""}}))
			must(client.TagResource(ctx, &kinesis.TagResourceInput{ResourceARN: resource, Tags: map[string]string{"a": "2", "c": "3"}}))
			must(client.RemoveTagsFromStream(ctx, &kinesis.RemoveTagsFromStreamInput{StreamName: name, StreamARN: arn, TagKeys: []string{"b"}}))
			must(client.UntagResource(ctx, &kinesis.UntagResourceInput{ResourceARN: resource, TagKeys: []string{"c"}}))
			tags, err := client.ListTagsForResource(ctx, &kinesis.ListTagsForResourceInput{ResourceARN: resource})
			if err != nil || fmt.Sprint(plainTags(tags.Tags)) != "[a=2 team=blue]" {
				t.Errorf("tags %v, error %v", tags, err)
			}
			page, err := client.ListTagsForStream(ctx, &kinesis.ListTagsForStreamInput{StreamName: name, StreamARN: arn, Limit: aws.Int32(1)})
			if err != nil || !*page.HasMoreTags || fmt.Sprint(plainTags(page.Tags)) != "[a=2]" {
				t.Errorf("tags %v, error %v", page, err)
			}
			page, err = client.ListTagsForStream(ctx, &kinesis.ListTagsForStreamInput{StreamName: name, StreamARN: arn, ExclusiveStartTagKey: aws.String("a")})
			if err != nil || *page.HasMoreTags || fmt.Sprint(plainTags(page.Tags)) != "[team=blue]" {
				t.Errorf("tags %v, error %v", page, err)
			}
			consumer := registerConsumer(t, client, "s", "reader")
			must(client.TagResource(ctx, &kinesis.TagResourceInput{ResourceARN: consumer, Tags: map[string]string{"of": "reader"}}))
			tags, err = client.ListTagsForResource(ctx, &kinesis.ListTagsForResourceInput{ResourceARN: consumer})
			if err != nil || fmt.Sprint(plainTags(tags.Tags)) != "[of=reader]" {
				t.Errorf("tags %v, error %v", tags, err)
			}
		})
	}
}

func plainTags(tags []types.Tag) (list []string) {
	for _, tag := range tags {
		list = append(list, *tag.Key+"="+*tag.Value)
	}
	return list
}

// Operations that the server does not have fail.
func TestOtherOperationsAreUnknown(t *testing.T) {
	t.Parallel()
	client := kinesis.NewFromConfig(kinesislocal.StartTest(t, nil).AWSConfig())
	for name, call := range map[string]func() error{
		"DescribeAccountSettings": func() error {
			_, err := client.DescribeAccountSettings(t.Context(), &kinesis.DescribeAccountSettingsInput{})
			return err
		},
		"UpdateStreamWarmThroughput": func() error {
			_, err := client.UpdateStreamWarmThroughput(t.Context(), &kinesis.UpdateStreamWarmThroughputInput{StreamName: aws.String("s"), WarmThroughputMiBps: aws.Int32(1)})
			return err
		},
	} {
		var api smithy.APIError
		if err := call(); !errors.As(err, &api) || api.ErrorCode() != "UnknownOperationException" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMonitoringIsToldBack(t *testing.T) {
	t.Parallel()
	client := impatient(t, kinesislocal.StartTest(t, nil), false)
	createStream(t, client, "s", 3)
	name := aws.String("s")
	enable := func(m ...types.MetricsName) {
		t.Helper()
		if _, err := client.EnableEnhancedMonitoring(t.Context(), &kinesis.EnableEnhancedMonitoringInput{StreamName: name, ShardLevelMetrics: m}); err != nil {
			t.Fatal(err)
		}
	}
	enable(types.MetricsNameIncomingBytes)
	enable(types.MetricsNameAll)
	out, err := client.DisableEnhancedMonitoring(t.Context(), &kinesis.DisableEnhancedMonitoringInput{StreamName: name, ShardLevelMetrics: []types.MetricsName{types.MetricsNameIncomingBytes}})
	if err != nil || len(out.CurrentShardLevelMetrics) != 7 || len(out.DesiredShardLevelMetrics) != 6 {
		t.Errorf("%+v, %v", out, err)
	}
	sum, err := client.DescribeStreamSummary(t.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: name})
	if err != nil || len(sum.StreamDescriptionSummary.EnhancedMonitoring[0].ShardLevelMetrics) != 6 {
		t.Errorf("%+v, %v", sum, err)
	}
	limits, err := client.DescribeLimits(t.Context(), &kinesis.DescribeLimitsInput{})
	if err != nil || *limits.OpenShardCount != 3 {
		t.Errorf("%+v, %v", limits, err)
	}
}
