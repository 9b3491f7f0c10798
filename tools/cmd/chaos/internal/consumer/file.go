//go:build unix

package consumer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/tools/cmd/chaos/internal/check"
)

// file is a shard's file on this host. It has no record twice.
type file struct {
	*os.File
	have map[processor.Position]bool
}

// open opens a shard's file. It waits until no other process has it open: the child of a
// killed kcl-bootstrap lives for another moment. It cuts off an incomplete last line, which
// no checkpoint covers.
func open(dir, shard string) (_ *file, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, shard+".jsonl"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	for err = syscall.EINTR; err == syscall.EINTR; {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot lock %s: %w", f.Name(), err)
	}
	text, err := os.ReadFile(f.Name())
	if err != nil {
		return nil, err
	}
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	have := make(map[processor.Position]bool)
	for line := range bytes.Lines(text) {
		var r check.Record
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("%s has an invalid line: %w", f.Name(), err)
		}
		have[processor.Position{SequenceNumber: r.Seq, SubSequenceNumber: r.Sub}] = true
	}
	// The writer may have been killed before its sync.
	return &file{f, have}, errors.Join(f.Truncate(int64(len(text))), f.Sync())
}

// append writes and syncs the records that the file does not have. After an error the file
// must be opened again.
func (f *file) append(records []check.Record) error {
	var text bytes.Buffer
	at := time.Now().UnixMilli()
	for _, r := range records {
		p := processor.Position{SequenceNumber: r.Seq, SubSequenceNumber: r.Sub}
		if f.have[p] {
			continue
		}
		f.have[p] = true
		r.At = at
		if err := json.NewEncoder(&text).Encode(r); err != nil {
			return err
		}
	}
	if text.Len() == 0 {
		return nil
	}
	if _, err := f.Write(text.Bytes()); err != nil {
		return fmt.Errorf("cannot write the shard file: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("cannot sync the shard file: %w", err)
	}
	return nil
}
