package wire

import (
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/kinesislocal/internal/core"
)

const (
	modeProvisioned = "PROVISIONED"
	modeOnDemand    = "ON_DEMAND"
)

func (in *createStreamInput) check(c *constraints) {
	c.required("streamName", in.StreamName != nil)
	c.name("streamName", in.StreamName)
	c.within("shardCount", in.ShardCount, 1, 1<<31-1)
	if in.StreamModeDetails != nil {
		c.required("streamModeDetails.streamMode", in.StreamModeDetails.StreamMode != nil)
		oneOf(c, "streamModeDetails.streamMode", in.StreamModeDetails.StreamMode, []string{modeProvisioned, modeOnDemand})
	}
	c.within("maxRecordSizeInKiB", in.MaxRecordSizeInKiB, 1024, 10240)
}

func createStream(c *call, in *createStreamInput) (*none, error) {
	onDemand := in.StreamModeDetails != nil && *in.StreamModeDetails.StreamMode == modeOnDemand
	switch {
	case onDemand && in.ShardCount != nil:
		return nil, &failure{validationException, "ShardCount must not be given for a stream in ON_DEMAND mode."}
	case !onDemand && in.ShardCount == nil:
		return nil, &failure{validationException, "ShardCount must be given for a stream in PROVISIONED mode."}
	}
	return &none{}, c.service.CreateStream(core.NewStream{
		Name:           *in.StreamName,
		ShardCount:     value(in.ShardCount, 0),
		OnDemand:       onDemand,
		MaxRecordBytes: value(in.MaxRecordSizeInKiB, 0) << 10,
		Region:         c.region,
	})
}

func (in *deleteStreamInput) check(c *constraints) { c.stream(in.streamRef) }

func deleteStream(c *call, in *deleteStreamInput) (*none, error) {
	name, err := in.resolve()
	if err != nil {
		return nil, err
	}
	return &none{}, c.service.DeleteStream(name)
}

func (in *describeStreamInput) check(c *constraints) {
	c.stream(in.streamRef)
	c.within("limit", in.Limit, 1, 10_000)
	c.name("exclusiveStartShardId", in.ExclusiveStartShardId)
}

func describeStream(c *call, in *describeStreamInput) (*describeStreamOutput, error) {
	name, err := in.resolve()
	if err != nil {
		return nil, err
	}
	sum, shards, more, err := c.service.DescribeShards(name, value(in.ExclusiveStartShardId, ""), value(in.Limit, 100))
	if err != nil {
		return nil, err
	}
	return &describeStreamOutput{streamDescription{
		streamCommon:  common(sum),
		HasMoreShards: more,
		Shards:        shardShapes(shards),
	}}, nil
}

func (in *describeStreamSummaryInput) check(c *constraints) { c.stream(in.streamRef) }

func describeStreamSummary(c *call, in *describeStreamSummaryInput) (*describeStreamSummaryOutput, error) {
	name, err := in.resolve()
	if err != nil {
		return nil, err
	}
	sum, err := c.service.Describe(name)
	if err != nil {
		return nil, err
	}
	return &describeStreamSummaryOutput{streamDescriptionSummary{
		streamCommon:       common(sum),
		OpenShardCount:     sum.OpenShards,
		MaxRecordSizeInKiB: sum.MaxRecordBytes >> 10,
	}}, nil
}

func common(s core.Summary) streamCommon {
	return streamCommon{
		StreamName:              s.Name,
		StreamARN:               s.ARN,
		StreamStatus:            string(s.Status),
		StreamModeDetails:       mode(s),
		StreamCreationTimestamp: timestamp{s.Created},
		RetentionPeriodHours:    int(s.Retention / time.Hour),
		EnhancedMonitoring:      []enhancedMetrics{{ShardLevelMetrics: []string{}}},
		EncryptionType:          "NONE",
	}
}

func mode(s core.Summary) streamMode {
	m := modeProvisioned
	if s.OnDemand {
		m = modeOnDemand
	}
	return streamMode{&m}
}

func (in *listStreamsInput) check(c *constraints) {
	c.within("limit", in.Limit, 1, 10_000)
	c.name("exclusiveStartStreamName", in.ExclusiveStartStreamName)
	// The token of this operation is the name to go on after.
	c.name("nextToken", in.NextToken)
}

func listStreams(c *call, in *listStreamsInput) (*listStreamsOutput, error) {
	after := value(in.ExclusiveStartStreamName, value(in.NextToken, ""))
	out := &listStreamsOutput{StreamNames: []string{}, StreamSummaries: []streamSummary{}}
	for _, name := range c.service.StreamNames(after) {
		if len(out.StreamNames) == value(in.Limit, 100) {
			out.HasMoreStreams = true
			out.NextToken = out.StreamNames[len(out.StreamNames)-1]
			break
		}
		s, err := c.service.Describe(name)
		if err != nil {
			continue // deleted just now
		}
		out.StreamNames = append(out.StreamNames, name)
		out.StreamSummaries = append(out.StreamSummaries, streamSummary{
			StreamName:              s.Name,
			StreamARN:               s.ARN,
			StreamStatus:            string(s.Status),
			StreamModeDetails:       mode(s),
			StreamCreationTimestamp: timestamp{s.Created},
		})
	}
	return out, nil
}
