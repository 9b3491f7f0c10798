// Package journal has what a run of chaos leaves on disk: the lines of its files, who
// writes them, and the producer, which writes down each record before it puts it.
//
//	DIR/journal.jsonl          Put and Ack, by the producer
//	DIR/leases.jsonl           Snapshot, by whoever runs chaos
//	DIR/HOST/data/SHARD.jsonl  Record, by the consumers of a host
//	DIR/HOST/sessions.jsonl    Event, by the consumers of a host
//
// Package check reads them, with types of its own.
package journal

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Put says that a record is about to be put. Its data begins with N, which no other
// record of the run has.
type Put struct {
	N   int64  `json:"put"`
	Key string `json:"key"`
}

// Ack says that Kinesis has the record N, since At at the latest, in milliseconds since
// 1970.
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

// Leases is the name of the file with the Snapshots of the run in dir.
func Leases(dir string) string { return filepath.Join(dir, "leases.jsonl") }

// Sizes returns the sizes of the shard files of a run, for Snapshot.Files.
func Sizes(dir string) (map[string]int64, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*", "data", "*.jsonl"))
	if err != nil {
		return nil, err
	}
	sizes := make(map[string]int64)
	for _, name := range names {
		is, err := os.Stat(name)
		if err != nil {
			return nil, err
		}
		if name, err = filepath.Rel(dir, name); err != nil {
			return nil, err
		}
		sizes[filepath.ToSlash(name)] = is.Size()
	}
	return sizes, nil
}

// A Log is a file of lines of JSON. Several goroutines may append to it, and several
// processes.
type Log struct {
	f *os.File

	mu      sync.Mutex
	written int // lines

	sync   sync.Mutex
	synced int // lines
}

// Open opens a log for appending, and makes it if there is none.
func Open(name string) (*Log, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	return &Log{f: f}, nil
}

// Append writes a line.
func (l *Log) Append(v any) error {
	_, err := l.append(v)
	return err
}

func (l *Log) append(v any) (n int, err error) {
	line, err := json.Marshal(v)
	if err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.f.Write(append(line, '\n')); err != nil {
		return 0, fmt.Errorf("cannot write down what happens: %w", err)
	}
	l.written++
	return l.written, nil
}

// AppendSync writes a line, which is on disk when it returns. Lines that are appended
// at the same time share one sync.
func (l *Log) AppendSync(v any) error {
	n, err := l.append(v)
	if err != nil {
		return err
	}
	l.sync.Lock()
	defer l.sync.Unlock()
	if l.synced >= n {
		return nil
	}
	l.mu.Lock()
	written := l.written
	l.mu.Unlock()
	if err := l.f.Sync(); err != nil {
		return fmt.Errorf("cannot sync what happens: %w", err)
	}
	l.synced = written
	return nil
}

// Close closes the file.
func (l *Log) Close() error { return l.f.Close() }
