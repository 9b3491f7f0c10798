package core

import (
	"context"
	"io"
	"time"
)

// The default lifetime of a subscription, and its limits.
const (
	SubscriptionLifetime = 5 * time.Minute

	// takeover is how long another subscription of the same consumer to the same
	// shard is refused. A later one replaces the first.
	takeover = 5 * time.Second
	// heartbeat is the longest time between two events.
	heartbeat = 5 * time.Second

	maxRecordsPushed = 10_000
	maxBytesPushed   = 1 << 20
)

// Event is one event of a subscription.
type Event struct {
	Records []Record
	// Continuation is where the next subscription starts. It is not set in the
	// last event of a shard.
	Continuation SequenceNumber
	Children     []Child // of the shard, if End is true
	End          bool    // the shard ends with this event
	Behind       time.Duration
	KeyID        string // the encryption key in the stream's settings, "" for none
}

// Subscription delivers the records of a shard to a consumer. Only one goroutine
// at a time may use it.
type Subscription struct {
	service   *Service
	stream    *stream
	consumer  *consumer
	shard     *shard
	next      uint64 // index of the next record
	started   time.Time
	end       time.Time
	lastEvent time.Time // of the last event
	pace      meter
	ended     bool
}

// Subscribe starts a subscription of a consumer to a shard. It ends an earlier
// subscription of the same consumer to the same shard, but fails if that one is
// younger than 5 s.
func (s *Account) Subscribe(streamName, consumerARN, shardID string, p Position) (*Subscription, error) {
	var sub *Subscription
	err := s.withConsumer(streamName, "", consumerARN, func(st *stream, c *consumer, now time.Time) error {
		if status := c.describe(now).Status; status != Active {
			return errorf(ResourceInUse, "Consumer %s is not ACTIVE, instead in state %s.", c.arn, status)
		}
		if err := st.requireShards(); err != nil {
			return err
		}
		sh, err := st.shard(shardID)
		if err != nil {
			return err
		}
		next, err := st.locate(sh, p, "SubscribeToShard", now)
		if err != nil {
			return err
		}
		safe := min(takeover, s.options.SubscriptionLifetime)
		if old := c.subscriptions[sh.number]; old != nil && now.Sub(old.started) < safe {
			return errorf(ResourceInUse, "Another active subscription exists for shard %s of consumer %s: it started less than %s ago.", shardID, c.arn, safe)
		}
		sub = &Subscription{
			service: s.Service, stream: st, consumer: c, shard: sh, next: next,
			started: now, end: now.Add(s.options.SubscriptionLifetime), lastEvent: now,
		}
		c.subscriptions[sh.number] = sub
		sh.wake() // ends the earlier subscription
		return nil
	})
	if err != nil {
		return nil, err
	}
	return sub, nil
}

// Next waits for the next event. It returns io.EOF when the lifetime of the
// subscription is over or its shard has ended; the cause of ctx when ctx is done;
// or an *Error: ResourceInUse when another subscription has replaced this one,
// ResourceNotFound when the consumer or stream is gone.
func (sub *Subscription) Next(ctx context.Context) (Event, error) {
	for {
		event, changed, wait, err := sub.poll()
		if err != nil || changed == nil {
			return event, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return Event{}, context.Cause(ctx)
		}
		timer.Stop()
	}
}

// poll returns an event, or a channel and a time to wait for: the caller polls
// again when the channel is closed, at the next change of the shard, or when the
// time is over.
func (sub *Subscription) poll() (event Event, changed <-chan struct{}, wait time.Duration, err error) {
	st, sh := sub.stream, sub.shard
	st.mu.Lock()
	defer st.mu.Unlock()
	now := time.Now()
	st.settle(now)
	switch {
	case st.status == gone || st.consumer(sub.consumer.name) != sub.consumer:
		err = errorf(ResourceNotFound, "Consumer %s not found.", sub.consumer.arn)
	case sub.consumer.subscriptions[sh.number] != sub:
		err = errorf(ResourceInUse, "Another subscription to shard %s of consumer %s has replaced this one.", sh.id, sub.consumer.arn)
	case sub.ended || !now.Before(sub.end):
		err = io.EOF
	}
	if err != nil {
		return event, nil, 0, err
	}
	due := earlier(sub.end, sub.lastEvent.Add(heartbeat))
	if st.change != nil {
		due = earlier(due, st.due)
	}
	if end := sub.consumer.gone; !end.IsZero() {
		due = earlier(due, end)
	}
	if !sub.service.options.ThroughputLimits || sub.pace.hasRoom(now, readBytesPerSecond) {
		first := sh.trim(now.Add(-st.Retention))
		event.Records, sub.next = sh.read(max(sub.next, first), maxRecordsPushed, maxBytesPushed)
		sub.pace.add(size(event.Records), now, readBytesPerSecond)
	} else {
		due = earlier(due, now.Add(paceStep))
	}
	sub.ended = !sh.open() && sub.next >= sh.next()
	beat := !now.Before(sub.lastEvent.Add(heartbeat))
	if len(event.Records) == 0 && !sub.ended && !beat {
		return event, sh.nextChange(), due.Sub(now), nil
	}
	sub.lastEvent = now
	event.KeyID = st.KeyID
	event.Behind = sh.behind(sub.next, event.Records, now)
	if event.End = sub.ended; event.End {
		event.Children = st.children(sh)
	} else {
		event.Continuation = sh.sequenceBefore(sub.next, now)
	}
	return event, nil, 0, nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
