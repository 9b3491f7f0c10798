package handle

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/processortest"
	"github.com/seed96110120/kinesis-client-go/protocol"
)

// The properties hold for every schedule of successes, failures, panics, slow
// and partly failed calls, batches, aggregates, options, checkpoint errors,
// stops, lost leases and crashes. A schedule is made of bytes: FuzzSchedules
// gets them from the fuzzer, TestProperties from a seed.
//
// Each was shown to fail by the faults planted for it:
//
//	property                         fault
//	no checkpoint beyond an          flight.advance passes a record that is not finished; watermark
//	unfinished record                returns its batch's end; the end is checkpointed with records in
//	                                 flight, or dropped by a stop; dropped batches count as finished
//	order per key, one at a time     enqueue makes a busy lane ready; a failed record goes to the end
//	                                 of its lane; lanes by sequence number; split tries the second
//	                                 half first; a call that times out is not waited for
//	every record finished at least   a record that failed is passed; one at its limit is dropped
//	once, or dead-lettered           without the sink; a failure of the sink is ignored
//	memory bounded                   with WithMaxInFlight the action is never held; it is held one
//	                                 record too late; without it the batch is answered at once;
//	                                 finished batches keep their records (that they are not
//	                                 joined TestFinishedBatchesAreLetGo finds); records in flight
//	                                 are not counted down
//	no checkpoint after leaseLost    LeaseLost checkpoints
//	progress                         waiting lanes are not woken (it hangs)
func TestProperties(t *testing.T) {
	schedules := 200
	if testing.Short() {
		schedules = 50
	}
	for seed := range schedules {
		data := binary.BigEndian.AppendUint64(nil, uint64(seed))
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newSchedule(t, data).play() })
		})
		if t.Failed() {
			return // one is enough to read
		}
	}
}

func FuzzSchedules(f *testing.F) {
	f.Add([]byte("1"))
	f.Add([]byte("\x02\x01\x03\x01\x00\x04\x07\x07\x01\x01\x09\x20\x11\x00\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		synctest.Test(t, func(t *testing.T) { newSchedule(t, data).play() })
	})
}

// schedule is one run of a shard: sessions of one processor each, until the
// shard has ended.
type schedule struct {
	t     *testing.T
	bytes []byte
	then  *rand.Rand // when the bytes are used up
	seed  uint64
	shard processortest.Shard

	workers, batchSize, maxRecords, attempts int
	options                                  []Option
	trace                                    []string

	mu       sync.Mutex
	finished map[processor.Position]bool // in any session
	session  *session
	puts     int
}

// session is what was seen of one processor.
type session struct {
	delivered [][]processor.Record
	finished  map[processor.Position]bool
	attempts  map[processor.Position]int
	busy      map[string]bool // lanes with a call in work
	stopped   bool            // told to stop: what comes is dropped
	over      bool            // the lease is lost
}

func newSchedule(t *testing.T, data []byte) *schedule {
	hash := fnv.New64a()
	hash.Write(data)
	s := &schedule{t: t, bytes: data, seed: hash.Sum64(), finished: map[processor.Position]bool{}}
	s.then = rand.New(rand.NewPCG(s.seed, 0))
	keys := 1 + s.choose(5)
	for range 10 + s.choose(40) {
		key := fmt.Sprint("key", s.choose(keys))
		if s.choose(4) == 0 {
			s.shard.PutAggregate(key, make([]string, 2+s.choose(4))...)
		} else {
			s.shard.Put(key, "")
		}
	}
	s.workers = []int{1, 1, 2, 5}[s.choose(4)]
	s.set(WithWorkers(s.workers), "%d workers", s.workers)
	if s.choose(2) == 0 {
		s.batchSize = 1 + s.choose(12)
		s.set(WithBatchSize(s.batchSize), "batches of %d", s.batchSize)
	}
	if s.choose(2) == 0 {
		s.maxRecords = 1 + s.choose(20)
		s.set(WithMaxInFlight(s.maxRecords, 1<<30), "%d in flight", s.maxRecords)
	}
	switch s.choose(3) {
	case 0:
		s.set(WithCheckpointEvery(1+s.choose(5), 0), "checkpoint every few records")
	case 1:
		s.set(WithCheckpointEvery(0, time.Duration(1+s.choose(20))*time.Second), "checkpoint every few seconds")
	}
	if s.choose(2) == 0 {
		s.attempts = 1 + s.choose(3)
		s.set(WithAttempts(s.attempts), "%d attempts", s.attempts)
		s.set(WithDeadLetter(s), "dead letters")
	}
	s.set(WithBackoff(time.Second, 10*time.Second), "backoff")
	s.set(WithStopGrace(time.Duration(s.choose(10))*time.Second), "grace")
	s.set(WithBatchTimeout(5*time.Second), "time-out")
	return s
}

