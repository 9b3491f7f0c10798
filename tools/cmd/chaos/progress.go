//go:build linux

package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/cmd/chaos/internal/journal"
)

// progress follows the files of a run: which records wait to be written. It decides
// when the next fault may come, and nothing else: what the run was like is what package
// check finds in the files.
type progress struct {
	dir string

	mu             sync.Mutex
	read           map[string]int64 // bytes by file
	shards         map[string]*shard
	acked, written int
}

type shard struct {
	waits  []journal.Ack // in the order of their sequence numbers
	newest string        // sequence number that was written
	last   time.Time     // when
}

// update reads what is new. The journal comes first: most of what is in the shard files
// by then is in what was read of it.
func (p *progress) update() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.lines(filepath.Join(p.dir, "journal.jsonl"), func(line []byte) error {
		var a journal.Ack
		if err := json.Unmarshal(line, &a); err != nil || a.N == 0 {
			return err
		}
		p.acked++
		if s := p.shard(a.Shard); compare(a.Seq, s.newest) > 0 {
			s.waits = append(s.waits, a)
		}
		return nil
	})
	files, globErr := filepath.Glob(filepath.Join(p.dir, "*", "data", "*.jsonl"))
	for _, name := range files {
		s := p.shard(strings.TrimSuffix(filepath.Base(name), ".jsonl"))
		err = errors.Join(err, p.lines(name, func(line []byte) error {
			var r journal.Record
			if err := json.Unmarshal(line, &r); err != nil {
				return err
			}
			p.written++
			if compare(r.Seq, s.newest) > 0 {
				s.newest, s.last = r.Seq, time.UnixMilli(r.At)
			}
			return nil
		}))
	}
	for _, s := range p.shards {
		kept := s.waits[:0]
		for _, a := range s.waits {
			if compare(a.Seq, s.newest) > 0 {
				kept = append(kept, a)
			}
		}
		s.waits = kept
	}
	return errors.Join(err, globErr)
}

// lines calls f with each new line that is whole.
func (p *progress) lines(name string, f func([]byte) error) error {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Seek(p.read[name], io.SeekStart); err != nil {
		return err
	}
	for r := bufio.NewReader(file); ; {
		line, err := r.ReadBytes('\n')
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = f(line)
		}
		if err != nil {
			return err
		}
		p.read[name] += int64(len(line))
	}
}

func (p *progress) shard(id string) *shard {
	s := p.shards[id]
	if s == nil {
		s = &shard{}
		p.shards[id] = s
	}
	return s
}

// caughtUp tells whether these shards were written to after since, and no record has
// waited long.
func (p *progress) caughtUp(open []string, since time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range open {
		if !p.shard(id).last.After(since) {
			return false
		}
	}
	return p.longest() < 3*time.Second
}

// longest is the longest time that a shard has had records of which none was written.
func (p *progress) longest() (longest time.Duration) {
	for _, s := range p.shards {
		if len(s.waits) == 0 {
			continue
		}
		since := time.UnixMilli(s.waits[0].At)
		if s.last.After(since) {
			since = s.last
		}
		longest = max(longest, time.Since(since))
	}
	return longest
}

// figures are what the line of each second shows.
func (p *progress) figures() (acked, written, waiting int, longest time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.shards {
		waiting += len(s.waits)
	}
	return p.acked, p.written, waiting, p.longest()
}

// compare compares sequence numbers, and shard IDs.
func compare(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}
