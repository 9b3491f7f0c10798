package core

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// The entries that a service's journal has. Each says where it belongs, so that
// one that comes twice, as after a checkpoint that was interrupted, changes
// nothing. The first byte is the kind.
const (
	// A service: savedService in JSON.
	serviceEntry = 'v'
	// A stream as it is from here on, less its records: savedStream in JSON. The
	// records below the first one of a shard, and those of shards that are not
	// named any more, are gone.
	streamEntry = 's'
	// A stream that is gone: its number as a uvarint.
	goneEntry = 'g'
	// Records of one stream: its number as a uvarint, then one appendRecord
	// after the other.
	recordsEntry = 'r'
)

type savedService struct {
	Key  []byte // of the tokens: those of before a restart stay good
	Made uint64 // streams created so far
}

type savedStream struct {
	Number    uint64
	Name      string
	Region    string
	Created   time.Time
	Status    Status
	Change    *change   `json:",omitempty"`
	Due       time.Time `json:",omitzero"`
	Settings  settings
	Tags      map[string]string `json:",omitempty"`
	Consumers []savedConsumer   `json:",omitempty"`
	Made      uint32
	Shards    []savedShard
}

type savedConsumer struct {
	Name    string
	ARN     string
	Created time.Time
	Active  time.Time
	Gone    time.Time         `json:",omitzero"`
	Tags    map[string]string `json:",omitempty"`
}

type savedShard struct {
	Number  uint32
	Parents []string `json:",omitempty"`
	Keys    HashKeyRange
	Epoch   int64
	Created time.Time
	Closed  time.Time `json:",omitzero"`
	First   uint64    // index of its first record, or of the next one when it has none
}

// appendState appends the stream less its records.
func (st *stream) appendState(b []byte) []byte {
	saved := savedStream{
		Number: st.number, Name: st.name, Region: st.region, Created: st.created,
		Status: st.status, Change: st.change, Due: st.due, Settings: st.settings, Tags: st.tags, Made: st.made,
	}
	for _, c := range st.consumers {
		saved.Consumers = append(saved.Consumers, savedConsumer{c.name, c.arn, c.created, c.active, c.gone, c.tags})
	}
	for _, s := range st.shards {
		saved.Shards = append(saved.Shards, savedShard{s.number, s.parents, s.keys, s.epoch, s.created, s.closed, s.base})
	}
	return appendJSON(append(b, streamEntry), saved)
}

func appendJSON(b []byte, v any) []byte {
	content, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings, numbers and times of this century always marshal
	}
	return append(b, content...)
}

// restore gives the stream the saved state. Records of shards that it keeps
// stay.
func (st *stream) restore(saved savedStream) {
	st.status, st.change, st.due, st.settings = saved.Status, saved.Change, saved.Due, saved.Settings
	st.tags, st.made = saved.Tags, saved.Made
	st.consumers = nil
	for _, c := range saved.Consumers {
		st.consumers = append(st.consumers, &consumer{c.Name, c.ARN, c.Created, c.Active, c.Gone, c.Tags, make(map[uint32]*Subscription)})
	}
	old := make(map[uint32]*shard)
	for _, s := range st.shards {
		old[s.number] = s
	}
	st.shards, st.open = nil, nil
	for _, saved := range saved.Shards {
		s := old[saved.Number]
		delete(old, saved.Number)
		if s == nil {
			s = &shard{number: saved.Number, id: shardID(saved.Number), base: saved.First, used: st.used}
		}
		s.parents, s.keys, s.epoch, s.created, s.closed = saved.Parents, saved.Keys, saved.Epoch, saved.Created, saved.Closed
		if s.next() <= saved.First {
			s.drop(len(s.records))
			s.base = saved.First
		} else if s.base < saved.First {
			s.drop(int(saved.First - s.base))
		}
		st.shards = append(st.shards, s)
		if s.open() {
			st.open = append(st.open, s)
		}
	}
	for _, s := range old {
		s.drop(len(s.records))
	}
	st.sortOpen()
}

// appendRecord appends a record: shard number, index, arrival in milliseconds
// since 1970, partition key and data, the numbers and lengths as uvarints.
func appendRecord(b []byte, r *Record) []byte {
	b = binary.AppendUvarint(b, uint64(r.Sequence.shard()))
	b = binary.AppendUvarint(b, r.Sequence.index())
	b = binary.AppendUvarint(b, uint64(r.Arrival.UnixMilli()))
	b = binary.AppendUvarint(b, uint64(len(r.PartitionKey)))
	b = append(b, r.PartitionKey...)
	b = binary.AppendUvarint(b, uint64(len(r.Data)))
	return append(b, r.Data...)
}

// restoreRecords takes records as appendRecord wrote them, one after the other,
// and returns when the latest arrived.
func (st *stream) restoreRecords(b []byte) (latest time.Time, err error) {
	d := decoder{rest: b}
	for len(d.rest) > 0 {
		number, index, arrival := d.uvarint(), d.uvarint(), time.UnixMilli(int64(d.uvarint()))
		key, data := d.bytes(), d.bytes()
		if d.bad {
			return latest, errors.New("it is no list of records")
		}
		if number > 1<<32-1 {
			return latest, fmt.Errorf("it has a shard %d", number)
		}
		s, err := st.shard(shardID(uint32(number)))
		if err != nil {
			return latest, err
		}
		latest = later(latest, arrival)
		switch {
		case index < s.next(): // has come already, or is trimmed
			continue
		case index > s.next():
			return latest, fmt.Errorf("it has record %d of %s in stream %s where %d was to come: a file is missing", index, s.id, st.name, s.next())
		}
		s.put(string(key), append([]byte{}, data...), arrival)
	}
	return latest, nil
}

// decoder takes an entry apart. After it has found it bad it returns zeros.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.rest, d.bad = nil, true
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) bytes() []byte {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.rest, d.bad = nil, true
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}
