//go:build linux

package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/cmd/chaos/internal/check"
)

// progress follows the files of a run, to know which records are not written yet. It only
// decides when the next fault may come; package check judges the run.
type progress struct {
	dir string

	mu             sync.Mutex
	read           map[string]int64 // bytes of each file
	shards         map[string]*shard
	acked, written int
}

type shard struct {
	waits  []check.Ack
	newest string    // the highest sequence number that was written
	last   time.Time // when that was
}

// update reads the new lines. It reads the journal first, so that most records in the
// shard files are known from it.
func (p *progress) update() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := lines(p, "journal.jsonl", func(a check.Ack) {
		if a.N != 0 {
			p.acked++
			s := p.shard(a.Shard)
			s.waits = append(s.waits, a)
		}
	})
	files, globErr := fs.Glob(os.DirFS(p.dir), "*/data/*.jsonl")
	for _, name := range files {
		s := p.shard(strings.TrimSuffix(path.Base(name), ".jsonl"))
		err = errors.Join(err, lines(p, name, func(r check.Record) {
			p.written++
			if compare(r.Seq, s.newest) > 0 {
				s.newest, s.last = r.Seq, time.UnixMilli(r.At)
			}
		}))
	}
	for _, s := range p.shards {
		s.waits = slices.DeleteFunc(s.waits, func(a check.Ack) bool { return compare(a.Seq, s.newest) <= 0 })
	}
	return errors.Join(err, globErr)
}

// lines calls f with each new line of a file.
func lines[T any](p *progress, name string, f func(T)) error {
	return check.Lines(os.DirFS(p.dir), name, p.read[name], func(text []byte, end int64) error {
		var line T
		p.read[name] = end
		err := json.Unmarshal(text, &line)
		f(line)
		return err
	})
}

func (p *progress) shard(id string) *shard {
	s := p.shards[id]
	if s == nil {
		s = &shard{}
		p.shards[id] = s
	}
	return s
}

// caughtUp reports whether records of all these shards were written after since, and no
// record of any shard has waited long.
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

// longest returns the longest time that a shard has had records and wrote none.
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

// figures returns what is logged every second.
func (p *progress) figures() (acked, written, waiting int, longest time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.shards {
		waiting += len(s.waits)
	}
	return p.acked, p.written, waiting, p.longest()
}

// compare compares sequence numbers or shard IDs.
func compare(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}
