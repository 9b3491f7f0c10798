package sample

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// Key identifies a record.
type Key struct {
	ShardID           string
	SequenceNumber    string
	SubSequenceNumber int64
}

// ShardFiles follows the files that consumer-sample writes in a folder. It is not safe for
// concurrent use.
type ShardFiles struct {
	// Records has the data of each record that was read so far.
	Records map[Key]string
	// Duplicates is the number of lines of records that were written before. One host
	// should never write any, not even after a crash.
	Duplicates int
	// Disordered is the number of lines whose record is not after the one of the line
	// before.
	Disordered int
	// Shards is the number of files.
	Shards int

	dir   string
	files map[string]progress
}

// progress is the progress of reading a file.
type progress struct {
	offset int64
	last   processor.Position
}

// NewShardFiles returns a ShardFiles that has read nothing yet. The folder need not exist.
func NewShardFiles(dir string) *ShardFiles {
	return &ShardFiles{Records: map[Key]string{}, dir: dir, files: map[string]progress{}}
}

// Read reads the lines that were written since the last call.
func (s *ShardFiles) Read() error {
	names, err := filepath.Glob(filepath.Join(s.dir, "shardId-*.jsonl"))
	if err != nil {
		return err
	}
	s.Shards = len(names)
	for _, name := range names {
		if err := s.read(name); err != nil {
			return err
		}
	}
	return nil
}

func (s *ShardFiles) read(name string) error {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	p := s.files[name]
	defer func() { s.files[name] = p }()
	text, err := io.ReadAll(io.NewSectionReader(f, p.offset, 1<<62))
	if err != nil {
		return err
	}
	for {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		if !whole {
			return nil // still being written
		}
		key, err := s.line(line)
		if err != nil {
			return fmt.Errorf("%s, after byte %d: %w", name, p.offset, err)
		}
		at := processor.Position{SequenceNumber: key.SequenceNumber, SubSequenceNumber: key.SubSequenceNumber}
		if at.Compare(p.last) <= 0 {
			s.Disordered++
		}
		p.offset += int64(len(line)) + 1
		p.last = at
		text = rest
	}
}

func (s *ShardFiles) line(text []byte) (Key, error) {
	var l struct {
		ShardID           string
		SequenceNumber    string
		SubSequenceNumber int64
		Data              string
		Encoding          string
	}
	if err := json.Unmarshal(text, &l); err != nil {
		return Key{}, err
	}
	data := l.Data
	if l.Encoding == "base64" {
		b, err := base64.StdEncoding.DecodeString(l.Data)
		if err != nil {
			return Key{}, err
		}
		data = string(b)
	}
	key := Key{l.ShardID, l.SequenceNumber, l.SubSequenceNumber}
	if _, again := s.Records[key]; again {
		s.Duplicates++
	}
	s.Records[key] = data
	return key, nil
}

// Missing returns how many of the sent records are in no shard file.
func (s *ShardFiles) Missing(sent []Key) int {
	n := 0
	for _, key := range sent {
		if _, ok := s.Records[key]; !ok {
			n++
		}
	}
	return n
}

// Receipts parses the producer's output, the records that it has put.
func Receipts(stdout io.Reader) (sent []Key, err error) {
	for d := json.NewDecoder(stdout); ; {
		var r struct{ ShardID, SequenceNumber string }
		switch err := d.Decode(&r); {
		case err == io.EOF:
			return sent, nil
		case err != nil:
			return sent, fmt.Errorf("the producer's output: %w", err)
		}
		sent = append(sent, Key{ShardID: r.ShardID, SequenceNumber: r.SequenceNumber})
	}
}
