//go:build unix

package consumer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/cmd/chaos/internal/journal"
)

// file is a shard's file on this host. It takes no record twice.
type file struct {
	f    *os.File
	have map[place]bool
}

type place struct {
	seq string
	sub int64
}

// open opens a shard's file, once no other process has it open: the child of a
// kcl-bootstrap that was killed lives on for a moment. A last line that is not whole is
// cut off: no checkpoint is of it.
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
	if err := lock(f); err != nil {
		return nil, fmt.Errorf("cannot lock %s: %w", f.Name(), err)
	}
	text, err := os.ReadFile(f.Name())
	if err != nil {
		return nil, err
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	if whole < len(text) {
		if err := f.Truncate(int64(whole)); err != nil {
			return nil, err
		}
	}
	have := make(map[place]bool)
	for line := range bytes.Lines(text[:whole]) {
		var r journal.Record
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("%s has a line that is none: %w", f.Name(), err)
		}
		have[place{r.Seq, r.Sub}] = true
	}
	return &file{f, have}, syncAll(f, dir) // who wrote it may have been killed before that
}

func lock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if err != syscall.EINTR {
			return err
		}
	}
}

func syncAll(f *os.File, dir string) error {
	if err := f.Sync(); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// append writes the records that the file does not have, and syncs them. After an
// error the file must be opened anew.
func (f *file) append(records []journal.Record) error {
	var text bytes.Buffer
	at := time.Now().UnixMilli()
	for _, r := range records {
		p := place{r.Seq, r.Sub}
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
	if _, err := f.f.Write(text.Bytes()); err != nil {
		return fmt.Errorf("cannot write the shard file: %w", err)
	}
	if err := f.f.Sync(); err != nil {
		return fmt.Errorf("cannot sync the shard file: %w", err)
	}
	return nil
}
