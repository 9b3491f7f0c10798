package wire

import (
	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal/internal/core"
)

//go:generate go run ../../../internal/shapegen kinesis

// call is what an operation works with.
type call struct {
	own          *core.Account // the streams of the account that calls
	region       string
	named        string      // the stream or consumer that the request names: an ARN, or a stream's name
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
	"DeleteResourcePolicy":          with(deleteResourcePolicy),
	"DeleteStream":                  with(deleteStream),
	"DeregisterStreamConsumer":      with(deregisterStreamConsumer),
	"DescribeLimits":                with(describeLimits),
	"DescribeStream":                with(describeStream),
	"DescribeStreamConsumer":        with(describeStreamConsumer),
	"DescribeStreamSummary":         with(describeStreamSummary),
	"DisableEnhancedMonitoring":     with(disableEnhancedMonitoring),
	"EnableEnhancedMonitoring":      with(enableEnhancedMonitoring),
	"GetRecords":                    with(getRecords),
	"GetResourcePolicy":             with(getResourcePolicy),
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
	"PutResourcePolicy":             with(putResourcePolicy),
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

// resolve returns the name of the stream meant, and the streams of its account:
// that of the ARN or, without one, the caller's. The partition and region of an
// ARN are not compared.
func (c *call) resolve(ref streamRef) (of *core.Account, name string, err error) {
	switch {
	case ref.StreamName == nil && ref.StreamARN == nil:
		return nil, "", &failure{invalidArgument, "Either StreamName or StreamARN must be given."}
	case ref.StreamARN == nil:
		c.named = *ref.StreamName
		return c.own, *ref.StreamName, nil
	}
	c.named = *ref.StreamARN
	name = arnPattern.FindStringSubmatch(*ref.StreamARN)[1]
	if ref.StreamName != nil && name != *ref.StreamName {
		return nil, "", &failure{invalidArgument, "StreamName and StreamARN name different streams."}
	}
	return c.own.At(*ref.StreamARN), name, nil
}

// resource returns the streams of the account in the ARN of a stream or
// consumer, the name of the stream and, when the ARN is a consumer's, that ARN.
func (c *call) resource(arn string) (of *core.Account, stream, consumerARN string) {
	c.named = arn
	if m := plainStreamPattern.FindStringSubmatch(arn); m != nil {
		return c.own.At(arn), m[1], ""
	}
	return c.own.At(arn), consumerARNPattern.FindStringSubmatch(arn)[1], arn
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