func (s *schedule) set(o Option, format string, args ...any) {
	s.options = append(s.options, o)
	s.trace = append(s.trace, fmt.Sprintf(format, args...))
}

// choose returns a number below n.
func (s *schedule) choose(n int) int {
	if len(s.bytes) > 0 {
		b := s.bytes[0]
		s.bytes = s.bytes[1:]
		return int(b) % n
	}
	return s.then.IntN(n)
}

// fate is the same number below n for the same attempt in every run.
func (s *schedule) fate(p processor.Position, attempt, n int) int {
	hash := fnv.New64a()
	fmt.Fprint(hash, s.seed, p, attempt)
	return int(hash.Sum64() % uint64(n))
}

func (s *schedule) fail(format string, args ...any) {
	s.t.Errorf("%s\nschedule: %s", fmt.Sprintf(format, args...), strings.Join(s.trace, ", "))
}

func (s *schedule) play() {
	for sessions := 0; s.shard.Checkpoint().SequenceNumber != protocol.ShardEnd && !s.t.Failed(); sessions++ {
		if sessions > 500 {
			s.fail("no end of the shard in %d sessions", sessions)
		}
		s.play1(len(s.trace) > 200)
	}
	if s.t.Failed() {
		return
	}
	for _, r := range s.shard.Records() {
		if !s.finished[r.Position()] {
			s.fail("%v was never finished, and the shard has ended", r.Position())
		}
	}
}

// play1 plays one session; a calm one goes to the end of the shard.
func (s *schedule) play1(calm bool) {
	s.trace = append(s.trace, "start at "+s.shard.Checkpoint().String())
	ses := &session{finished: map[processor.Position]bool{}, attempts: map[processor.Position]int{}, busy: map[string]bool{}}
	s.mu.Lock()
	s.session = ses
	s.mu.Unlock()
	var p *Processor
	options := append(s.options[:len(s.options):len(s.options)], WithObserver(Observer{
		InFlight: func(f InFlight) { s.held(f, p.owner) },
	}))
	if s.batchSize > 0 {
		p = Batch(s.batch, options...)
	} else {
		p = Record(func(ctx context.Context, r processor.Record) error {
			return s.call(ctx, []processor.Record{r}, false)
		}, options...)
	}
	d := s.shard.Start(s.t, &checking{Processor: p, s: s, session: ses}, processor.WithCheckpointRetries(1))
	// Whatever happens: the next session begins when nothing of this one runs.
	defer func() { <-p.Done() }()
	defer d.Close()
	do := func(m protocol.Message) bool {
		s.trace = append(s.trace, m.Action())
		return d.Begin(m).Wait() == nil
	}
	if !do(s.shard.Initialize()) {
		s.fail("initialize failed")
		return
	}
	end := len(s.shard.Records())
	for {
		delivered := 0
		for _, b := range ses.delivered {
			delivered += len(b)
		}
		step := 0
		if !calm {
			step = s.choose(16)
		}
		switch {
		case step < 9:
			m := s.shard.Next(1 + s.choose(12))
			if len(m.Records) == 0 {
				do(protocol.ShardEnded{})
				return
			}
			if !do(m) {
				return
			}
		case step < 11:
			if !do(s.shard.Next(0)) {
				return
			}
		case step == 11:
			exception := []string{"ThrottlingException", "KinesisClientLibDependencyException", "ShutdownException", "InvalidStateException"}[s.choose(4)]
			s.trace = append(s.trace, exception)
			s.shard.FailCheckpoint(1+s.choose(2), exception)
		case step == 12:
			time.Sleep(time.Duration(s.choose(20)) * time.Second)
		case step == 13: // crash, with an action in work or between two
			if s.choose(2) == 0 && delivered < end {
				s.trace = append(s.trace, "crash in a batch")
				d.Begin(s.shard.Next(1 + s.choose(12)))
				time.Sleep(time.Duration(s.choose(20)) * time.Second)
			}
			s.trace = append(s.trace, "crash")
			return
		case step == 14: // stop
			s.trace = append(s.trace, "notice")
			d.StopNotice()
			synctest.Wait()
			s.mu.Lock()
			ses.stopped = true
			s.mu.Unlock()
			if s.choose(2) == 0 && !do(s.shard.Next(1+s.choose(3))) {
				return
			}
			if s.choose(4) == 0 {
				// The end, with records that are dropped or in work: it must wait.
				if do(s.shard.Next(end)) {
					do(protocol.ShardEnded{})
				}
				return
			}
			if do(protocol.ShutdownRequested{}) {
				do(protocol.LeaseLost{})
			}
			return
		case step == 15:
			if s.choose(2) == 0 && !do(protocol.ShutdownRequested{}) {
				return
			}
			do(protocol.LeaseLost{})
			return
		}
	}
}

