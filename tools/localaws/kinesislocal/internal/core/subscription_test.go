package core

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func register(t *testing.T, s *Account, name string) string {
	t.Helper()
	return must[Consumer](t)(s.RegisterConsumer("s", name, nil)).ARN
}

func subscribe(t *testing.T, s *Account, arn, shard string, p Position) *Subscription {
	t.Helper()
	return must[*Subscription](t)(s.Subscribe("s", arn, shard, p))
}

func next(t *testing.T, sub *Subscription) Event {
	t.Helper()
	return must[Event](t)(sub.Next(context.Background()))
}

// Subscriptions follow the shards, children after their parents, while records
// are put and the stream is resharded at random.
//
// Guarantee: Subscriptions deliver every record exactly once and in order,
// children after their parents, even while the stream is resharded.
func TestSubscriptionsDeliverEveryRecordOnce(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 2))
				s := New(&Options{TransitionDelay: time.Duration(seed%2) * time.Second, SubscriptionLifetime: time.Minute}).AccountOf(account, "Test")
				create(t, s, "s", 1+r.IntN(4))
				time.Sleep(time.Second)
				arn := register(t, s, "c")
				time.Sleep(time.Second)
				ctx, stop := context.WithCancel(context.Background())
				f := &follower{
					t: t, ctx: ctx, s: s, arn: arn,
					mu: make(chan struct{}, 1), read: make(map[string][]string), parents: make(map[string]int),
				}
				roots, _, err := s.ListShards("s", time.Time{}, Filter{Type: AtLatest}, "", 1000)
				if err != nil {
					t.Fatal(err)
				}
				for _, root := range roots {
					go f.follow(root.ID)
				}
				wrote := map[string][]string{}
				for i := range 400 {
					switch r.IntN(20) {
					case 0:
						reshardAtRandom(t, s, r)
					case 1:
						time.Sleep(time.Duration(r.IntN(20_000)) * time.Millisecond)
					default:
						key, data := fmt.Sprint("key", r.IntN(20)), fmt.Sprint(i)
						put(t, s, "s", key, data)
						wrote[key] = append(wrote[key], data)
					}
				}
				time.Sleep(time.Minute)
				stop()
				synctest.Wait()
				for key, want := range wrote {
					if !slices.Equal(f.read[key], want) {
						t.Errorf("%s: read %v, want %v", key, f.read[key], want)
					}
				}
				if len(f.read) != len(wrote) {
					t.Errorf("%d keys read, %d written", len(f.read), len(wrote))
				}
			})
		})
	}
}

// follower reads a stream as a fan-out consumer does.
type follower struct {
	t   *testing.T
	ctx context.Context
	s   *Account
	arn string

	mu      chan struct{} // a channel, because synctest does not see a goroutine wait for a Mutex
	read    map[string][]string
	parents map[string]int // how many of a shard's parents have ended
}

func (f *follower) lock() func() {
	f.mu <- struct{}{}
	return func() { <-f.mu }
}

func (f *follower) follow(shard string) {
	p := Position{Type: TrimHorizon}
	for {
		sub, err := f.s.Subscribe("s", f.arn, shard, p)
		if err != nil {
			f.t.Errorf("subscribe to %s: %v", shard, err)
			return
		}
		for {
			event, err := sub.Next(f.ctx)
			if errors.Is(err, io.EOF) {
				break // its minute is over: subscribe again
			}
			if err != nil {
				if f.ctx.Err() == nil {
					f.t.Errorf("%s: %v", shard, err)
				}
				return
			}
			f.take(event)
			if event.End {
				if _, err := sub.Next(f.ctx); !errors.Is(err, io.EOF) {
					f.t.Errorf("after the end of %s: error %v, want EOF", shard, err)
				}
				return
			}
			p = Position{Type: AfterSequenceNumber, Sequence: event.Continuation.String()}
		}
	}
}

func (f *follower) take(event Event) {
	defer f.lock()()
	for _, r := range event.Records {
		f.read[r.PartitionKey] = append(f.read[r.PartitionKey], string(r.Data))
	}
	for _, child := range event.Children {
		if f.parents[child.ID]++; f.parents[child.ID] == len(child.Parents) {
			go f.follow(child.ID)
		}
	}
}

