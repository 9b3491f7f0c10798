// Package check knows the files that a run of chaos leaves, and looks through them: are
// all records there, once and in order, and was no checkpoint early? It imports nothing of
// the project. Who writes the files does so with its types, and shares nothing else.
//
//	DIR/journal.jsonl          Put and Ack, by the producer
//	DIR/leases.jsonl           Snapshot, by chaos
//	DIR/HOST/data/SHARD.jsonl  Record, by the consumers of a host
//	DIR/HOST/sessions.jsonl    Event, by the consumers of a host
//
// Times are in milliseconds since 1970.
package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Put says that a record is about to be put. Its data begins with N, which no other
// record of the run has.
type Put struct {
	N   int64  `json:"put"`
	Key string `json:"key"`
}

// Ack says that Kinesis has the record N, since At at the latest.
type Ack struct {
	N     int64  `json:"ack"`
	Shard string `json:"shard"`
	Seq   string `json:"seq"`
	At    int64  `json:"at"`
}

// Record is a record that a consumer has processed.
type Record struct {
	N       int64  `json:"n"`
	Key     string `json:"key"`
	Seq     string `json:"seq"`
	Sub     int64  `json:"sub"`
	Session string `json:"session"` // which processor: one from Initialize to its end
	Batch   int    `json:"batch"`   // which ProcessRecords of the session that had records
	At      int64  `json:"at"`      // before it was written

	end  int64 // of the line in its file
	seen int   // the first snapshot by which it was there
}

// Event is what happened to a processor.
type Event struct {
	Session string `json:"session"`
	Shard   string `json:"shard"`
	Event   string `json:"event"`
	Seq     string `json:"seq,omitempty"` // of Initialize and of checkpoints
	Sub     int64  `json:"sub,omitempty"`
	Asked   int64  `json:"asked,omitempty"` // of checkpoints: when KCL was asked
	At      int64  `json:"at"`
	Error   string `json:"error,omitempty"`
}

// The kinds of Event.
const (
	Initialize = "initialize"
	Checkpoint = "checkpoint" // KCL has made it
	Refused    = "refused"    // KCL has not made it, Error says why
	Lost       = "lost"
	Ended      = "ended"
	Requested  = "requested"
)

// ShardEnd is the Seq of the checkpoint at a shard's end.
const ShardEnd = "SHARD_END"

// Snapshot is the lease table as it was read, and after that how long the shard files
// were: a checkpoint in it is of what is in them.
type Snapshot struct {
	At     int64            `json:"at"`
	Rest   bool             `json:"rest,omitempty"` // all is read, and all workers have stopped
	Leader string           `json:"leader"`         // who has the lock, empty for none
	Leases []Lease          `json:"leases"`
	Files  map[string]int64 `json:"files"` // bytes by HOST/data/SHARD.jsonl
}

// Lease is a row of the lease table.
type Lease struct {
	Shard      string `json:"shard"`
	Owner      string `json:"owner"`
	Checkpoint string `json:"checkpoint"`
	Sub        int64  `json:"sub"`
	Counter    int64  `json:"counter"`
}

// Run is what a run has left.
type Run struct {
	keys      map[int64]string // of each record that was put, if it arrived or not
	acks      []Ack
	files     []shardFile
	sessions  map[string]*session // of each shard and each ID
	snapshots []Snapshot
}

// shardFile is what one host has written of one shard.
type shardFile struct {
	name, shard string
	lines       []Record
}

// session is a processor of a shard, from its begin on.
type session struct {
	id, shard string
	begin     int64 // -1: it never said so
	from      place
	events    []Event
	lines     []*Record
}

// A place is one in a shard, or a checkpoint.
type place struct {
	seq string
	sub int64
}

