package handle

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Files is the dead-letter [Sink] that keeps a file for each shard in a folder,
// one line of JSON for each record: see [DeadLetter]. Each line is on disk
// (fsync) before Put returns. Its methods may be called concurrently; a file
// has one writer, so let each program have a folder of its own.
type Files struct {
	dir string

	mu   sync.Mutex
	open map[string]*os.File
	torn map[string]bool // the file may end within a line
}

// NewFiles returns a sink that writes dir/<shard ID>.jsonl. The folder and the
// files are made with the first record that needs them.
func NewFiles(dir string) *Files {
	return &Files{dir: dir, open: map[string]*os.File{}, torn: map[string]bool{}}
}

// Put appends a line and waits until it is on disk. A line that a crash or a
// full disk cut short stays, and the next begins on a line of its own.
func (s *Files) Put(_ context.Context, letter DeadLetter) error {
	line, err := json.Marshal(letter)
	if err != nil {
		return fmt.Errorf("handle: dead letter %s: %w", letter.ID, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.append(letter.ShardID, append(line, '\n')); err != nil {
		return fmt.Errorf("handle: dead letter %s not written: %w", letter.ID, err)
	}
	return nil
}

func (s *Files) append(shardID string, line []byte) error {
	f := s.open[shardID]
	if f == nil {
		var err error
		if f, err = s.openFile(shardID); err != nil {
			return err
		}
		s.open[shardID] = f
	}
	if s.torn[shardID] {
		line = append([]byte{'\n'}, line...)
	}
	s.torn[shardID] = true // until it is known to be whole
	if _, err := f.Write(line); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	s.torn[shardID] = false
	return nil
}

func (s *Files) openFile(shardID string) (*os.File, error) {
	if shardID == "" || filepath.Base(shardID) != shardID || !filepath.IsLocal(shardID) {
		return nil, fmt.Errorf("shard ID %q is no file name", shardID)
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(s.dir, shardID+".jsonl"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	is, err := f.Stat()
	if err == nil && is.Size() > 0 {
		last := make([]byte, 1)
		_, err = f.ReadAt(last, is.Size()-1)
		s.torn[shardID] = last[0] != '\n'
	}
	if err == nil {
		err = syncDir(s.dir)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Close closes the files. A later Put opens them again.
func (s *Files) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var first error
	for shardID, f := range s.open {
		if err := f.Close(); err != nil && first == nil {
			first = err
		}
		delete(s.open, shardID)
	}
	return first
}