// Guarantee: A subscription delivers a record as soon as it is put.
func TestSubscriptionWaitsAndBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(0)
		create(t, s, "s", 1)
		sub := subscribe(t, s, register(t, s, "c"), shardID(0), Position{Type: Latest})
		begin := time.Now()
		event := next(t, sub)
		if took := time.Since(begin); took != heartbeat || len(event.Records) != 0 || event.End || event.Behind != 0 {
			t.Errorf("after %s event %+v", took, event)
		}
		go func() {
			time.Sleep(time.Second)
			put(t, s, "s", "k", "x")
		}()
		begin = time.Now()
		event = next(t, sub)
		if took := time.Since(begin); took != time.Second || len(event.Records) != 1 || event.Continuation != event.Records[0].Sequence {
			t.Errorf("after %s event %+v", took, event)
		}
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(errors.New("enough"))
		if _, err := sub.Next(ctx); err == nil || err.Error() != "enough" {
			t.Errorf("error %v, want enough", err)
		}
		for begin := time.Now(); ; {
			if _, err := sub.Next(context.Background()); err != nil {
				if took := time.Since(begin); !errors.Is(err, io.EOF) || took != SubscriptionLifetime-heartbeat-time.Second {
					t.Errorf("after %s error %v, want EOF after %s", took, err, SubscriptionLifetime-heartbeat-time.Second)
				}
				break
			}
		}
		// The continuation of an event without records is a valid position.
		again := subscribe(t, s, sub.consumer.arn, shardID(0), Position{Type: AfterSequenceNumber, Sequence: event.Continuation.String()})
		put(t, s, "s", "k", "y")
		if event := next(t, again); len(event.Records) != 1 || string(event.Records[0].Data) != "y" {
			t.Errorf("event %+v", event)
		}
	})
}

// Guarantee: A subscription ends as soon as its shard ends, and names the
// children.
func TestSubscriptionEndsWithItsShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(time.Second)
		create(t, s, "s", 1)
		time.Sleep(time.Second)
		arn := register(t, s, "c")
		time.Sleep(time.Second)
		sub := subscribe(t, s, arn, shardID(0), Position{Type: TrimHorizon})
		go func() {
			if err := s.SplitShard("s", shardID(0), HashKey{1 << 63, 0}); err != nil {
				t.Error(err)
			}
		}()
		begin := time.Now()
		event := next(t, sub)
		if took := time.Since(begin); took != time.Second || !event.End || len(event.Children) != 2 {
			t.Errorf("after %s event %+v", took, event)
		}
		time.Sleep(takeover)
		// A later subscription gets the end at once.
		begin = time.Now()
		if event := next(t, subscribe(t, s, arn, shardID(0), Position{Type: Latest})); !event.End || len(event.Children) != 2 || time.Since(begin) != 0 {
			t.Errorf("event %+v", event)
		}
	})
}

func TestSubscriptionIsTakenOverAfterFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(0)
		create(t, s, "s", 2)
		arn := register(t, s, "c")
		first := subscribe(t, s, arn, shardID(0), Position{Type: Latest})
		_, err := s.Subscribe("s", arn, shardID(0), Position{Type: Latest})
		wantCode(t, err, ResourceInUse)
		subscribe(t, s, arn, shardID(1), Position{Type: Latest})
		subscribe(t, s, register(t, s, "other"), shardID(0), Position{Type: Latest})
		time.Sleep(takeover - time.Millisecond)
		_, err = s.Subscribe("s", arn, shardID(0), Position{Type: Latest})
		wantCode(t, err, ResourceInUse)
		time.Sleep(time.Millisecond)
		next(t, first) // the heartbeat
		go func() {
			time.Sleep(time.Millisecond)
			subscribe(t, s, arn, shardID(0), Position{Type: Latest})
		}()
		begin := time.Now()
		_, err = first.Next(context.Background())
		wantCode(t, err, ResourceInUse)
		if took := time.Since(begin); took != time.Millisecond {
			t.Errorf("the first subscription ended after %s, want 1ms", took)
		}
	})
}