// held looks at what the owner, whose goroutine it is called from, keeps.
func (s *schedule) held(f InFlight, o *owner) {
	batches, unfinished, records, bytes := 0, 0, 0, int64(0)
	for b := o.flight.first; b != nil; b = b.next {
		batches++
		if b.left > 0 {
			unfinished++
			records += len(b.records)
			bytes += weight(b.records)
		} else if b.records != nil {
			s.fail("a finished batch keeps its records")
		}
	}
	if f.Records != records || f.Bytes != bytes {
		s.fail("%d records and %d bytes are in flight, %d and %d are counted", records, bytes, f.Records, f.Bytes)
	}
	if batches > 2*unfinished {
		s.fail("%d batches are kept for %d that are not finished", batches, unfinished)
	}
}

// batch is the handler of batches.
func (s *schedule) batch(ctx context.Context, records []processor.Record) error {
	if len(records) == 0 || len(records) > s.batchSize {
		s.fail("a batch of %d", len(records))
	}
	return s.call(ctx, records, true)
}

// lane is what must be in order with r.
func (s *schedule) lane(r processor.Record) string {
	if s.workers == 1 {
		return ""
	}
	return r.PartitionKey
}

// call is a call of either handler.
func (s *schedule) call(ctx context.Context, records []processor.Record, batch bool) error {
	s.mu.Lock()
	ses := s.session
	lane := s.lane(records[0])
	if ses.busy[lane] {
		s.fail("two calls at once for %q", lane)
	}
	ses.busy[lane] = true
	if len(ses.busy) > s.workers {
		s.fail("%d calls at once", len(ses.busy))
	}
	// Everything of the lane before each record must be finished or in the call
	// before it.
	before := map[processor.Position]bool{}
	for _, r := range records {
		if s.lane(r) != lane {
			s.fail("%q and %q in one batch", lane, s.lane(r))
		}
		for _, b := range ses.delivered {
			for _, e := range b {
				if s.lane(e) == lane && e.Position().Compare(r.Position()) < 0 && !ses.finished[e.Position()] && !before[e.Position()] {
					s.fail("%v is tried, %v before it is not finished", r.Position(), e.Position())
				}
			}
		}
		if ses.finished[r.Position()] && !batch {
			s.fail("%v is tried again, it was finished", r.Position())
		}
		before[r.Position()] = true
		ses.attempts[r.Position()]++
	}
	first := records[0].Position()
	attempt := ses.attempts[first]
	s.mu.Unlock()

	fate := s.fate(first, attempt, 20)
	switch {
	case fate < 4:
		wait(ctx, time.Duration(fate+1)*time.Second)
	case fate == 4:
		wait(ctx, time.Minute) // until its time-out
	}
	failures := Failures{}
	var err error
	for i, r := range records {
		f := s.fate(r.Position(), 0, 10) // of the record: 0 fails for long, 1 for a while
		switch {
		case f == 0 && (s.attempts > 0 || attempt < 6), f == 1 && attempt < 3, fate >= 4 && fate < 6:
			failures[i] = errBad
			if fate%3 == 0 && s.attempts > 0 {
				failures[i] = Permanent(errBad)
			}
			err = failures[i]
		}
	}
	partial := batch && len(failures) > 0 && fate%2 == 0

	s.mu.Lock()
	defer s.mu.Unlock()
	delete(ses.busy, lane)
	for i, r := range records {
		if _, failed := failures[i]; err == nil || partial && !failed {
			s.finish(ses, r.Position())
		}
	}
	switch {
	case err == nil:
		return nil
	case partial:
		return failures
	case fate%5 == 0:
		panic(err)
	}
	return err
}

