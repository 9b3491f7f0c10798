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

// Status is the status of a stream or consumer, by the names of AWS.
type Status string

// The statuses.
const (
	Creating Status = "CREATING"
	Active   Status = "ACTIVE"
	Updating Status = "UPDATING"
	Deleting Status = "DELETING"

	gone Status = "" // deleted; never shown to callers
)

// Summary describes a stream.
type Summary struct {
	Name           string
	ARN            string
	Status         Status
	OnDemand       bool
	KeyID          string // the encryption key, "" for none
	Consumers      int
	Created        time.Time
	OpenShards     int
	Retention      time.Duration
	MaxRecordBytes int
	Metrics        []string // enabled for shards, sorted
}

type stream struct {
	number  uint64
	name    string
	account string
	region  string
	created time.Time
	used    *atomic.Int64 // bytes of the records of all streams

	mu     sync.Mutex // guards the fields below
	status Status
	change change    // pending: it ends the present status; nil for none
	due    time.Time // when change is due
	settings
	tags          map[string]string
	policy        *policy.Policy // nil for none
	consumers     []*consumer    // in the order of registration
	shardsCreated uint32         // counts all shards ever created
	shards        []*shard       // by number, without those past the retention
	open          []*shard       // the open shards, by hash key
}

// settings are the settings of a stream that can be changed.
type settings struct {
	OnDemand       bool
	MaxRecordBytes int
	Retention      time.Duration
	KeyID          string   // the encryption key, "" for none; nothing is encrypted
	Metrics        []string // enabled for shards; nothing is measured
}

// change ends a transition of a stream. at is when it was due.
type change func(at time.Time)

// begin starts a transition of the stream: it has the status for the delay, then
// the change is made. Without a delay the change is made at once.
func (st *stream) begin(status Status, now time.Time, delay time.Duration, c change) {
	st.status, st.due, st.change = status, now.Add(delay), c
	st.settle(now)
	st.wake()
}

// settle does what is due: it makes a pending change, and drops expired shards and
// consumers.
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

// drop deletes the contents of the stream.
func (st *stream) drop() {
	for _, s := range st.shards {
		s.drop(len(s.records))
		s.wake()
	}
	st.status, st.shards, st.open, st.consumers = gone, nil, nil, nil
}

// wake wakes all that wait for a change of one of the shards.
func (st *stream) wake() {
	for _, s := range st.shards {
		s.wake()
	}
}

// settledStatus settles the stream and returns its status.
func (st *stream) settledStatus(now time.Time) Status {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.settle(now)
	return st.status
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

// horizon returns TRIM_HORIZON: the oldest time whose records are kept.
func (st *stream) horizon(now time.Time) time.Time {
	return later(st.created, now.Add(-st.Retention))
}

// add adds an open shard. The caller must call sortOpen afterwards.
func (st *stream) add(keys HashKeyRange, at time.Time, parents ...*shard) {
	s := newShard(st.shardsCreated, keys, at, parents...)
	s.used = st.used
	st.shardsCreated++
	st.shards = append(st.shards, s)
	st.open = append(st.open, s)
}

func (st *stream) sortOpen() {
	st.open = slices.DeleteFunc(st.open, func(s *shard) bool { return !s.open() })
	slices.SortFunc(st.open, func(a, b *shard) int { return a.keys.First.Compare(b.keys.First) })
}

// shardFor returns the open shard for a hash key. The open shards cover the whole
// space.
func (st *stream) shardFor(key HashKey) *shard {
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

// children returns the shards that took over the hash keys of a closed shard.
func (st *stream) children(s *shard) []Child {
	var list []Child
	for _, c := range st.shards {
		if slices.Contains(c.parents, s.id) {
			list = append(list, Child{ID: c.id, Parents: c.parents, HashKeys: c.keys})
		}
	}
	return list
}

// requireActive returns an error while another change is pending.
func (st *stream) requireActive() error {
	if st.status != Active {
		return st.inUseError()
	}
	return nil
}

func (st *stream) inUseError() error {
	return errorf(ResourceInUse, "Stream %s under account %s not ACTIVE, instead in state %s", st.name, st.account, st.status)
}

// requireShards returns an error if the stream has no shards yet.
func (st *stream) requireShards() error {
	if len(st.open) == 0 {
		return errorf(ResourceNotFound, "Stream %s under account %s has no shards: it is in state %s.", st.name, st.account, st.status)
	}
	return nil
}
