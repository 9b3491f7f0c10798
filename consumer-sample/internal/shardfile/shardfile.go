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

// Position returns the place of the line's record.
func (l Line) Position() processor.Position {
	return processor.Position{SequenceNumber: l.SequenceNumber, SubSequenceNumber: l.SubSequenceNumber}
}

// File is a shard's file, open for appending. It is not safe for concurrent use.
type File struct {
	shardID string
	f       *os.File
	buf     bytes.Buffer
	last    processor.Position // of the last line; the zero Position: none
}

// Open opens a shard's file in dir, by the key of its lease: SHARD.jsonl, or in an
// application of several streams ACCOUNT_NAME_EPOCH/SHARD.jsonl. Folders and file are
// made when missing. Where another process has the file open it waits until that one
// has closed it (on Unix).
//
// A last line that a crash left incomplete is cut off: it was not synced, so it
// was not checkpointed either, and its record comes again. A file that ends in
// anything else than a line of this shard is left as it is: an error.
func Open(dir, leaseKey string) (*File, error) {
	name, err := processor.LeaseFile(leaseKey)
	if err != nil {
		return nil, fmt.Errorf("no shard file: %w", err)
	}
	name = filepath.Join(dir, name+".jsonl")
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the folder for shard files: %w", err)
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot open the shard file: %w", err)
	}
	_, shardID := processor.SplitLeaseKey(leaseKey)
	file := &File{shardID: shardID, f: f}
	if err := file.resume(dir); err != nil {
		f.Close()
		return nil, err
	}
	return file, nil
}

// resume finds out what the file holds, and sees to it that it is on disk:
// whoever wrote it may have crashed before its sync.
func (f *File) resume(dir string) error {
	if err := lock(f.f); err != nil {
		return fmt.Errorf("cannot lock the shard file: %w", err)
	}
	line, torn, err := tail(f.f)
	if err != nil {
		return fmt.Errorf("cannot read the end of the shard file: %w", err)
	}
	if f.last, err = f.position(line); err != nil {
		return err
	}
	if len(torn) > 0 {
		if err := f.cut(torn); err != nil {
			return err
		}
	}
	if err := f.f.Sync(); err != nil {
		return fmt.Errorf("cannot sync the shard file: %w", err)
	}
	for _, folder := range []string{filepath.Dir(f.f.Name()), dir} { // the one may be in the other
		if err := syncFolder(folder); err != nil {
			return fmt.Errorf("cannot sync the folder of the shard file: %w", err)
		}
	}
	return nil
}

// position returns the place of the record on the file's last whole line.
func (f *File) position(line []byte) (processor.Position, error) {
	if len(line) == 0 {
		return processor.Position{}, nil
	}
	var l Line
	// The decoder's error can quote the data.
	if err := json.Unmarshal(line, &l); err != nil || l.ShardID != f.shardID || !l.Position().IsRecord() {
		return processor.Position{}, fmt.Errorf("the last line of %s is no record of %s: move the file away", f.f.Name(), f.shardID)
	}
	return l.Position(), nil
}

// cut removes the beginning of a line from the end of the file.
func (f *File) cut(torn []byte) error {
	begin, err := json.Marshal(struct {
		ShardID string `json:"shardId"`
	}{f.shardID})
	if err != nil {
		return err
	}
	begin = begin[:len(begin)-1] // more follows
	if n := min(len(begin), len(torn)); !bytes.Equal(begin[:n], torn[:n]) {
		return fmt.Errorf("%s ends in part of a line that is no record of %s: move the file away", f.f.Name(), f.shardID)
	}
	size, err := f.f.Seek(0, io.SeekEnd)
	if err == nil {
		err = f.f.Truncate(size - int64(len(torn)))
	}
	if err != nil {
		return fmt.Errorf("cannot cut the torn line off the shard file: %w", err)
	}
	return nil
}

// tail returns the last whole line of a file, with its line end, and what
// stands behind it.
func tail(f *os.File) (line, torn []byte, err error) {
	start, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, nil, err
	}
	var text []byte
	for step := int64(64 << 10); start > 0; step *= 2 {
		n := min(step, start)
		start -= n
		more := make([]byte, n, n+int64(len(text)))
		if _, err := f.ReadAt(more, start); err != nil {
			return nil, nil, err
		}
		text = append(more, text...)
		end := bytes.LastIndexByte(text, '\n') + 1
		line, torn = text[:end], text[end:]
		if end == 0 {
			continue
		}
		if before := bytes.LastIndexByte(line[:end-1], '\n'); before >= 0 {
			return line[before+1:], torn, nil
		}
	}
	return line, torn, nil
}

// Last returns the position of the last record in the file; the zero Position
// when there is none.
func (f *File) Last() processor.Position { return f.last }

// Append writes those of the records, which are in the shard's order, that the
// file does not hold, and syncs them to disk: when it returns nil they are there
// to stay. It returns how many were not there. When it fails, some may have been
// written, and the file must be opened anew.
func (f *File) Append(records []processor.Record) (written int, err error) {
	f.buf.Reset()
	enc := json.NewEncoder(&f.buf)
	enc.SetEscapeHTML(false)
	for _, r := range records {
		if r.Position().Compare(f.last) <= 0 {
			continue
		}
		if err := enc.Encode(NewLine(f.shardID, r)); err != nil {
			return 0, fmt.Errorf("cannot encode the record at %v: %w", r.Position(), err)
		}
		f.last = r.Position()
		written++
	}
	if written == 0 {
		return 0, nil
	}
	if _, err := f.f.Write(f.buf.Bytes()); err != nil {
		return 0, fmt.Errorf("cannot write the shard file: %w", err)
	}
	if err := f.f.Sync(); err != nil {
		return 0, fmt.Errorf("cannot sync the shard file: %w", err)
	}
	return written, nil
}

// Close closes the file.
func (f *File) Close() error { return f.f.Close() }
