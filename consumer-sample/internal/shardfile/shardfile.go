// Package shardfile appends the records of a shard to a file, one line of JSON per
// record, and skips records that the file already holds:
//
//	f, err := shardfile.Open("data", in.Lease.Key())
//	written, err := f.Append(in.Records) // synced to disk
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

// Line is one line of a shard file.
type Line struct {
	ShardID           string  `json:"shardId"`
	SequenceNumber    string  `json:"sequenceNumber"`
	SubSequenceNumber int64   `json:"subSequenceNumber"`
	PartitionKey      *string `json:"partitionKey"` // null if the record has none
	// In UTC, to the millisecond; null if unknown.
	ApproximateArrivalTimestamp *time.Time `json:"approximateArrivalTimestamp"`
	// Data is the record's data. If it is not UTF-8, Encoding says how it is encoded.
	Data     string `json:"data"`
	Encoding string `json:"encoding,omitempty"` // "base64", or empty for text
}

// NewLine returns the line for a record.
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

// Position returns the position of the line's record.
func (l Line) Position() processor.Position {
	return processor.Position{SequenceNumber: l.SequenceNumber, SubSequenceNumber: l.SubSequenceNumber}
}

// File is a shard's file, open for appending. It is not safe for concurrent use.
type File struct {
	shardID string
	f       *os.File
	buf     bytes.Buffer
	last    processor.Position // of the last line, or zero
}

// Open opens the file of a shard in dir. The key of the shard's lease determines its
// name: SHARD.jsonl, or ACCOUNT_NAME_EPOCH/SHARD.jsonl in an application with several
// streams. Open creates missing folders and the file. On Unix it locks the file, and
// waits while another File has it open, in this process or another.
//
// Open removes a last line that a crash left incomplete. That line was not synced, so
// its record was not checkpointed and will be delivered again. A file that ends in
// anything but a line of this shard is not changed. Open returns an error.
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

// resume locks the file, finds its last record, and syncs what it holds: the process
// that wrote it may have crashed before it synced.
func (f *File) resume(dir string) error {
	if err := lock(f.f); err != nil {
		return fmt.Errorf("cannot lock the shard file: %w", err)
	}
	line, torn, err := lastLine(f.f)
	if err != nil {
		return fmt.Errorf("cannot read the end of the shard file: %w", err)
	}
	if f.last, err = f.parsePosition(line); err != nil {
		return err
	}
	if len(torn) > 0 {
		if err := f.removeTorn(torn); err != nil {
			return err
		}
	}
	if err := f.f.Sync(); err != nil {
		return fmt.Errorf("cannot sync the shard file: %w", err)
	}
	for _, folder := range []string{filepath.Dir(f.f.Name()), dir} { // they differ with several streams
		if err := syncFolder(folder); err != nil {
			return fmt.Errorf("cannot sync the folder of the shard file: %w", err)
		}
	}
	return nil
}

// parsePosition returns the position of the record on the file's last complete line,
// and zero if there is no line.
func (f *File) parsePosition(line []byte) (processor.Position, error) {
	if len(line) == 0 {
		return processor.Position{}, nil
	}
	var l Line
	// The decoder's error may quote the data, so it is not wrapped.
	if err := json.Unmarshal(line, &l); err != nil || l.ShardID != f.shardID || !l.Position().IsRecord() {
		return processor.Position{}, fmt.Errorf("the last line of %s is not a record of %s: move the file away", f.f.Name(), f.shardID)
	}
	return l.Position(), nil
}

// removeTorn removes an incomplete line from the end of the file.
func (f *File) removeTorn(torn []byte) error {
	begin, err := json.Marshal(struct {
		ShardID string `json:"shardId"`
	}{f.shardID})
	if err != nil {
		return err
	}
	begin = begin[:len(begin)-1] // without the closing brace
	if n := min(len(begin), len(torn)); !bytes.Equal(begin[:n], torn[:n]) {
		return fmt.Errorf("%s ends in an incomplete line that is not a record of %s: move the file away", f.f.Name(), f.shardID)
	}
	size, err := f.f.Seek(0, io.SeekEnd)
	if err == nil {
		err = f.f.Truncate(size - int64(len(torn)))
	}
	if err != nil {
		return fmt.Errorf("cannot remove the incomplete line from the shard file: %w", err)
	}
	return nil
}

// lastLine returns the last complete line of a file, with its newline, and what follows
// it.
func lastLine(f *os.File) (line, torn []byte, err error) {
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

// Last returns the position of the last record in the file, or the zero Position if
// there is none.
func (f *File) Last() processor.Position { return f.last }

// Append writes the records that the file does not hold yet, and returns how many it
// wrote. The records must be in the order of the shard. When Append returns nil, they
// are synced to disk. When it returns an error, some may have been written; open the
// file again before the next call.
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

// Close closes the file and unlocks it.
func (f *File) Close() error { return f.f.Close() }
