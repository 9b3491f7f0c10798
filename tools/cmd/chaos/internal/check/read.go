// Package check looks through what a run of chaos has left on disk: the producer's
// journal, the shard files, the sessions of the consumers and the lease table as it was
// from moment to moment. It shares no code with what has written them.
package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Run is what a run has left.
type Run struct {
	keys      map[int64]string // of each record that was put, if it arrived or not
	acks      []ack
	files     []shardFile
	sessions  map[string]*session // of each shard and each ID
	snapshots []snapshot
}

type ack struct {
	N     int64  `json:"ack"`
	Shard string `json:"shard"`
	Seq   string `json:"seq"`
	At    int64  `json:"at"`
}

// shardFile is what one host has written of one shard.
type shardFile struct {
	name, shard string
	lines       []line
}

type line struct {
	N       int64  `json:"n"`
	Key     string `json:"key"`
	Seq     string `json:"seq"`
	Sub     int64  `json:"sub"`
	Session string `json:"session"`
	Batch   int    `json:"batch"`
	At      int64  `json:"at"`

	end  int64 // of the line in its file
	seen int   // the first snapshot by which it was there
}

type event struct {
	Session string `json:"session"`
	Shard   string `json:"shard"`
	Event   string `json:"event"`
	Seq     string `json:"seq"`
	Sub     int64  `json:"sub"`
	Asked   int64  `json:"asked"`
	At      int64  `json:"at"`
}

// session is a processor of a shard, from its begin on.
type session struct {
	id, shard string
	begin     int64 // -1: it never said so
	from      place
	events    []event
	lines     []*line
}

type snapshot struct {
	At     int64            `json:"at"`
	Rest   bool             `json:"rest"`
	Leader string           `json:"leader"`
	Leases []lease          `json:"leases"`
	Files  map[string]int64 `json:"files"`
}

type lease struct {
	Shard      string `json:"shard"`
	Owner      string `json:"owner"`
	Checkpoint string `json:"checkpoint"`
	Sub        int64  `json:"sub"`
}

// A place is one in a shard, or a checkpoint.
type place struct {
	seq string
	sub int64
}

const shardEnd = "SHARD_END"

// compare orders places of one shard, and of its parents and children.
func (p place) compare(q place) int {
	rank := func(seq string) int {
		switch seq {
		case "", "LATEST", "TRIM_HORIZON", "AT_TIMESTAMP":
			return 0
		case shardEnd:
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

func (l *line) place() place { return place{l.Seq, l.Sub} }

// Read reads what a run has left in its folder, such as os.DirFS(dir).
func Read(dir fs.FS) (*Run, error) {
	r := &Run{keys: make(map[int64]string), sessions: make(map[string]*session)}
	err := eachLine(dir, "journal.jsonl", func(text []byte, _ int64) error {
		var entry struct {
			Put int64  `json:"put"`
			Key string `json:"key"`
			ack
		}
		if err := json.Unmarshal(text, &entry); err != nil {
			return err
		}
		if entry.Put != 0 {
			r.keys[entry.Put] = entry.Key
		} else {
			r.acks = append(r.acks, entry.ack)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := eachLine(dir, "leases.jsonl", func(text []byte, _ int64) error {
		var s snapshot
		err := json.Unmarshal(text, &s)
		r.snapshots = append(r.snapshots, s)
		return err
	}); err != nil {
		return nil, err
	}
	hosts, err := fs.Glob(dir, "*/sessions.jsonl")
	if err != nil {
		return nil, err
	}
	for _, name := range hosts {
		if err := eachLine(dir, name, r.event); err != nil {
			return nil, err
		}
	}
	files, err := fs.Glob(dir, "*/data/*.jsonl")
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		if err := r.readFile(dir, name); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *Run) event(text []byte, _ int64) error {
	var e event
	if err := json.Unmarshal(text, &e); err != nil {
		return err
	}
	s := r.session(e.Shard, e.Session)
	if e.Event == "initialize" {
		s.begin, s.from = e.At, place{e.Seq, e.Sub}
	}
	s.events = append(s.events, e)
	return nil
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

func (r *Run) readFile(dir fs.FS, name string) error {
	f := shardFile{name: name, shard: strings.TrimSuffix(path.Base(name), ".jsonl")}
	if err := eachLine(dir, name, func(text []byte, end int64) error {
		l := line{end: end}
		err := json.Unmarshal(text, &l)
		f.lines = append(f.lines, l)
		return err
	}); err != nil {
		return err
	}
	for i := range f.lines {
		l := &f.lines[i]
		// A file grows, but for a line that was not whole.
		l.seen, _ = slices.BinarySearchFunc(r.snapshots, l.end, func(s snapshot, end int64) int {
			if s.Files[f.name] >= end {
				return 1
			}
			return -1
		})
		s := r.session(f.shard, l.Session)
		s.lines = append(s.lines, l)
	}
	r.files = append(r.files, f)
	return nil
}

// eachLine calls f with each whole line of a file and with where it ends.
func eachLine(dir fs.FS, name string, f func(text []byte, end int64) error) error {
	text, err := fs.ReadFile(dir, name)
	if err != nil {
		return err
	}
	var end int64
	for line := range bytes.Lines(text) {
		if end += int64(len(line)); line[len(line)-1] != '\n' {
			break // who wrote it was killed
		}
		if err := f(line, end); err != nil {
			return fmt.Errorf("%s at byte %d: %w", name, end-int64(len(line)), err)
		}
	}
	return nil
}
