package handle

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// Files is a dead-letter [Sink] that writes a file for each shard, with one line of
// JSON for each record: see [DeadLetter]. Each line is on disk (fsync) before Put
// returns. Its methods may be called concurrently. The processes of one application
// on a machine may share the folder; two applications must not, because their
// shards may have the same names.
type Files struct {
	dir string

	mu   sync.Mutex
	open map[string]*os.File // by lease key
	torn map[string]bool     // whether the file may end within a line
}

// NewFiles returns a sink that writes dir/SHARD.jsonl or, in an application of
// several streams, dir/ACCOUNT_NAME_EPOCH/SHARD.jsonl: see [processor.LeaseFile].
// The lease key is the first part of DeadLetter.ID. A relative dir is relative to
// the working directory. Folders and files are made by the first Put that needs
// them, which returns the error if that fails; files have mode 0600.
func NewFiles(dir string) *Files {
	return &Files{dir: dir, open: map[string]*os.File{}, torn: map[string]bool{}}
}

// Put appends a line and waits until it is on disk. A line that a crash or a full
// disk has cut short stays; the next letter begins on a new line.
func (s *Files) Put(_ context.Context, letter DeadLetter) error {
	line, err := json.Marshal(letter)
	if err != nil {
		return fmt.Errorf("handle: dead letter %s: %w", letter.ID, err)
	}
	key, _, _ := strings.Cut(letter.ID, "/")
	_, shardID := processor.SplitLeaseKey(key)
	if shardID != letter.ShardID {
		return fmt.Errorf("handle: dead letter %s not written: its ID does not belong to its shard, %q", letter.ID, letter.ShardID)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.append(key, append(line, '\n')); err != nil {
		return fmt.Errorf("handle: dead letter %s not written: %w", letter.ID, err)
	}
	return nil
}

func (s *Files) append(key string, line []byte) error {
	f := s.open[key]
	if f == nil {
		var err error
		if f, err = s.openFile(key); err != nil {
			return err
		}
		s.open[key] = f
	}
	if s.torn[key] {
		line = append([]byte{'\n'}, line...)
	}
	s.torn[key] = true // until the line is known to be whole
	if _, err := f.Write(line); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	s.torn[key] = false
	return nil
}

func (s *Files) openFile(key string) (*os.File, error) {
	name, err := processor.LeaseFile(key)
	if err != nil {
		return nil, err
	}
	name = filepath.Join(s.dir, name+".jsonl")
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	is, err := f.Stat()
	if err == nil && is.Size() > 0 {
		last := make([]byte, 1)
		_, err = f.ReadAt(last, is.Size()-1)
		s.torn[key] = last[0] != '\n'
	}
	if err == nil {
		err = syncDir(dir)
	}
	if top := filepath.Clean(s.dir); err == nil && dir != top {
		err = syncDir(top) // it contains the stream's folder
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Close closes the files. A later Put opens its file again.
func (s *Files) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var first error
	for key, f := range s.open {
		if err := f.Close(); err != nil && first == nil {
			first = err
		}
		delete(s.open, key)
	}
	return first
}
