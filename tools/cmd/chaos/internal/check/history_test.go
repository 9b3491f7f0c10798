package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/fstest"
)

// A history is a run of a model of Kinesis, KCL and three hosts. A test may corrupt it
// before it is written.
type history struct {
	*rand.Rand
	now       int64
	shards    []*shard
	puts      []map[string]any
	acks      []Ack
	files     map[string][]*written // by host/shard
	events    map[string][]Event    // by host
	snapshots []Snapshot            // Files are set by write

	n, seq int64
	keys   map[string]*shard
	begun  int
}

// written is a line of a file.
type written struct {
	Record
	born int // the first snapshot with it
}

type shard struct {
	id         string
	records    []Record // N, Key, Seq
	closed     bool
	parents    []*shard
	checkpoint int // the number of records that it covers; -1: SHARD_END
	owner      *reader
	former     []*reader // that still have a batch
	seen       bool      // in the lease table
}

// reader is a session.
type reader struct {
	host, id string
	batch    int
	position int // the number of records that it has written
	held     int // the number of records that it has received
}

const (
	hosts   = 3
	allKeys = 6
)

// newHistory makes a correct history.
func newHistory(seed uint64) *history {
	h := &history{
		Rand: rand.New(rand.NewPCG(seed, 7)), now: 1_000_000, keys: make(map[string]*shard),
		files: make(map[string][]*written), events: make(map[string][]Event),
	}
	a, b := h.open(nil), h.open(nil)
	for i := range allKeys {
		h.keys[fmt.Sprint("k", i)] = []*shard{a, b}[i%2]
	}
	for range 300 {
		h.now += h.Int64N(30)
		s := h.shards[h.IntN(len(h.shards))]
		switch h.IntN(40) {
		case 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11:
			h.put()
		case 12:
			h.split(s)
		case 13, 14:
			h.handOver(s)
		case 15, 16, 17, 18:
			h.snapshot(false)
		case 19, 20, 21, 22:
			h.late(s)
		default:
			h.step(s)
		}
	}
	for slices.ContainsFunc(h.shards, func(s *shard) bool { return !h.done(s) || len(s.former) > 0 }) {
		for _, s := range h.shards {
			h.now++
			h.late(s)
			h.step(s)
		}
	}
	h.snapshot(false)
	h.snapshot(true)
	return h
}

func (h *history) open(parents ...*shard) *shard {
	parents = slices.DeleteFunc(parents, func(p *shard) bool { return p == nil })
	s := &shard{id: fmt.Sprintf("shardId-%012d", len(h.shards)), parents: parents}
	h.shards = append(h.shards, s)
	return s
}

func (h *history) put() {
	h.n++
	key := fmt.Sprint("k", h.IntN(allKeys))
	h.puts = append(h.puts, map[string]any{"put": h.n, "key": key})
	s := h.keys[key]
	for again := true; again; again = h.IntN(10) == 0 {
		// The numbers get another digit on the way.
		h.seq += 1 + h.Int64N(9)
		s.records = append(s.records, Record{N: h.n, Key: key, Seq: fmt.Sprint(h.seq)})
	}
	if h.IntN(10) > 0 {
		h.acks = append(h.acks, Ack{N: h.n, Shard: s.id, Seq: s.records[len(s.records)-1].Seq, At: h.now})
	}
}

func (h *history) split(s *shard) {
	if s.closed || len(h.shards) > 8 {
		return
	}
	s.closed = true
	a, b := h.open(s), h.open(s)
	for i := range allKeys {
		if key := fmt.Sprint("k", i); h.keys[key] == s {
			h.keys[key] = []*shard{a, b}[h.IntN(2)]
		}
	}
}

// handOver gives the shard to another host, or to a new processor of the same host. A
// former processor on another host may still have a batch.
func (h *history) handOver(s *shard) {
	if slices.ContainsFunc(s.parents, func(p *shard) bool { return p.checkpoint >= 0 }) || s.checkpoint < 0 {
		return
	}
	h.begun++
	next := &reader{host: fmt.Sprint("host", h.IntN(hosts)), id: fmt.Sprint("session-", h.begun), position: s.checkpoint}
	// On the same host, the former processor has returned.
	s.former = slices.DeleteFunc(s.former, func(o *reader) bool { return o.host == next.host })
	if o := s.owner; o != nil && o.held > o.position && o.host != next.host {
		s.former = append(s.former, o)
	}
	s.owner, s.seen = next, true
	h.now++
	h.note(s, next, Event{Event: "initialize", Seq: s.at()})
}

