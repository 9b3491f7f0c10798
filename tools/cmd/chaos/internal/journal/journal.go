// Package journal writes the files of a run of chaos and puts its records, each of which is
// in the journal first. Package check documents the files.
package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Leases is the name of the file with the snapshots of the run in dir.
func Leases(dir string) string { return filepath.Join(dir, "leases.jsonl") }

// Sizes returns the sizes of the shard files of a run, for check.Snapshot.
func Sizes(dir string) (map[string]int64, error) {
	run := os.DirFS(dir)
	names, err := fs.Glob(run, "*/data/*.jsonl")
	sizes := make(map[string]int64)
	for _, name := range names {
		is, err := fs.Stat(run, name)
		if err != nil {
			return nil, err
		}
		sizes[name] = is.Size()
	}
	return sizes, err
}

// A Log is a file of lines of JSON. Several goroutines and processes may append to it.
type Log struct {
	f *os.File

	mu      sync.Mutex
	written int // lines

	sync   sync.Mutex
	synced int // lines
}

// Open opens a log for appending, and creates it if it does not exist.
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
		return 0, fmt.Errorf("cannot write the log: %w", err)
	}
	l.written++
	return l.written, nil
}

// AppendSync writes a line and syncs it to disk. Concurrent calls share a sync.
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
		return fmt.Errorf("cannot sync the log: %w", err)
	}
	l.synced = written
	return nil
}

// Close closes the file.
func (l *Log) Close() error { return l.f.Close() }

// Sleep waits for d. It reports false if ctx ends first.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
