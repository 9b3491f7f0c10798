package wire

import (
	"strings"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal/internal/core"
)

func (in *registerStreamConsumerInput) check(c *constraints) {
	c.requiredStreamARN(in.StreamARN)
	c.required("consumerName", in.ConsumerName != nil)
	c.name("consumerName", in.ConsumerName)
	if in.Tags != nil {
		c.tags(in.Tags)
	}
}

func registerStreamConsumer(c *call, in *registerStreamConsumerInput) (*registerStreamConsumerOutput, error) {
	of, name, err := c.resolve(streamRef{StreamARN: in.StreamARN})
	if err != nil {
		return nil, err
	}
	made, err := of.RegisterConsumer(name, *in.ConsumerName, in.Tags)
	if err != nil {
		return nil, err
	}
	return &registerStreamConsumerOutput{ptr(consumerShape(made))}, nil
}

func consumerShape(d core.Consumer) consumer {
	return consumer{
		ConsumerName:              &d.Name,
		ConsumerARN:               &d.ARN,
		ConsumerStatus:            ptr(string(d.Status)),
		ConsumerCreationTimestamp: &timestamp{d.Created},
	}
}

// consumerRef names a consumer by its ARN, or by its name and the ARN of its
// stream, or by all three.
type consumerRef struct{ name, arn, streamARN *string }

func (ref consumerRef) check(c *constraints) {
	c.name("consumerName", ref.name)
	c.consumerARN(ref.arn)
	c.stream(streamRef{StreamARN: ref.streamARN})
}

func (ref consumerRef) resolve(c *call) (of *core.Account, stream, name, arn string, err error) {
	if ref.arn == nil && (ref.name == nil || ref.streamARN == nil) {
		return nil, "", "", "", &failure{invalidArgument, "Either ConsumerARN, or both StreamARN and ConsumerName must be given."}
	}
	if ref.streamARN != nil {
		if of, stream, err = c.resolve(streamRef{StreamARN: ref.streamARN}); err != nil {
			return nil, "", "", "", err
		}
		if ref.arn != nil && !strings.HasPrefix(*ref.arn, *ref.streamARN+"/consumer/") {
			return nil, "", "", "", &failure{invalidArgument, "ConsumerARN and StreamARN name different streams."}
		}
	}
	if ref.arn != nil {
		of, stream, arn = c.resolveResource(*ref.arn)
	}
	return of, stream, valueOr(ref.name, ""), arn, nil
}

func (in *deregisterStreamConsumerInput) ref() consumerRef {
	return consumerRef{in.ConsumerName, in.ConsumerARN, in.StreamARN}
}

func (in *deregisterStreamConsumerInput) check(c *constraints) { in.ref().check(c) }

func deregisterStreamConsumer(c *call, in *deregisterStreamConsumerInput) (*empty, error) {
	of, stream, name, arn, err := in.ref().resolve(c)
	if err != nil {
		return nil, err
	}
	return &empty{}, of.DeregisterConsumer(stream, name, arn)
}

func (in *describeStreamConsumerInput) ref() consumerRef {
	return consumerRef{in.ConsumerName, in.ConsumerARN, in.StreamARN}
}

func (in *describeStreamConsumerInput) check(c *constraints) { in.ref().check(c) }

func describeStreamConsumer(c *call, in *describeStreamConsumerInput) (*describeStreamConsumerOutput, error) {
	of, stream, name, arn, err := in.ref().resolve(c)
	if err != nil {
		return nil, err
	}
	d, streamARN, err := of.DescribeConsumer(stream, name, arn)
	if err != nil {
		return nil, err
	}
	return &describeStreamConsumerOutput{&consumerDescription{
		ConsumerName:              &d.Name,
		ConsumerARN:               &d.ARN,
		ConsumerStatus:            ptr(string(d.Status)),
		ConsumerCreationTimestamp: &timestamp{d.Created},
		StreamARN:                 &streamARN,
	}}, nil
}

func (in *listStreamConsumersInput) check(c *constraints) {
	c.requiredStreamARN(in.StreamARN)
	c.within("maxResults", in.MaxResults, 1, 10_000)
	if in.NextToken != nil {
		c.length("nextToken", *in.NextToken, 1, 1<<20)
	}
}

func listStreamConsumers(c *call, in *listStreamConsumersInput) (*listStreamConsumersOutput, error) {
	of, name, err := c.resolve(streamRef{StreamARN: in.StreamARN})
	if err != nil {
		return nil, err
	}
	var (
		list  []core.Consumer
		token string
		limit = int(valueOr(in.MaxResults, 100))
	)
	switch {
	case in.NextToken == nil:
		list, token, err = of.Consumers(name, in.StreamCreationTimestamp.orZero(), limit)
	case in.StreamCreationTimestamp != nil:
		err = &failure{invalidArgument, "NextToken and StreamCreationTimestamp cannot be given together."}
	default:
		list, token, err = of.ConsumersNext(name, *in.NextToken, limit)
	}
	if err != nil {
		return nil, err
	}
	out := &listStreamConsumersOutput{Consumers: []consumer{}, NextToken: nilIfEmpty(token)}
	for _, d := range list {
		out.Consumers = append(out.Consumers, consumerShape(d))
	}
	return out, nil
}