// at returns the checkpoint.
func (s *shard) at() string {
	switch s.checkpoint {
	case -1:
		return ShardEnd
	case 0:
		return "TRIM_HORIZON"
	}
	return s.records[s.checkpoint-1].Seq
}

func (h *history) note(s *shard, r *reader, e Event) {
	e.Session, e.Shard, e.At = r.id, s.id, h.now
	h.events[r.host] = append(h.events[r.host], e)
}

// step does the next step of a shard's session: it gets a batch, or writes the batch and
// checkpoints.
func (h *history) step(s *shard) {
	o := s.owner
	switch {
	case o == nil:
		h.handOver(s)
	case o.held > o.position:
		h.write(s, o)
		if h.IntN(5) == 0 { // DynamoDB fails, or the host dies
			h.handOver(s)
			return
		}
		asked := h.now
		h.now += h.Int64N(3)
		s.checkpoint = o.position
		h.note(s, o, Event{Event: "checkpoint", Seq: s.at(), Asked: asked})
	case o.position < len(s.records):
		o.held = o.position + 1 + h.IntN(len(s.records)-o.position)
	case s.closed && s.checkpoint >= 0:
		s.checkpoint = -1
		h.note(s, o, Event{Event: "ended"})
		h.note(s, o, Event{Event: "checkpoint", Seq: ShardEnd, Asked: h.now})
	}
}

// late lets former owners finish their batch.
func (h *history) late(s *shard) {
	for _, o := range s.former {
		h.write(s, o)
		h.note(s, o, Event{Event: "refused", Seq: s.records[o.position-1].Seq, Asked: h.now})
	}
	s.former = nil
}

func (h *history) write(s *shard, r *reader) {
	h.now++
	r.batch++
	name := r.host + "/data/" + s.id + ".jsonl"
	for _, l := range s.records[r.position:r.held] {
		if slices.ContainsFunc(h.files[name], func(w *written) bool { return w.Seq == l.Seq }) {
			continue
		}
		l.Session, l.Batch, l.At = r.id, r.batch, h.now
		h.files[name] = append(h.files[name], &written{l, len(h.snapshots)})
	}
	r.position = r.held
}

func (h *history) done(s *shard) bool {
	if s.closed {
		return s.checkpoint < 0
	}
	return s.checkpoint == len(s.records)
}

func (h *history) snapshot(rest bool) {
	h.now++
	at := Snapshot{At: h.now, Rest: rest, Leader: "host0"}
	if rest {
		at.Leader = ""
	}
	for _, s := range h.shards {
		if s.seen {
			l := Lease{Shard: s.id, Checkpoint: s.at()}
			if s.owner != nil && !rest {
				l.Owner = s.owner.host
			}
			at.Leases = append(at.Leases, l)
		}
	}
	h.snapshots = append(h.snapshots, at)
}

// check writes the history, reads it and checks it.
func (h *history) check(t testing.TB) Report {
	t.Helper()
	dir := make(fstest.MapFS)
	put := func(name string, text []byte) { dir[name] = &fstest.MapFile{Data: text} }
	put("journal.jsonl", append(lines(t, h.puts), lines(t, h.acks)...))
	for i := range h.snapshots {
		h.snapshots[i].Files = make(map[string]int64)
	}
	for name, all := range h.files {
		var text []byte
		for _, w := range all {
			text = append(text, lines(t, []Record{w.Record})...)
			for i := w.born; i < len(h.snapshots); i++ {
				h.snapshots[i].Files[name] = int64(len(text))
			}
		}
		put(name, append(text, `{"n":`...)) // an incomplete line
	}
	put("leases.jsonl", lines(t, h.snapshots))
	for host, events := range h.events {
		put(host+"/sessions.jsonl", lines(t, events))
	}
	r, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return r.Check()
}

func lines[T any](t testing.TB, all []T) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, v := range all {
		if err := json.NewEncoder(&b).Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}
