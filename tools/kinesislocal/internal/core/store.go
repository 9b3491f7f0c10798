package core

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/kinesislocal/internal/journal"
)

const (
	// syncInterval is what a machine that goes down may take with it.
	syncInterval = time.Second
	// checkpointSlack is how much more than twice the memory of the records the
	// journal may take before it is rewritten.
	checkpointSlack = 64 << 20
	// checkpointPause follows a checkpoint that failed.
	checkpointPause = time.Minute

	checkpointEntry = 1 << 20 // bytes of records in one entry of a checkpoint
)

// store keeps a service in a journal. A nil store keeps nothing.
type store struct {
	journal *journal.Journal
	log     *slog.Logger
	batches sync.Pool // of *batch
	closing chan struct{}
	close   sync.Once
	closed  chan struct{} // when the goroutine has ended
}

// Open returns the Service that the folder holds, which it makes if need be.
// From then on the service is kept there: what a method has changed is with the
// operating system when it returns, and on the disk a second later. A method
// whose change cannot be kept returns InternalFailure.
//
// A goroutine syncs the journal and gets rid of what is trimmed, until Close.
func Open(config Config, dir string) (*Service, error) {
	s := New(config)
	l := loader{service: s, streams: make(map[uint64]*stream)}
	j, err := journal.Open(dir, s.config.Log, l.entry)
	if err != nil {
		return nil, err
	}
	if err := s.begin(j, l); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return s, nil
}

func (s *Service) begin(j *journal.Journal, l loader) error {
	if l.key == nil { // the folder is new
		if err := j.Append(s.appendState(journal.Begin(nil))); err != nil {
			return err
		}
	} else {
		s.key = [tokenKeySize]byte(l.key)
		s.tokens = newSealer(s.key)
	}
	s.store = &store{journal: j, log: s.config.Log, closing: make(chan struct{}), closed: make(chan struct{})}
	now := time.Now()
	for _, number := range slices.Sorted(maps.Keys(l.streams)) {
		st := l.streams[number]
		st.settle(now)
		for _, sh := range st.shards {
			sh.trim(now.Add(-st.Retention))
		}
		if old := s.streams[st.name]; old != nil {
			old.drop() // it was, before its namesake was made
		}
		s.streams[st.name] = st
		if err := s.store.stream(st); err != nil {
			return err
		}
	}
	go s.keep()
	return nil
}

// loader takes the entries of a journal.
type loader struct {
	service *Service
	key     []byte
	streams map[uint64]*stream // by number
	now     time.Time          // when the latest record came
}

func (l *loader) entry(b []byte) error {
	if len(b) == 0 {
		return errors.New("it is empty")
	}
	kind, content := b[0], b[1:]
	switch kind {
	case serviceEntry:
		var saved savedService
		if err := json.Unmarshal(content, &saved); err != nil {
			return err
		}
		if len(saved.Key) != tokenKeySize {
			return fmt.Errorf("it has a key of %d bytes", len(saved.Key))
		}
		l.key, l.service.made = saved.Key, max(l.service.made, saved.Made)
		return nil
	case streamEntry:
		var saved savedStream
		if err := json.Unmarshal(content, &saved); err != nil {
			return err
		}
		st := l.streams[saved.Number]
		if st == nil {
			st = &stream{
				number: saved.Number, name: saved.Name, account: l.service.config.Account,
				region: saved.Region, created: saved.Created, used: &l.service.used,
			}
			l.streams[st.number] = st
			l.service.made = max(l.service.made, st.number)
		}
		st.restore(saved)
		return nil
	case goneEntry, recordsEntry:
		d := decoder{rest: content}
		number := d.uvarint()
		st := l.streams[number]
		switch {
		case d.bad:
			return errors.New("it has no stream")
		case kind == goneEntry && st != nil:
			st.drop()
			delete(l.streams, number)
			return nil
		case kind == goneEntry:
			return nil
		case st == nil:
			return fmt.Errorf("it has records of a stream %d that is not there: a file is missing", number)
		}
		latest, err := st.restoreRecords(d.rest)
		if err != nil {
			return err
		}
		l.now = later(l.now, latest)
		l.trim()
		return nil
	}
	return fmt.Errorf("its kind %q is unknown: a later version wrote it", kind)
}

// trim keeps within Config.MaxBytes while entries come.
func (l *loader) trim() {
	if !l.service.overBudget() {
		return
	}
	// What the service forgot by itself must not push out what it did not: that
	// was not told.
	streams := slices.Collect(maps.Values(l.streams))
	for _, st := range streams {
		retention := st.Retention
		if c := st.change; c != nil && !st.due.After(l.now) {
			switch {
			case c.Delete:
				retention = 0
			case c.Set != nil:
				retention = max(retention, c.Set.Retention)
			}
		}
		for _, sh := range st.shards {
			sh.drop(sh.dead(l.now.Add(-retention)))
		}
	}
	if l.service.overBudget() {
		l.service.trimOldest(streams)
	}
}

