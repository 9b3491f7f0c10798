package wire

import (
	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal/internal/core"
)

const (
	modeProvisioned = "PROVISIONED"
	modeOnDemand    = "ON_DEMAND"

	encryptionNone = "NONE"
	encryptionKMS  = "KMS"
)

func (in *createStreamInput) check(c *constraints) {
	c.required("streamName", in.StreamName != nil)
	c.name("streamName", in.StreamName)
	c.within("shardCount", in.ShardCount, 1, 1<<31-1)
	c.mode(in.StreamModeDetails)
	c.recordSize(in.MaxRecordSizeInKiB)
	if in.Tags != nil {
		c.tags(in.Tags)
	}
	c.within("warmThroughputMiBps", in.WarmThroughputMiBps, 0, 1<<31-1)
}

func (c *constraints) mode(m *streamModeDetails) {
	if m != nil {
		c.required("streamModeDetails.streamMode", m.StreamMode != nil)
		oneOf(c, "streamModeDetails.streamMode", m.StreamMode, []string{modeProvisioned, modeOnDemand})
	}
}

func createStream(c *call, in *createStreamInput) (*empty, error) {
	onDemand := in.StreamModeDetails != nil && *in.StreamModeDetails.StreamMode == modeOnDemand
	switch {
	case onDemand && in.ShardCount != nil:
		return nil, &failure{validationException, "ShardCount must not be given for a stream in ON_DEMAND mode."}
	case !onDemand && in.ShardCount == nil:
		return nil, &failure{validationException, "ShardCount must be given for a stream in PROVISIONED mode."}
	}
	c.resource = *in.StreamName
	return &empty{}, c.account.CreateStream(core.NewStream{
		Name:           *in.StreamName,
		ShardCount:     int(valueOr(in.ShardCount, 0)),
		OnDemand:       onDemand,
		MaxRecordBytes: int(valueOr(in.MaxRecordSizeInKiB, 0)) << 10,
		Region:         c.region,
		Tags:           in.Tags,
	})
}

func (in *deleteStreamInput) check(c *constraints) { c.stream(in.streamRef) }

func deleteStream(c *call, in *deleteStreamInput) (*empty, error) {
	return onStream(c, in.streamRef, func(of *core.Account, name string) error {
		return of.DeleteStream(name, valueOr(in.EnforceConsumerDeletion, false))
	})
}

func (in *describeStreamInput) check(c *constraints) {
	c.stream(in.streamRef)
	c.within("limit", in.Limit, 1, 10_000)
	c.name("exclusiveStartShardId", in.ExclusiveStartShardId)
}

func describeStream(c *call, in *describeStreamInput) (*describeStreamOutput, error) {
	of, name, err := c.resolve(in.streamRef)
	if err != nil {
		return nil, err
	}
	sum, shards, more, err := of.DescribeShards(name, valueOr(in.ExclusiveStartShardId, ""), int(valueOr(in.Limit, 100)))
	if err != nil {
		return nil, err
	}
	return &describeStreamOutput{&streamDescription{
		StreamName:              &sum.Name,
		StreamARN:               &sum.ARN,
		StreamStatus:            ptr(string(sum.Status)),
		StreamModeDetails:       mode(sum),
		StreamCreationTimestamp: &timestamp{sum.Created},
		RetentionPeriodHours:    ptr(int32(sum.Retention.Hours())),
		EnhancedMonitoring:      monitoring(sum),
		EncryptionType:          encryptionType(sum),
		KeyId:                   nilIfEmpty(sum.KeyID),
		HasMoreShards:           &more,
		Shards:                  shardShapes(shards),
	}}, nil
}

func (in *describeStreamSummaryInput) check(c *constraints) { c.stream(in.streamRef) }

func describeStreamSummary(c *call, in *describeStreamSummaryInput) (*describeStreamSummaryOutput, error) {
	of, name, err := c.resolve(in.streamRef)
	if err != nil {
		return nil, err
	}
	sum, err := of.Describe(name)
	if err != nil {
		return nil, err
	}
	return &describeStreamSummaryOutput{&streamDescriptionSummary{
		StreamName:              &sum.Name,
		StreamARN:               &sum.ARN,
		StreamStatus:            ptr(string(sum.Status)),
		StreamModeDetails:       mode(sum),
		StreamCreationTimestamp: &timestamp{sum.Created},
		RetentionPeriodHours:    ptr(int32(sum.Retention.Hours())),
		EnhancedMonitoring:      monitoring(sum),
		EncryptionType:          encryptionType(sum),
		KeyId:                   nilIfEmpty(sum.KeyID),
		OpenShardCount:          ptr(int32(sum.OpenShards)),
		ConsumerCount:           ptr(int32(sum.Consumers)),
		MaxRecordSizeInKiB:      ptr(int32(sum.MaxRecordBytes >> 10)),
	}}, nil
}

func monitoring(s core.Summary) []enhancedMetrics {
	return []enhancedMetrics{{ShardLevelMetrics: append([]string{}, s.Metrics...)}}
}

func mode(s core.Summary) *streamModeDetails {
	if s.OnDemand {
		return &streamModeDetails{ptr(modeOnDemand)}
	}
	return &streamModeDetails{ptr(modeProvisioned)}
}

func encryptionType(s core.Summary) *string {
	if s.KeyID == "" {
		return ptr(encryptionNone)
	}
	return ptr(encryptionKMS)
}

func (in *listStreamsInput) check(c *constraints) {
	c.within("limit", in.Limit, 1, 10_000)
	c.name("exclusiveStartStreamName", in.ExclusiveStartStreamName)
	// The token of this operation is the last name on the page.
	c.name("nextToken", in.NextToken)
}

func listStreams(c *call, in *listStreamsInput) (*listStreamsOutput, error) {
	after := valueOr(in.ExclusiveStartStreamName, valueOr(in.NextToken, ""))
	more := false
	out := &listStreamsOutput{StreamNames: []string{}, StreamSummaries: []streamSummary{}, HasMoreStreams: &more}
	for _, name := range c.account.StreamNames(after) {
		if len(out.StreamNames) == int(valueOr(in.Limit, 100)) {
			more = true
			out.NextToken = &out.StreamNames[len(out.StreamNames)-1]
			break
		}
		s, err := c.account.Describe(name)
		if err != nil {
			continue // deleted just now
		}
		out.StreamNames = append(out.StreamNames, name)
		out.StreamSummaries = append(out.StreamSummaries, streamSummary{
			StreamName:              &s.Name,
			StreamARN:               &s.ARN,
			StreamStatus:            ptr(string(s.Status)),
			StreamModeDetails:       mode(s),
			StreamCreationTimestamp: &timestamp{s.Created},
		})
	}
	return out, nil
}
