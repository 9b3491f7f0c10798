package wire

import (
	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal/internal/core"
)

//go:generate go run ../../../internal/shapegen kinesis

// call is what an operation works with.
type call struct {
	service      *core.Service
	region       string
	refuseRecord func() bool // tells whether an injected fault hits the next record of a PutRecords
}

// operation decodes its input with the function given, and runs.
type operation func(c *call, decode func(any) error) (any, error)

type none struct{}

// operations are those that this service has.
var operations = map[string]operation{
	"AddTagsToStream":               with(addTagsToStream),
	"CreateStream":                  with(createStream),
	"DecreaseStreamRetentionPeriod": with(decreaseStreamRetentionPeriod),
	"DeleteStream":                  with(deleteStream),
	"DeregisterStreamConsumer":      with(deregisterStreamConsumer),
	"DescribeLimits":                with(describeLimits),
	"DescribeStream":                with(describeStream),
	"DescribeStreamConsumer":        with(describeStreamConsumer),
	"DescribeStreamSummary":         with(describeStreamSummary),
	"DisableEnhancedMonitoring":     with(disableEnhancedMonitoring),
	"EnableEnhancedMonitoring":      with(enableEnhancedMonitoring),
	"GetRecords":                    with(getRecords),
	"GetShardIterator":              with(getShardIterator),
	"IncreaseStreamRetentionPeriod": with(increaseStreamRetentionPeriod),
	"ListShards":                    with(listShards),
	"ListStreamConsumers":           with(listStreamConsumers),
	"ListStreams":                   with(listStreams),
	"ListTagsForResource":           with(listTagsForResource),
	"ListTagsForStream":             with(listTagsForStream),
	"MergeShards":                   with(mergeShards),
	"PutRecord":                     with(putRecord),
	"PutRecords":                    with(putRecords),
	"RegisterStreamConsumer":        with(registerStreamConsumer),
	"RemoveTagsFromStream":          with(removeTagsFromStream),
	"SplitShard":                    with(splitShard),
	"StartStreamEncryption":         with(startStreamEncryption),
	"StopStreamEncryption":          with(stopStreamEncryption),
	"SubscribeToShard":              with(subscribeToShard),
	"TagResource":                   with(tagResource),
	"UntagResource":                 with(untagResource),
	"UpdateMaxRecordSize":           with(updateMaxRecordSize),
	"UpdateShardCount":              with(updateShardCount),
	"UpdateStreamMode":              with(updateStreamMode),
}

// input is a request shape that checks itself.
type input[T any] interface {
	*T
	check(*constraints)
}

func with[T any, In input[T], Out any](f func(*call, In) (*Out, error)) operation {
	return func(c *call, decode func(any) error) (any, error) {
		in := In(new(T))
		if err := decode(in); err != nil {
			return nil, err
		}
		var broken constraints
		in.check(&broken)
		if err := broken.err(); err != nil {
			return nil, err
		}
		out, err := f(c, in)
		if err != nil {
			return nil, err
		}
		return out, nil
	}
}

// resolve returns the name of the stream meant. The partition, region and
// account of an ARN are not compared: there is one set of streams.
func (ref streamRef) resolve() (string, error) {
	var fromARN string
	if ref.StreamARN != nil {
		fromARN = arnPattern.FindStringSubmatch(*ref.StreamARN)[1]
	}
	switch {
	case ref.StreamName == nil && ref.StreamARN == nil:
		return "", &failure{invalidArgument, "Either StreamName or StreamARN must be given."}
	case ref.StreamName == nil:
		return fromARN, nil
	case ref.StreamARN != nil && fromARN != *ref.StreamName:
		return "", &failure{invalidArgument, "StreamName and StreamARN name different streams."}
	}
	return *ref.StreamName, nil
}

func dryRun() error {
	return &failure{dryRunException, "The request would have succeeded, but DryRun was set."}
}

func ptr[T any](v T) *T { return &v }

// given is nil for "".
func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func value[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}
