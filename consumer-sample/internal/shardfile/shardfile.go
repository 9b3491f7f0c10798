// Package shardfile writes the records of a shard to a file, one line of JSON
// each.
package shardfile

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
	"unicode/utf8"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// Line is what stands on one line of a shard file.
type Line struct {
	ShardID           string  `json:"shardId"`
	SequenceNumber    string  `json:"sequenceNumber"`
	SubSequenceNumber int64   `json:"subSequenceNumber"`
	PartitionKey      *string `json:"partitionKey"` // null: the record has none
	// In UTC, to the millisecond; null: not known.
	ApproximateArrivalTimestamp *time.Time `json:"approximateArrivalTimestamp"`
	// The record's data: as text where it is UTF-8, else as Encoding says.
	Data     string `json:"data"`
	Encoding string `json:"encoding,omitempty"` // "base64", or left out for text
}

// NewLine makes a record's line.
func NewLine(shardID string, r processor.Record) Line {
	l := Line{ShardID: shardID, SequenceNumber: r.SequenceNumber, SubSequenceNumber: r.SubSequenceNumber}
	if r.PartitionKey != "" {
		l.PartitionKey = &r.PartitionKey
	}
	if t := r.ApproximateArrivalTimestamp; !t.IsZero() {
		l.ApproximateArrivalTimestamp = &t
	}
	if utf8.Valid(r.Data) {
		l.Data = string(r.Data)
	} else {
		l.Data, l.Encoding = base64.StdEncoding.EncodeToString(r.Data), "base64"
	}
	return l
}

// File is a shard's file, open for appending. It is not safe for concurrent use.
type File struct {
	shardID string
	f       *os.File
	buf     bytes.Buffer
}

// Path returns the name of a shard's file in dir.
func Path(dir, shardID string) string { return filepath.Join(dir, shardID+".jsonl") }

// Open opens a shard's file in dir; both are made when missing. A last line
// that a crash left incomplete is cut off: it was not synced, so it was not
// checkpointed either, and its record comes again.
func Open(dir, shardID string) (*File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the folder for shard files: %w", err)
	}
	f, err := os.OpenFile(Path(dir, shardID), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot open the shard file: %w", err)
	}
	if err := cutTornLine(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot mend the shard file: %w", err)
	}
	if err := syncFolder(dir); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot sync the folder of the shard file: %w", err)
	}
	return &File{shardID: shardID, f: f}, nil
}

func cutTornLine(f *os.File) error {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	chunk := make([]byte, 64<<10)
	for end := size; end > 0; {
		start := max(0, end-int64(len(chunk)))
		part := chunk[:end-start]
		if _, err := f.ReadAt(part, start); err != nil {
			return err
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			size = start + int64(i) + 1
			break
		}
		end, size = start, 0
	}
	return f.Truncate(size)
}

// Append writes the records and syncs them to disk: when it returns nil they
// are there to stay. When it fails, some may be.
func (f *File) Append(records []processor.Record) error {
	f.buf.Reset()
	enc := json.NewEncoder(&f.buf)
	enc.SetEscapeHTML(false)
	for _, r := range records {
		if err := enc.Encode(NewLine(f.shardID, r)); err != nil {
			return fmt.Errorf("cannot encode the record at %v: %w", r.Position(), err)
		}
	}
	if _, err := f.f.Write(f.buf.Bytes()); err != nil {
		return fmt.Errorf("cannot write the shard file: %w", err)
	}
	if err := f.f.Sync(); err != nil {
		return fmt.Errorf("cannot sync the shard file: %w", err)
	}
	return nil
}

// Close closes the file.
func (f *File) Close() error { return f.f.Close() }