// Guarantee: A subscription ends as soon as its consumer or its stream is gone.
func TestSubscriptionEndsWithItsConsumerAndStream(t *testing.T) {
	for name, end := range map[string]func(*Account, string) error{
		"consumer": func(s *Account, arn string) error { return s.DeregisterConsumer("s", "", arn) },
		"stream":   func(s *Account, _ string) error { return s.DeleteStream("s", true) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newService(time.Second)
				create(t, s, "s", 1)
				time.Sleep(time.Second)
				arn := register(t, s, "c")
				time.Sleep(time.Second)
				sub := subscribe(t, s, arn, shardID(0), Position{Type: Latest})
				begin := time.Now()
				go func() {
					if err := end(s, arn); err != nil {
						t.Error(err)
					}
				}()
				_, err := sub.Next(context.Background())
				wantCode(t, err, ResourceNotFound)
				if took := time.Since(begin); took != time.Second {
					t.Errorf("it took %s, want the transition's second", took)
				}
			})
		})
	}
}

func TestConsumerStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(time.Second)
		create(t, s, "s", 1)
		_, err := s.RegisterConsumer("s", "c", nil)
		wantCode(t, err, ResourceInUse) // the stream is CREATING
		time.Sleep(time.Second)
		made := must[Consumer](t)(s.RegisterConsumer("s", "c", map[string]string{"a": "b"}))
		if made.Status != Creating {
			t.Errorf("consumer %+v", made)
		}
		_, err = s.RegisterConsumer("s", "c", nil)
		wantCode(t, err, ResourceInUse)
		_, err = s.Subscribe("s", made.ARN, shardID(0), Position{Type: Latest})
		wantCode(t, err, ResourceInUse)
		time.Sleep(time.Second)
		status := func() Status {
			c, arn, err := s.DescribeConsumer("s", "c", "")
			if err != nil {
				return gone
			}
			if arn != must[Summary](t)(s.Describe("s")).ARN || c.ARN != made.ARN {
				t.Errorf("consumer %+v of %s", c, arn)
			}
			return c.Status
		}
		if got := status(); got != Active {
			t.Errorf("status %q", got)
		}
		wantCode(t, s.DeleteStream("s", false), ResourceInUse)
		if err := s.DeregisterConsumer("s", "c", ""); err != nil {
			t.Fatal(err)
		}
		if got := status(); got != Deleting {
			t.Errorf("status %q", got)
		}
		wantCode(t, s.DeregisterConsumer("s", "c", ""), ResourceInUse)
		time.Sleep(time.Second)
		if got := status(); got != gone {
			t.Errorf("status %q", got)
		}
		wantCode(t, s.DeregisterConsumer("s", "", made.ARN), ResourceNotFound)
		for i := range MaxConsumers {
			register(t, s, fmt.Sprint(i))
		}
		_, err = s.RegisterConsumer("s", "one more", nil)
		wantCode(t, err, LimitExceeded)
		// A new consumer of the same name is another consumer.
		_, _, err = s.DescribeConsumer("s", "", made.ARN)
		wantCode(t, err, ResourceNotFound)
	})
}

func TestConsumersInPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(0)
		create(t, s, "s", 1)
		create(t, s, "other", 1)
		for _, name := range []string{"b", "d", "a", "c", "e"} {
			register(t, s, name)
		}
		var names []string
		list, token, err := s.Consumers("s", time.Time{}, 2)
		for pages := 1; ; pages++ {
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range list {
				names = append(names, c.Name)
			}
			if token == "" {
				if pages != 3 {
					t.Errorf("%d pages, want 3", pages)
				}
				break
			}
			_, _, err := s.ConsumersNext("other", token, 2)
			wantCode(t, err, InvalidArgument)
			_, _, err = s.ListShardsNext(token, 2)
			wantCode(t, err, InvalidArgument)
			list, token, err = s.ConsumersNext("s", token, 2)
			if err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(names, []string{"a", "b", "c", "d", "e"}) {
			t.Errorf("names %v, want a to e", names)
		}
		_, token, _ = s.Consumers("s", time.Time{}, 2)
		time.Sleep(IteratorLifetime + time.Millisecond)
		_, _, err = s.ConsumersNext("s", token, 2)
		wantCode(t, err, ExpiredNextToken)
		_, _, err = s.Consumers("s", time.Now().Add(time.Hour), 2)
		wantCode(t, err, ResourceNotFound)
	})
}