// stream stores a stream if it has changed.
func (s *store) stream(st *stream) error {
	if !st.changed {
		return nil
	}
	if s != nil {
		frame := journal.Begin(nil)
		if st.status == gone {
			frame = appendNumber(frame, goneEntry, st)
		} else {
			frame = st.appendState(frame)
		}
		if err := s.append(frame); err != nil {
			return err
		}
	}
	st.changed = false
	return nil
}

func (s *store) append(frame []byte) error {
	if err := s.journal.Append(frame); err != nil {
		s.log.Error("not stored in the data folder", "error", err)
		return errorf(InternalFailure, "kinesislocal cannot store this in its data folder: %v.", err)
	}
	return nil
}

func appendNumber(b []byte, kind byte, st *stream) []byte {
	return binary.AppendUvarint(append(b, kind), st.number)
}

// batch is records that are stored together, in one entry. A nil batch stores
// nothing.
type batch struct {
	store  *store
	frame  []byte
	shards []*shard // of each record
}

// begin returns an empty batch for a stream.
func (s *store) begin(st *stream) *batch {
	if s == nil {
		return nil
	}
	b, _ := s.batches.Get().(*batch)
	if b == nil {
		b = &batch{store: s}
	}
	b.frame, b.shards = appendNumber(journal.Begin(b.frame), recordsEntry, st), b.shards[:0]
	return b
}

// add takes a record that has just been appended to a shard.
func (b *batch) add(sh *shard, r *Record) {
	if b != nil {
		b.frame, b.shards = appendRecord(b.frame, r), append(b.shards, sh)
	}
}

// end stores the records. When that fails their shards do not have them
// either.
func (b *batch) end() error {
	if b == nil {
		return nil
	}
	defer b.store.batches.Put(b)
	if len(b.shards) == 0 {
		return nil
	}
	err := b.store.append(b.frame)
	if err != nil {
		for _, sh := range b.shards {
			sh.takeBack()
		}
	}
	clear(b.shards)
	return err
}

// keep looks after the journal until Close.
func (s *Service) keep() {
	defer close(s.store.closed)
	tick := time.NewTicker(syncInterval)
	defer tick.Stop()
	var pause time.Time
	for {
		select {
		case <-s.store.closing:
			return
		case <-tick.C:
		}
		if err := s.store.journal.Sync(); err != nil {
			s.config.Log.Error("not synced to the disk", "error", err)
		}
		if !s.checkpointDue() || time.Now().Before(pause) {
			continue
		}
		if err := s.checkpoint(); err != nil && !errors.Is(err, errClosing) {
			s.config.Log.Error("the data folder could not be rewritten without what is trimmed", "error", err)
			pause = time.Now().Add(checkpointPause)
		}
	}
}

// checkpointDue tells whether most of the journal is no longer true.
func (s *Service) checkpointDue() bool {
	return s.store.journal.Size() > 2*s.used.Load()+checkpointSlack
}

var errClosing = errors.New("closing")

// checkpoint rewrites the journal to what is true now. Puts and all else go on
// while it writes.
func (s *Service) checkpoint() error {
	if err := s.store.journal.Sync(); err != nil { // little is left for Rotate, when all wait
		return err
	}
	state, images, err := s.freeze()
	if err != nil {
		return err
	}
	return s.store.journal.Replace(func(add func([]byte) error) error {
		if err := add(append(journal.Begin(nil), state...)); err != nil {
			return err
		}
		var b []byte
		for _, im := range images {
			if err := add(append(journal.Begin(b), im.state...)); err != nil {
				return err
			}
			for _, records := range im.shards {
				for len(records) > 0 {
					select {
					case <-s.store.closing:
						return errClosing
					default:
					}
					b = appendNumber(journal.Begin(b), recordsEntry, im.stream)
					for len(records) > 0 && len(b) < checkpointEntry {
						b = appendRecord(b, &records[0])
						records = records[1:]
					}
					if err := add(b); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
}

// image is a stream at one moment.
type image struct {
	stream *stream
	state  []byte     // as appendState gives it
	shards [][]Record // of each
}

// freeze begins a new file of the journal, and returns what is of no stream and
// the streams as they are at this moment.
func (s *Service) freeze() (state []byte, images []image, err error) {
	s.mu.RLock() // no stream is made meanwhile
	defer s.mu.RUnlock()
	streams := s.sorted()
	for _, st := range streams {
		st.mu.Lock()
		defer st.mu.Unlock()
	}
	if err := s.store.journal.Rotate(); err != nil {
		return nil, nil, err
	}
	for _, st := range streams {
		if st.status == gone {
			continue
		}
		im := image{stream: st, state: st.appendState(nil)}
		for _, sh := range st.shards {
			im.shards = append(im.shards, sh.records)
		}
		images = append(images, im)
	}
	return s.appendState(nil), images, nil
}

// appendState appends what belongs to no stream.
func (s *Service) appendState(b []byte) []byte {
	return appendJSON(append(b, serviceEntry), savedService{s.key[:], s.made})
}

// Close ends what Open has begun: the state is on the disk, and methods that
// would change it fail. Further calls, and those on a Service of New, do
// nothing.
func (s *Service) Close() error {
	if s.store == nil {
		return nil
	}
	s.store.close.Do(func() { close(s.store.closing) })
	<-s.store.closed
	return s.store.journal.Close()
}
