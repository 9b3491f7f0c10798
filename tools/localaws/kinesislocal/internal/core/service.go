// Package core is a Kinesis data stream service in memory: streams, shards,
// records, sequence numbers and iterators. It knows nothing of HTTP or of how
// requests are written.
//
// It has no goroutine and no timer: what is due (a stream that becomes ACTIVE,
// records past their retention) happens when somebody next looks.
package core

import (
	"cmp"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// What a stream has unless it is told otherwise, and the limits of a call.
const (
	IteratorLife       = 5 * time.Minute
	OnDemandShards     = 4
	MaxShards          = 10_000
	MaxRecordsRead     = 10_000
	maxBytesRead       = 10 << 20
	DefaultRecordBytes = 1 << 20
)

// Config says how a Service behaves.
type Config struct {
	// TransitionDelay is how long a stream stays CREATING, UPDATING or
	// DELETING; 0 means that no caller ever sees these.
	TransitionDelay time.Duration
	// SubscriptionLife is how long a subscription lasts; 0 means
	// SubscriptionLife.
	SubscriptionLife time.Duration
	// RealLimits makes shards refuse what is beyond their throughput.
	RealLimits bool
	// MaxBytes bounds the memory of all records; 0 means that nothing does.
	MaxBytes int64
	// Log is told when records are dropped to stay within MaxBytes.
	Log *slog.Logger
}

// Service holds the streams of all accounts; an Account gives access to them.
type Service struct {
	config Config
	tokens sealer

	mu      sync.RWMutex
	streams map[streamKey]*stream
	made    uint64 // streams created so far

	used   atomic.Int64 // bytes of all records
	budget sync.Mutex   // held while records are dropped to stay within MaxBytes
}

// New returns a Service without streams.
func New(config Config) *Service {
	if config.SubscriptionLife == 0 {
		config.SubscriptionLife = SubscriptionLife
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{config: config, tokens: newSealer(), streams: make(map[streamKey]*stream)}
}

// NewStream is what CreateStream takes. The wire has checked the ranges.
type NewStream struct {
	Name           string
	ShardCount     int // 0 with OnDemand
	OnDemand       bool
	MaxRecordBytes int // 0: DefaultRecordBytes
	Region         string
	Tags           map[string]string
}

// CreateStream makes a stream.
func (s *Account) CreateStream(in NewStream) error {
	count := in.ShardCount
	if in.OnDemand {
		count = OnDemandShards
	}
	if count > MaxShards {
		return errorf(LimitExceeded, "a stream has at most %d shards, %d were asked for", MaxShards, count)
	}
	if err := checkTags(in.Tags); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if old, ok := s.streams[s.key(in.Name)]; ok && !old.isGone(now) {
		return errorf(ResourceInUse, "Stream %s under account %s already exists.", in.Name, s.owner)
	}
	s.made++
	st := &stream{
		number:   s.made,
		name:     in.Name,
		account:  s.owner,
		region:   in.Region,
		created:  now.Truncate(time.Millisecond),
		settings: settings{OnDemand: in.OnDemand, MaxRecordBytes: in.MaxRecordBytes, Retention: MinRetention},
		tags:     maps.Clone(in.Tags),
		used:     &s.used,
	}
	if st.MaxRecordBytes == 0 {
		st.MaxRecordBytes = DefaultRecordBytes
	}
	st.begin(Creating, now, s.config.TransitionDelay, func(time.Time) {
		for _, keys := range uniformRanges(count) {
			st.add(keys, st.created)
		}
		st.sortOpen()
	})
	s.streams[s.key(in.Name)] = st
	return nil
}

// DeleteStream deletes a stream with all it holds. One that has consumers is
// deleted only when these go too.
func (s *Account) DeleteStream(name string, consumersToo bool) error {
	return s.with(name, func(st *stream, now time.Time) error {
		if len(st.consumers) > 0 && !consumersToo {
			return errorf(ResourceInUse, "Stream %s under account %s has %d registered consumers: deregister them first, or set EnforceConsumerDeletion.", name, s.owner, len(st.consumers))
		}
		if st.status == Deleting {
			return st.inUse()
		}
		st.begin(Deleting, now, s.config.TransitionDelay, func(time.Time) { st.drop() })
		return nil
	})
}

// StreamNames returns the names of the account's streams above after, in order.
func (s *Account) StreamNames(after string) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	now := time.Now()
	var names []string
	for key, st := range s.streams {
		if key.account == s.owner && key.name > after && !st.isGone(now) {
			names = append(names, key.name)
		}
	}
	slices.Sort(names)
	return names
}

// Describe returns the summary of a stream.
func (s *Account) Describe(name string) (Summary, error) {
	var sum Summary
	err := s.with(name, func(st *stream, _ time.Time) error {
		sum = st.summary()
		return nil
	})
	return sum, err
}

// Limits returns how many shards of the account are open, and how many of its
// streams are on demand.
func (s *Account) Limits() (openShards, onDemand int) {
	for _, name := range s.StreamNames("") {
		sum, err := s.Describe(name)
		if err != nil { // it is gone
			continue
		}
		openShards += sum.OpenShards
		if sum.OnDemand {
			onDemand++
		}
	}
	return openShards, onDemand
}

// all returns the streams in the order of their creation.
func (s *Service) all() []*stream {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.SortedFunc(maps.Values(s.streams), func(a, b *stream) int { return cmp.Compare(a.number, b.number) })
}
