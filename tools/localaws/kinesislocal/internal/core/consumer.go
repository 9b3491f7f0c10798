package core

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal/internal/policy"
)

// MaxConsumers is the most registered consumers of a stream.
const MaxConsumers = 20

// Consumer describes a registered consumer of a stream, which reads by
// subscription (enhanced fan-out).
type Consumer struct {
	Name    string
	ARN     string
	Status  Status
	Created time.Time
}

// consumer is guarded by its stream's mutex.
type consumer struct {
	name    string
	arn     string
	created time.Time
	active  time.Time // when it becomes Active; Creating until then
	gone    time.Time // when it is deleted, zero for never; Deleting until then
	tags    map[string]string
	policy  *policy.Policy // nil for none

	subscriptions map[uint32]*Subscription // the latest of each shard, by its number
}

func (c *consumer) describe(now time.Time) Consumer {
	d := Consumer{Name: c.name, ARN: c.arn, Status: Active, Created: c.created}
	switch {
	case !c.gone.IsZero():
		d.Status = Deleting
	case c.active.After(now):
		d.Status = Creating
	}
	return d
}

// RegisterConsumer adds a consumer to a stream.
func (s *Account) RegisterConsumer(streamName, name string, tags map[string]string) (Consumer, error) {
	var d Consumer
	err := s.withStream(streamName, func(st *stream, now time.Time) error {
		if st.status == Creating || st.status == Deleting {
			return st.inUseError()
		}
		if st.consumer(name) != nil {
			return errorf(ResourceInUse, "Consumer %s of stream %s under account %s already exists.", name, st.name, st.account)
		}
		if len(st.consumers) >= MaxConsumers {
			return errorf(LimitExceeded, "Stream %s under account %s has %d registered consumers, the most that a stream may have.", st.name, st.account, MaxConsumers)
		}
		if err := checkTags(tags); err != nil {
			return err
		}
		c := &consumer{
			name:          name,
			arn:           fmt.Sprintf("%s/consumer/%s:%d", st.arn(), name, now.Unix()),
			created:       now.Truncate(time.Millisecond),
			active:        now.Add(s.options.TransitionDelay),
			tags:          maps.Clone(tags),
			subscriptions: make(map[uint32]*Subscription),
		}
		st.consumers = append(st.consumers, c)
		d = c.describe(now)
		d.Status = Creating // as AWS says, whatever the delay
		return nil
	})
	return d, err
}

// DeregisterConsumer removes a consumer, found by its name or its ARN, and ends
// its subscriptions.
func (s *Account) DeregisterConsumer(streamName, name, arn string) error {
	return s.withConsumer(streamName, name, arn, func(st *stream, c *consumer, now time.Time) error {
		if !c.gone.IsZero() {
			return errorf(ResourceInUse, "Consumer %s of stream %s under account %s is in state %s.", c.name, st.name, st.account, Deleting)
		}
		c.gone = now.Add(s.options.TransitionDelay)
		st.settle(now)
		st.wake()
		return nil
	})
}

// DescribeConsumer describes a consumer, found by its name or its ARN, and
// returns the ARN of its stream.
func (s *Account) DescribeConsumer(streamName, name, arn string) (d Consumer, streamARN string, err error) {
	err = s.withConsumer(streamName, name, arn, func(st *stream, c *consumer, now time.Time) error {
		d, streamARN = c.describe(now), st.arn()
		return nil
	})
	return d, streamARN, err
}

// Consumers describes up to limit consumers of a stream, sorted by name, and
// returns a token for the rest. Unless created is zero, the stream must have been
// created then.
func (s *Account) Consumers(streamName string, created time.Time, limit int) ([]Consumer, string, error) {
	return s.listConsumers(pageToken{Name: streamName}, created, limit)
}

// ConsumersNext continues after a token of Consumers for the same stream.
func (s *Account) ConsumersNext(streamName, token string, limit int) ([]Consumer, string, error) {
	l, err := s.openPageToken(listConsumersPurpose, token)
	if err != nil {
		return nil, "", err
	}
	if l.Name != streamName {
		return nil, "", errorf(InvalidArgument, "NextToken belongs to stream %s, not to %s.", l.Name, streamName)
	}
	return s.listConsumers(l, time.Time{}, limit)
}

const listConsumersPurpose = "list consumers"

func (s *Account) listConsumers(l pageToken, created time.Time, limit int) (list []Consumer, token string, err error) {
	err = s.withStream(l.Name, func(st *stream, now time.Time) error {
		if err := st.checkIdentity(l.Stream, created); err != nil {
			return err
		}
		for _, c := range st.consumers {
			if c.name > l.After {
				list = append(list, c.describe(now))
			}
		}
		slices.SortFunc(list, func(a, b Consumer) int { return strings.Compare(a.Name, b.Name) })
		if len(list) > limit {
			list = list[:limit]
			l.Stream, l.After, l.Issued = st.number, list[limit-1].Name, now
			token = s.sealPageToken(listConsumersPurpose, l)
		}
		return nil
	})
	return list, token, err
}

func (st *stream) consumer(name string) *consumer {
	for _, c := range st.consumers {
		if c.name == name {
			return c
		}
	}
	return nil
}

// findConsumer finds a consumer by the name, the ARN or both; "" means not given.
// The region of the ARN is not compared.
func (st *stream) findConsumer(name, arn string) (*consumer, error) {
	_, id, _ := strings.Cut(arn, ":stream/")
	for _, c := range st.consumers {
		if (name == "" || c.name == name) && strings.HasSuffix(c.arn, id) {
			return c, nil
		}
	}
	if arn != "" {
		return nil, errorf(ResourceNotFound, "Consumer %s not found.", arn)
	}
	return nil, errorf(ResourceNotFound, "Consumer %s of stream %s under account %s not found.", name, st.name, st.account)
}
