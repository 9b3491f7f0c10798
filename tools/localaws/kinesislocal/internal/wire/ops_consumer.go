package wire

import (
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
	name, err := streamRef{StreamARN: in.StreamARN}.resolve()
	if err != nil {
		return nil, err
	}
	made, err := c.service.RegisterConsumer(name, *in.ConsumerName, in.Tags)
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

// consumerRef is how a consumer is named: by its ARN, or by its name and the
// ARN of its stream, or by all of them.
type consumerRef struct{ name, arn, streamARN *string }

func (ref consumerRef) check(c *constraints) {
	c.name("consumerName", ref.name)
	c.consumerARN(ref.arn)
	c.stream(streamRef{StreamARN: ref.streamARN})
}

func (ref consumerRef) resolve() (stream, name, arn string, err error) {
	if ref.arn == nil && (ref.name == nil || ref.streamARN == nil) {
		return "", "", "", &failure{invalidArgument, "Either ConsumerARN, or both StreamARN and ConsumerName must be given."}
	}
	if ref.arn != nil {
		stream = consumerARNPattern.FindStringSubmatch(*ref.arn)[1]
	}
	if ref.streamARN != nil {
		byARN, err := streamRef{StreamARN: ref.streamARN}.resolve()
		if err != nil {
			return "", "", "", err
		}
		if ref.arn != nil && byARN != stream {
			return "", "", "", &failure{invalidArgument, "ConsumerARN and StreamARN name different streams."}
		}
		stream = byARN
	}
	return stream, value(ref.name, ""), value(ref.arn, ""), nil
}

func (in *deregisterStreamConsumerInput) ref() consumerRef {
	return consumerRef{in.ConsumerName, in.ConsumerARN, in.StreamARN}
}

func (in *deregisterStreamConsumerInput) check(c *constraints) { in.ref().check(c) }

func deregisterStreamConsumer(c *call, in *deregisterStreamConsumerInput) (*none, error) {
	stream, name, arn, err := in.ref().resolve()
	if err != nil {
		return nil, err
	}
	return &none{}, c.service.DeregisterConsumer(stream, name, arn)
}

func (in *describeStreamConsumerInput) ref() consumerRef {
	return consumerRef{in.ConsumerName, in.ConsumerARN, in.StreamARN}
}

func (in *describeStreamConsumerInput) check(c *constraints) { in.ref().check(c) }

func describeStreamConsumer(c *call, in *describeStreamConsumerInput) (*describeStreamConsumerOutput, error) {
	stream, name, arn, err := in.ref().resolve()
	if err != nil {
		return nil, err
	}
	d, streamARN, err := c.service.DescribeConsumer(stream, name, arn)
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
	name, err := streamRef{StreamARN: in.StreamARN}.resolve()
	if err != nil {
		return nil, err
	}
	var (
		list  []core.Consumer
		token string
		limit = int(value(in.MaxResults, 100))
	)
	switch {
	case in.NextToken == nil:
		list, token, err = c.service.Consumers(name, in.StreamCreationTimestamp.orZero(), limit)
	case in.StreamCreationTimestamp != nil:
		err = &failure{invalidArgument, "NextToken and StreamCreationTimestamp cannot be given together."}
	default:
		list, token, err = c.service.ConsumersNext(name, *in.NextToken, limit)
	}
	if err != nil {
		return nil, err
	}
	out := &listStreamConsumersOutput{Consumers: []consumer{}, NextToken: given(token)}
	for _, d := range list {
		out.Consumers = append(out.Consumers, consumerShape(d))
	}
	return out, nil
}