func (s *schedule) finish(ses *session, p processor.Position) {
	ses.finished[p] = true
	s.finished[p] = true
}

// Put is the sink: it fails now and then.
func (s *schedule) Put(_ context.Context, letter DeadLetter) error {
	p := processor.Position{SequenceNumber: letter.SequenceNumber, SubSequenceNumber: letter.SubSequenceNumber}
	s.mu.Lock()
	defer s.mu.Unlock()
	if letter.Reason == ReasonAttempts && letter.Attempts < s.attempts {
		s.fail("%v was given up after %d attempts", p, letter.Attempts)
	}
	if s.puts++; s.fate(p, s.puts, 4) == 0 {
		return errBad
	}
	s.finish(s.session, p)
	return nil
}

// checking is the processor with what the properties look at.
type checking struct {
	*Processor
	s       *schedule
	session *session
}

func (c *checking) ProcessRecords(_ context.Context, in processor.ProcessRecordsInput) error {
	c.s.mu.Lock()
	pinned := 0
	for _, b := range c.session.delivered {
		for _, r := range b {
			if !c.session.finished[r.Position()] {
				pinned += len(b)
				break
			}
		}
	}
	if !c.session.stopped && pinned > 0 && pinned >= c.s.maxRecords {
		c.s.fail("a batch is asked for while %d records are pinned", pinned)
	}
	c.session.delivered = append(c.session.delivered, in.Records)
	c.s.mu.Unlock()
	return c.owner.ask(action{kind: deliver, records: in.Records, lag: in.MillisBehindLatest, checkpointer: c.check(in.Checkpointer)})
}

func (c *checking) ShutdownRequested(_ context.Context, in processor.ShutdownRequestedInput) error {
	return c.owner.ask(action{kind: stop, checkpointer: c.check(in.Checkpointer)})
}

func (c *checking) ShardEnded(_ context.Context, in processor.ShardEndedInput) error {
	return c.owner.ask(action{kind: end, checkpointer: c.check(in.Checkpointer)})
}

func (c *checking) LeaseLost(ctx context.Context, in processor.LeaseLostInput) error {
	c.s.mu.Lock()
	c.session.over = true
	c.s.mu.Unlock()
	return c.Processor.LeaseLost(ctx, in)
}

func (c *checking) check(to *processor.Checkpointer) checkpointer { return checked{c, to} }

// checked looks at each checkpoint when it is asked for.
type checked struct {
	*checking
	to *processor.Checkpointer
}

func (c checked) Checkpoint(ctx context.Context) error {
	c.look(processor.Position{SequenceNumber: protocol.ShardEnd})
	return c.to.Checkpoint(ctx)
}

func (c checked) CheckpointAt(ctx context.Context, p processor.Position) error {
	if !p.IsRecord() {
		c.s.fail("checkpoint at %v", p)
	}
	c.look(p)
	return c.to.CheckpointAt(ctx, p)
}

func (c checked) look(p processor.Position) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.session.over {
		c.s.fail("checkpoint at %v after the lease was lost", p)
	}
	for _, b := range c.session.delivered {
		for _, r := range b {
			if r.Position().Compare(p) <= 0 && !c.session.finished[r.Position()] {
				c.s.fail("checkpoint at %v, %v is not finished", p, r.Position())
			}
		}
	}
}
