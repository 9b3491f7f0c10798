package core

import (
	"context"
	"io"
	"time"
)

// What a subscription has unless Config says otherwise, and its pace.
const (
	SubscriptionLife = 5 * time.Minute

	// takeover is how long a subscription is safe from another one of the same
	// consumer to the same shard.
	takeover = 5 * time.Second
	// heartbeat is the longest pause between two events.
	heartbeat = 5 * time.Second

	maxRecordsPushed = 10_000
	maxBytesPushed   = 1 << 20
)

// Event is what a subscription brings.
type Event struct {
	Records []Record
	// Continuation is where to subscribe again; without meaning in the last
	// event of a shard.
	Continuation SequenceNumber
	Children     []Child // of a shard that ends with this event
	End          bool    // of the shard
	Behind       time.Duration
	KeyID        string // that the stream says it encrypts with, "" for none
}

// Subscription brings a consumer the records of a shard. One goroutine at a
// time may use it.
type Subscription struct {
	service  *Service
	stream   *stream
	consumer *consumer
	shard    *shard
	next     uint64 // index of the next record
	started  time.Time
	end      time.Time
	told     time.Time // of the last event
	pace     meter
	ended    bool
}

// Subscribe starts a subscription of a consumer to a shard. It ends the one
// that they had, unless that is younger than 5 s: then it fails.
func (s *Account) Subscribe(streamName, consumerARN, shardID string, p Position) (*Subscription, error) {
	var sub *Subscription
	err := s.withConsumer(streamName, "", consumerARN, func(st *stream, c *consumer, now time.Time) error {
		if status := c.describe(now).Status; status != Active {
			return errorf(ResourceInUse, "Consumer %s is not ACTIVE, instead in state %s.", c.arn, status)
		}
		if err := st.readable(); err != nil {
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
		safe := min(takeover, s.config.SubscriptionLife)
		if old := c.subscriptions[sh.number]; old != nil && now.Sub(old.started) < safe {
			return errorf(ResourceInUse, "Another active subscription exists for shard %s of consumer %s: it started less than %s ago.", shardID, c.arn, safe)
		}
		sub = &Subscription{
			service: s.Service, stream: st, consumer: c, shard: sh, next: next,
			started: now, end: now.Add(s.config.SubscriptionLife), told: now,
		}
		c.subscriptions[sh.number] = sub
		sh.wake() // the one that this one ends
		return nil
	})
	if err != nil {
		return nil, err
	}
	return sub, nil
}

// Next waits for the next event. It returns io.EOF when the subscription's
// time is over or its shard has ended, the cause of ctx's end, or an *Error:
// ResourceInUse when another subscription took its place, ResourceNotFound when
// consumer or stream are gone.
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

// poll returns an event, or what to wait for: the channel is closed when the
// shard changes, and then or after the time it is worth to poll again.
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
		err = errorf(ResourceInUse, "Another subscription to shard %s of consumer %s has taken the place of this one.", sh.id, sub.consumer.arn)
	case sub.ended || !now.Before(sub.end):
		err = io.EOF
	}
	if err != nil {
		return event, nil, 0, err
	}
	due := earlier(sub.end, sub.told.Add(heartbeat))
	if st.change != nil {
		due = earlier(due, st.due)
	}
	if end := sub.consumer.gone; !end.IsZero() {
		due = earlier(due, end)
	}
	free := !sub.service.config.RealLimits || sub.pace.free(now, readBytesPerSecond)
	if free {
		first := sh.trim(now.Add(-st.Retention))
		event.Records, sub.next = sh.read(max(sub.next, first), maxRecordsPushed, maxBytesPushed)
		sub.pace.add(size(event.Records), now, readBytesPerSecond)
	} else {
		due = earlier(due, now.Add(paceStep))
	}
	sub.ended = !sh.open() && sub.next >= sh.next()
	beat := !now.Before(sub.told.Add(heartbeat))
	if len(event.Records) == 0 && !sub.ended && !beat {
		return event, sh.change(), due.Sub(now), nil
	}
	sub.told = now
	event.KeyID = st.KeyID
	event.Behind = sh.behind(sub.next, event.Records, now)
	if event.End = sub.ended; event.End {
		event.Children = st.children(sh)
	} else {
		event.Continuation = sh.before(sub.next, now)
	}
	return event, nil, 0, nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
