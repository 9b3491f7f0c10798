// Package core implements the Kinesis service in memory: streams, shards, records,
// sequence numbers and iterators. It does not depend on HTTP or on the encoding
// of requests.
//
// It has no goroutines and no timers. What is due, such as a stream that becomes
// ACTIVE or records past their retention, is done at the next call.
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

// Defaults of a stream and limits of a call.
const (
	IteratorLifetime   = 5 * time.Minute
	OnDemandShards     = 4
	MaxShards          = 10_000
	MaxRecordsRead     = 10_000
	maxBytesRead       = 10 << 20
	DefaultRecordBytes = 1 << 20
)

// Options configures a Service.
type Options struct {
	// TransitionDelay is how long a stream stays CREATING, UPDATING or
	// DELETING. Defaults to 0: no caller ever sees these.
	TransitionDelay time.Duration
	// SubscriptionLifetime is how long a subscription lasts. Defaults to the
	// constant SubscriptionLifetime.
	SubscriptionLifetime time.Duration
	// ThroughputLimits limits the throughput of each shard as AWS does. Defaults
	// to false.
	ThroughputLimits bool
	// MaxMemory is the most memory that all records may take, in bytes. Defaults
	// to 0: no limit.
	MaxMemory int64
	// Logger gets a line when records are dropped because of MaxMemory. Defaults
	// to nil: nothing is logged.
	Logger *slog.Logger
}

// Service has the streams of all accounts. Account gives access to them.
type Service struct {
	options Options
	tokens  sealer

	mu             sync.RWMutex
	streams        map[streamKey]*stream
	streamsCreated uint64 // counts all streams ever created

	used     atomic.Int64 // bytes of all records
	trimming sync.Mutex   // held while records are dropped because of MaxMemory
}

// New returns a Service without streams; nil means the default options.
func New(opts *Options) *Service {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.SubscriptionLifetime == 0 {
		o.SubscriptionLifetime = SubscriptionLifetime
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{options: o, tokens: newSealer(), streams: make(map[streamKey]*stream)}
}

// NewStream is the argument of CreateStream. Package wire has checked the ranges.
type NewStream struct {
	Name           string
	ShardCount     int // 0 with OnDemand
	OnDemand       bool
	MaxRecordBytes int // 0 means DefaultRecordBytes
	Region         string
	Tags           map[string]string
}

// CreateStream creates a stream.
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
	if old, ok := s.streams[s.key(in.Name)]; ok && old.settledStatus(now) != gone {
		return errorf(ResourceInUse, "Stream %s under account %s already exists.", in.Name, s.owner)
	}
	s.streamsCreated++
	st := &stream{
		number:   s.streamsCreated,
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
	st.begin(Creating, now, s.options.TransitionDelay, func(time.Time) {
		for _, keys := range uniformRanges(count) {
			st.add(keys, st.created)
		}
		st.sortOpen()
	})
	s.streams[s.key(in.Name)] = st
	return nil
}

// DeleteStream deletes a stream. A stream with consumers is deleted only if
// deleteConsumers is true.
func (s *Account) DeleteStream(name string, deleteConsumers bool) error {
	return s.withStream(name, func(st *stream, now time.Time) error {
		if len(st.consumers) > 0 && !deleteConsumers {
			return errorf(ResourceInUse, "Stream %s under account %s has %d registered consumers: deregister them first, or set EnforceConsumerDeletion.", name, s.owner, len(st.consumers))
		}
		if st.status == Deleting {
			return st.inUseError()
		}
		st.begin(Deleting, now, s.options.TransitionDelay, func(time.Time) { st.drop() })
		return nil
	})
}

// StreamNames returns the sorted names of the account's streams that come after
// the name after.
func (s *Account) StreamNames(after string) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	now := time.Now()
	var names []string
	for key, st := range s.streams {
		if key.account == s.owner && key.name > after && st.settledStatus(now) != gone {
			names = append(names, key.name)
		}
	}
	slices.Sort(names)
	return names
}

// Describe returns the summary of a stream.
func (s *Account) Describe(name string) (Summary, error) {
	var sum Summary
	err := s.withStream(name, func(st *stream, _ time.Time) error {
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
		if err != nil { // deleted meanwhile
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
