package core

import (
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal/internal/policy"
)

// Status is the state of a stream, as the service names it.
type Status string

// The states of a stream.
const (
	Creating Status = "CREATING"
	Active   Status = "ACTIVE"
	Updating Status = "UPDATING"
	Deleting Status = "DELETING"

	gone Status = "" // deleted; never shown
)

// Summary describes a stream.
type Summary struct {
	Name           string
	ARN            string
	Status         Status
	OnDemand       bool
	KeyID          string // of its encryption, "" for none
	Consumers      int
	Created        time.Time
	OpenShards     int
	Retention      time.Duration
	MaxRecordBytes int
	Metrics        []string // of shards, in their order
}

type stream struct {
	number  uint64
	name    string
	account string
	region  string
	created time.Time
	used    *atomic.Int64 // bytes of the records of all streams

	mu     sync.Mutex // guards what follows
	status Status
	change change    // under way: it ends the present state; nil for none
	due    time.Time // when it is made; meaningless without one
	settings
	tags      map[string]string
	policy    *policy.Policy // nil for none
	consumers []*consumer    // in the order of registration
	made      uint32         // shards created so far
	shards    []*shard       // by number; those past the retention are dropped
	open      []*shard       // those that take records, by hash key
}

// settings are what a change of settings may set.
type settings struct {
	OnDemand       bool
	MaxRecordBytes int
	Retention      time.Duration
	KeyID          string   // of the encryption that the stream claims, "" for none
	Metrics        []string // of shards, that somebody asked for; there are none
}

// change ends a passing state of a stream, at the time that it was due.
type change func(at time.Time)

// begin puts the stream into a passing state, for the delay; then the change
// is made. Without a delay it is made at once.
func (st *stream) begin(status Status, now time.Time, delay time.Duration, c change) {
	st.status, st.due, st.change = status, now.Add(delay), c
	st.settle(now)
	st.wake()
}

// settle does what is due by now.
func (st *stream) settle(now time.Time) {
	if st.change != nil && !st.due.After(now) {
		c := st.change
		st.change, st.status = nil, Active
		c(st.due)
	}
	horizon := now.Add(-st.Retention)
	st.shards = slices.DeleteFunc(st.shards, func(s *shard) bool {
		past := !s.open() && s.closed.Before(horizon)
		if past {
			s.drop(len(s.records))
		}
		return past
	})
	st.consumers = slices.DeleteFunc(st.consumers, func(c *consumer) bool { return !c.gone.IsZero() && !c.gone.After(now) })
}

func (st *stream) drop() {
	for _, s := range st.shards {
		s.drop(len(s.records))
		s.wake()
	}
	st.status, st.shards, st.open, st.consumers = gone, nil, nil, nil
}

// wake makes all who wait for news of the stream look again.
func (st *stream) wake() {
	for _, s := range st.shards {
		s.wake()
	}
}

func (st *stream) isGone(now time.Time) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.settle(now)
	return st.status == gone
}

func (st *stream) arn() string {
	return "arn:aws:kinesis:" + st.region + ":" + st.account + ":stream/" + st.name
}

func (st *stream) summary() Summary {
	return Summary{
		Name:           st.name,
		ARN:            st.arn(),
		Status:         st.status,
		OnDemand:       st.OnDemand,
		Created:        st.created,
		OpenShards:     len(st.open),
		KeyID:          st.KeyID,
		Consumers:      len(st.consumers),
		Retention:      st.Retention,
		MaxRecordBytes: st.MaxRecordBytes,
		Metrics:        st.Metrics,
	}
}

// horizon is TRIM_HORIZON: the oldest moment whose records are kept.
func (st *stream) horizon(now time.Time) time.Time {
	return later(st.created, now.Add(-st.Retention))
}

// add makes an open shard; sortOpen must follow.
func (st *stream) add(keys HashKeyRange, at time.Time, parents ...*shard) {
	s := newShard(st.made, keys, at, parents...)
	s.used = st.used
	st.made++
	st.shards = append(st.shards, s)
	st.open = append(st.open, s)
}

func (st *stream) sortOpen() {
	st.open = slices.DeleteFunc(st.open, func(s *shard) bool { return !s.open() })
	slices.SortFunc(st.open, func(a, b *shard) int { return a.keys.First.Compare(b.keys.First) })
}

// owner is the open shard that takes the hash key. Open shards cover the
// whole space.
func (st *stream) owner(key HashKey) *shard {
	i := sort.Search(len(st.open), func(i int) bool { return st.open[i].keys.Last.Compare(key) >= 0 })
	return st.open[i]
}

func (st *stream) shard(id string) (*shard, error) {
	i, ok := slices.BinarySearchFunc(st.shards, id, func(s *shard, id string) int { return strings.Compare(s.id, id) })
	if !ok {
		return nil, errorf(ResourceNotFound, "Shard %s in stream %s under account %s does not exist", id, st.name, st.account)
	}
	return st.shards[i], nil
}

// children are the shards that a closed shard's keys went to.
func (st *stream) children(s *shard) []Child {
	var list []Child
	for _, c := range st.shards {
		if slices.Contains(c.parents, s.id) {
			list = append(list, Child{ID: c.id, Parents: c.parents, HashKeys: c.keys})
		}
	}
	return list
}

// ready refuses a change while another one is under way.
func (st *stream) ready() error {
	if st.status != Active {
		return st.inUse()
	}
	return nil
}

func (st *stream) inUse() error {
	return errorf(ResourceInUse, "Stream %s under account %s not ACTIVE, instead in state %s", st.name, st.account, st.status)
}

// readable refuses access to the data of a stream that has no shards yet.
func (st *stream) readable() error {
	if len(st.open) == 0 {
		return errorf(ResourceNotFound, "Stream %s under account %s has no shards: it is in state %s.", st.name, st.account, st.status)
	}
	return nil
}
