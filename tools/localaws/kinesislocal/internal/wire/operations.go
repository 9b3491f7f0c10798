package wire

import (
	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal/internal/core"
)

//go:generate go run ../../../internal/shapegen kinesis

// call is one call of an operation.
type call struct {
	account      *core.Account // the account that calls
	region       string
	resource     string      // the stream or consumer as the request names it: an ARN, or a stream's name
	refuseRecord func() bool // counts a record of PutRecords and reports whether an injected fault hits it
}

// operation decodes its input with decode, then runs.
type operation func(c *call, decode func(any) error) (any, error)

// empty is the output of operations without one.
type empty struct{}

// operations are the operations of this service.
var operations = map[string]operation{
	"AddTagsToStream":               handle(addTagsToStream),
	"CreateStream":                  handle(createStream),
	"DecreaseStreamRetentionPeriod": handle(decreaseStreamRetentionPeriod),
	"DeleteResourcePolicy":          handle(deleteResourcePolicy),
	"DeleteStream":                  handle(deleteStream),
	"DeregisterStreamConsumer":      handle(deregisterStreamConsumer),
	"DescribeLimits":                handle(describeLimits),
	"DescribeStream":                handle(describeStream),
	"DescribeStreamConsumer":        handle(describeStreamConsumer),
	"DescribeStreamSummary":         handle(describeStreamSummary),
	"DisableEnhancedMonitoring":     handle(disableEnhancedMonitoring),
	"EnableEnhancedMonitoring":      handle(enableEnhancedMonitoring),
	"GetRecords":                    handle(getRecords),
	"GetResourcePolicy":             handle(getResourcePolicy),
	"GetShardIterator":              handle(getShardIterator),
	"IncreaseStreamRetentionPeriod": handle(increaseStreamRetentionPeriod),
	"ListShards":                    handle(listShards),
	"ListStreamConsumers":           handle(listStreamConsumers),
	"ListStreams":                   handle(listStreams),
	"ListTagsForResource":           handle(listTagsForResource),
	"ListTagsForStream":             handle(listTagsForStream),
	"MergeShards":                   handle(mergeShards),
	"PutRecord":                     handle(putRecord),
	"PutRecords":                    handle(putRecords),
	"PutResourcePolicy":             handle(putResourcePolicy),
	"RegisterStreamConsumer":        handle(registerStreamConsumer),
	"RemoveTagsFromStream":          handle(removeTagsFromStream),
	"SplitShard":                    handle(splitShard),
	"StartStreamEncryption":         handle(startStreamEncryption),
	"StopStreamEncryption":          handle(stopStreamEncryption),
	"SubscribeToShard":              handle(subscribeToShard),
	"TagResource":                   handle(tagResource),
	"UntagResource":                 handle(untagResource),
	"UpdateMaxRecordSize":           handle(updateMaxRecordSize),
	"UpdateShardCount":              handle(updateShardCount),
	"UpdateStreamMode":              handle(updateStreamMode),
}

// input is a request that checks its own constraints.
type input[T any] interface {
	*T
	check(*constraints)
}

// handle returns the operation that f implements.
func handle[T any, In input[T], Out any](f func(*call, In) (*Out, error)) operation {
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

// resolve returns the name of a stream and its account: the account of the ARN or,
// without an ARN, the caller's. The partition and region of the ARN are not
// compared.
func (c *call) resolve(ref streamRef) (of *core.Account, name string, err error) {
	switch {
	case ref.StreamName == nil && ref.StreamARN == nil:
		return nil, "", &failure{invalidArgument, "Either StreamName or StreamARN must be given."}
	case ref.StreamARN == nil:
		c.resource = *ref.StreamName
		return c.account, *ref.StreamName, nil
	}
	c.resource = *ref.StreamARN
	name = arnPattern.FindStringSubmatch(*ref.StreamARN)[1]
	if ref.StreamName != nil && name != *ref.StreamName {
		return nil, "", &failure{invalidArgument, "StreamName and StreamARN name different streams."}
	}
	return c.account.WithOwnerOf(*ref.StreamARN), name, nil
}

// onStream calls f with the stream that a request names, for operations without
// output.
func onStream(c *call, ref streamRef, f func(of *core.Account, name string) error) (*empty, error) {
	of, name, err := c.resolve(ref)
	if err != nil {
		return nil, err
	}
	return &empty{}, f(of, name)
}

// resolveResource returns the account and name of a stream, from its ARN or the
// ARN of one of its consumers. consumerARN is "" for the ARN of a stream.
func (c *call) resolveResource(arn string) (of *core.Account, stream, consumerARN string) {
	c.resource = arn
	if m := plainStreamPattern.FindStringSubmatch(arn); m != nil {
		return c.account.WithOwnerOf(arn), m[1], ""
	}
	return c.account.WithOwnerOf(arn), consumerARNPattern.FindStringSubmatch(arn)[1], arn
}

func dryRunError() error {
	return &failure{dryRunException, "The request would have succeeded, but DryRun was set."}
}

func ptr[T any](v T) *T { return &v }

// nilIfEmpty is nil for "".
func nilIfEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func valueOr[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}