// compare orders places of one shard, and of its parents and children.
func (p place) compare(q place) int {
	rank := func(seq string) int {
		switch seq {
		case "", "LATEST", "TRIM_HORIZON", "AT_TIMESTAMP":
			return 0
		case ShardEnd:
			return 2
		}
		return 1
	}
	if a, b := rank(p.seq), rank(q.seq); a != b || a != 1 {
		return a - b
	}
	if c := compareNumbers(p.seq, q.seq); c != 0 {
		return c
	}
	return int(p.sub - q.sub)
}

// compareNumbers compares numbers in decimal digits, of any length.
func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

func (l *Record) place() place { return place{l.Seq, l.Sub} }

// Read reads what a run has left in its folder, such as os.DirFS(dir).
func Read(dir fs.FS) (*Run, error) {
	r := &Run{keys: make(map[int64]string), sessions: make(map[string]*session)}
	for _, of := range []struct {
		pattern string
		line    func(name string, text []byte, end int64) error
	}{{"journal.jsonl", r.entry}, {"leases.jsonl", r.snapshot}, {"*/sessions.jsonl", r.event}, {"*/data/*.jsonl", r.record}} {
		names, err := fs.Glob(dir, of.pattern)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if err := Lines(dir, name, 0, func(text []byte, end int64) error { return of.line(name, text, end) }); err != nil {
				return nil, err
			}
		}
	}
	for i := range r.files {
		for j := range r.files[i].lines { // which are all there now, and stay where they are
			l := &r.files[i].lines[j]
			s := r.session(r.files[i].shard, l.Session)
			s.lines = append(s.lines, l)
		}
	}
	return r, nil
}

func (r *Run) entry(_ string, text []byte, _ int64) error {
	var entry struct {
		Put
		Ack
	}
	err := json.Unmarshal(text, &entry)
	if entry.Put.N != 0 {
		r.keys[entry.Put.N] = entry.Key
	} else {
		r.acks = append(r.acks, entry.Ack)
	}
	return err
}

func (r *Run) snapshot(_ string, text []byte, _ int64) error {
	var s Snapshot
	err := json.Unmarshal(text, &s)
	r.snapshots = append(r.snapshots, s)
	return err
}

func (r *Run) event(_ string, text []byte, _ int64) error {
	var e Event
	err := json.Unmarshal(text, &e)
	s := r.session(e.Shard, e.Session)
	if e.Event == Initialize {
		s.begin, s.from = e.At, place{e.Seq, e.Sub}
	}
	s.events = append(s.events, e)
	return err
}

func (r *Run) session(shard, id string) *session {
	key := shard + " " + id
	s := r.sessions[key]
	if s == nil {
		s = &session{id: id, shard: shard, begin: -1}
		r.sessions[key] = s
	}
	return s
}

func (r *Run) record(name string, text []byte, end int64) error {
	l := Record{end: end}
	err := json.Unmarshal(text, &l)
	// A file grows, but for a line that was not whole.
	l.seen, _ = slices.BinarySearchFunc(r.snapshots, end, func(s Snapshot, end int64) int {
		if s.Files[name] >= end {
			return 1
		}
		return -1
	})
	if n := len(r.files); n == 0 || r.files[n-1].name != name {
		r.files = append(r.files, shardFile{name: name, shard: strings.TrimSuffix(path.Base(name), ".jsonl")})
	}
	f := &r.files[len(r.files)-1]
	f.lines = append(f.lines, l)
	return err
}

// Lines calls f with each whole line of a file from a byte on, and with where it ends. A
// file that is not there has none.
func Lines(dir fs.FS, name string, from int64, f func(text []byte, end int64) error) error {
	file, err := dir.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.(io.Seeker).Seek(from, io.SeekStart); err != nil {
		return err
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	for line := range bytes.Lines(text) {
		if line[len(line)-1] != '\n' {
			break // it is being written, or who wrote it was killed
		}
		if err := f(line, from+int64(len(line))); err != nil {
			return fmt.Errorf("%s at byte %d: %w", name, from, err)
		}
		from += int64(len(line))
	}
	return nil
}
