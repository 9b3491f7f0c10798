// Package check checks the files of a run of chaos: whether all records are there, once
// and in order, and whether no checkpoint was early. It imports nothing of this project.
// The programs that write the files use its types and share nothing else with it.
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

// Put announces a record. The record's data begins with N, which is unique in the run.
type Put struct {
	N   int64  `json:"put"`
	Key string `json:"key"`
}

// Ack says that Kinesis had acknowledged record N by the time At.
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
	Session string `json:"session"` // identifies the processor, from Initialize to its end
	Batch   int    `json:"batch"`   // number of the session's batch
	At      int64  `json:"at"`      // just before it was written

	end  int64 // of the line in its file
	seen int   // the first snapshot with it
}

// Event is an event of a processor.
type Event struct {
	Session string `json:"session"`
	Shard   string `json:"shard"`
	Event   string `json:"event"`
	Seq     string `json:"seq,omitempty"` // for Initialize and checkpoints
	Sub     int64  `json:"sub,omitempty"`
	Asked   int64  `json:"asked,omitempty"` // for checkpoints: the time of the request
	At      int64  `json:"at"`
	Error   string `json:"error,omitempty"`
}

// The kinds of Event.
const (
	Initialize = "initialize"
	Checkpoint = "checkpoint" // a checkpoint was made
	Refused    = "refused"    // a checkpoint was refused; Error says why
	Lost       = "lost"
	Ended      = "ended"
	Requested  = "requested"
)

// ShardEnd is the Seq of the checkpoint at a shard's end.
const ShardEnd = "SHARD_END"

// Snapshot is the lease table, and the sizes of the shard files, read after the table: all
// that a checkpoint covers must be in them.
type Snapshot struct {
	At     int64            `json:"at"`
	Rest   bool             `json:"rest,omitempty"` // all records were read, and all workers have stopped
	Leader string           `json:"leader"`         // the owner of the leader's lock
	Leases []Lease          `json:"leases"`
	Files  map[string]int64 `json:"files"` // bytes of HOST/data/SHARD.jsonl
}

// Lease is a row of the lease table.
type Lease struct {
	Shard      string `json:"shard"`
	Owner      string `json:"owner"`
	Checkpoint string `json:"checkpoint"`
	Sub        int64  `json:"sub"`
	Counter    int64  `json:"counter"`
}

// Run has the contents of a run's files.
type Run struct {
	keys      map[int64]string // of each announced record
	acks      []Ack
	files     []shardFile
	sessions  map[string]*session // by shard and ID
	snapshots []Snapshot
}

// shardFile is the file of one host and one shard.
type shardFile struct {
	name, shard string
	lines       []Record
}

// session is one processor of a shard.
type session struct {
	id, shard string
	begin     int64 // -1: there is no such event
	from      place
	events    []Event
	lines     []*Record
}

// A place is a position in a shard, or a checkpoint.
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

// compareNumbers compares decimal numbers of any length.
func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

func (l *Record) place() place { return place{l.Seq, l.Sub} }

// Read reads the files of a run from its folder, such as os.DirFS(dir).
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
		for j := range r.files[i].lines { // complete now, so that pointers into it stay valid
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
	// Files only grow, but for an incomplete last line.
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

// Lines calls f with each complete line of a file from a byte on, and with the byte after
// the line. A missing file has no lines.
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
			break // still being written, or the writer was killed
		}
		if err := f(line, from+int64(len(line))); err != nil {
			return fmt.Errorf("%s at byte %d: %w", name, from, err)
		}
		from += int64(len(line))
	}
	return nil
}
