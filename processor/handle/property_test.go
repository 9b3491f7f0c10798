package handle

import (
	"cmp"
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
//	no checkpoint beyond an          advance passes a record that is not finished; watermark
//	unfinished record                returns its batch's end; the end is checkpointed with records in
//	                                 flight, or dropped by a stop; dropped batches count as finished
//	order per key, one at a time     enqueue makes a busy queue ready; a failed record goes to the end
//	                                 of its queue; queues by sequence number; split tries the second
//	                                 half first; a call that times out is not waited for
//	every record finished at least   a record that failed is passed; one at its limit is dropped
//	once, or dead-lettered           without the sink; a failure of the sink is ignored
//	memory bounded                   with MaxInFlightRecords the action is never held; it is held one
//	                                 record too late; without it the batch is answered at once;
//	                                 finished batches keep their records (that they are not
//	                                 joined TestFinishedBatchesAreLetGo finds); records in flight
//	                                 are not counted down
//	no checkpoint after leaseLost    LeaseLost checkpoints
//	progress                         waiting queues are not woken (it hangs)
//
// Guarantee: A checkpoint is the watermark: it never passes an unfinished
// record.
//
// Guarantee: Every checkpoint names its position, except the one at the end of
// the shard.
//
// Guarantee: Every record is finished at least once, despite crashes, stops,
// lost leases and checkpoint errors.
//
// Guarantee: Records of one partition key are handled in order, one at a time.
// With a concurrency of 1 this holds for all records of the shard.
//
// Guarantee: With Options.MaxInFlightRecords the daemon gets its answer as
// soon as there is room: the records held stay below the limit plus one batch.
//
// Guarantee: When the lease is lost, the handlers' contexts are cancelled, no
// checkpoint is made, and no record counts as failed.
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
	then  *rand.Rand // used after the bytes
	seed  uint64
	shard processortest.Shard

	options Options
	trace   []string

	mu       sync.Mutex
	finished map[processor.Position]bool // in any session
	session  *session
	puts     int
}

// session is what one processor has done.
type session struct {
	delivered [][]processor.Record
	finished  map[processor.Position]bool
	attempts  map[processor.Position]int
	busy      map[string]bool // queues with a call in progress
	stopped   bool            // told to stop: records that arrive are dropped
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
	s.options.Concurrency = []int{1, 1, 2, 5}[s.choose(4)]
	s.note("concurrency %d", s.options.Concurrency)
	if s.choose(2) == 0 {
		s.options.BatchSize = 1 + s.choose(12)
		s.note("batches of %d", s.options.BatchSize)
	}
	if s.choose(2) == 0 {
		s.options.MaxInFlightRecords, s.options.MaxInFlightBytes = 1+s.choose(20), 1<<30
		s.note("%d in flight", s.options.MaxInFlightRecords)
	}
	switch s.choose(3) {
	case 0:
		s.options.CheckpointRecords = 1 + s.choose(5)
		s.note("checkpoint every few records")
	case 1:
		s.options.CheckpointInterval = time.Duration(1+s.choose(20)) * time.Second
		s.note("checkpoint every few seconds")
	}
	if s.choose(2) == 0 {
		s.options.MaxAttempts, s.options.DeadLetters = 1+s.choose(3), s
		s.note("dead letters after %d attempts", s.options.MaxAttempts)
	}
	s.options.MinBackoff, s.options.MaxBackoff = time.Second, 10*time.Second
	s.options.StopGrace = cmp.Or(time.Duration(s.choose(10))*time.Second, -1)
	s.options.BatchTimeout = 5 * time.Second
	return s
}

func (s *schedule) note(format string, args ...any) {
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

// fate returns a number below n, the same for the same attempt in every run.
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

// play1 plays one session; a calm one continues to the end of the shard.
func (s *schedule) play1(calm bool) {
	s.note("start at %v", s.shard.Checkpoint())
	ses := &session{finished: map[processor.Position]bool{}, attempts: map[processor.Position]int{}, busy: map[string]bool{}}
	s.mu.Lock()
	s.session = ses
	s.mu.Unlock()
	var p *Processor
	options := s.options
	options.Observer.InFlight = func(f InFlight) { s.held(f, p.loop) }
	if s.options.BatchSize > 0 {
		p = Batch(s.batch, &options)
	} else {
		p = Record(func(ctx context.Context, r processor.Record) error {
			return s.call(ctx, []processor.Record{r}, false)
		}, &options)
	}
	d := s.shard.Start(s.t, &checking{Processor: p, s: s, session: ses}, &processor.Options{CheckpointRetries: 1})
	// In any case the next session begins when nothing of this one runs.
	defer func() { <-p.Done() }()
	defer d.Close()
	do := func(m protocol.Message) bool {
		s.note("%s", m.Action())
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
			s.note("%s", exception)
			s.shard.FailCheckpoint(1+s.choose(2), exception)
		case step == 12:
			time.Sleep(time.Duration(s.choose(20)) * time.Second)
		case step == 13: // crash, during an action or between two
			if s.choose(2) == 0 && delivered < end {
				s.note("crash in a batch")
				d.Begin(s.shard.Next(1 + s.choose(12)))
				time.Sleep(time.Duration(s.choose(20)) * time.Second)
			}
			s.note("crash")
			return
		case step == 14: // stop
			s.note("notice")
			d.StopNotice()
			synctest.Wait()
			s.mu.Lock()
			ses.stopped = true
			s.mu.Unlock()
			if s.choose(2) == 0 && !do(s.shard.Next(1+s.choose(3))) {
				return
			}
			if s.choose(4) == 0 {
				// The end, with records that are dropped or in flight: it must wait.
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

// held checks what the loop, on whose goroutine it is called, keeps in memory.
func (s *schedule) held(f InFlight, l *leaseLoop) {
	batches, unfinished, records, bytes := 0, 0, 0, int64(0)
	for b := l.inFlight.first; b != nil; b = b.next {
		batches++
		if b.left > 0 {
			unfinished++
			records += len(b.records)
			bytes += totalSize(b.records)
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
	if len(records) == 0 || len(records) > s.options.BatchSize {
		s.fail("a batch of %d records, want 1 to %d", len(records), s.options.BatchSize)
	}
	return s.call(ctx, records, true)
}

// queueOf names the queue of r, whose records are in order.
func (s *schedule) queueOf(r processor.Record) string {
	if s.options.Concurrency == 1 {
		return ""
	}
	return r.PartitionKey
}

// call is a call of either handler.
func (s *schedule) call(ctx context.Context, records []processor.Record, batch bool) error {
	s.mu.Lock()
	ses := s.session
	queue := s.queueOf(records[0])
	if ses.busy[queue] {
		s.fail("two calls at once for %q, want one", queue)
	}
	ses.busy[queue] = true
	if len(ses.busy) > s.options.Concurrency {
		s.fail("%d calls at once, want at most %d", len(ses.busy), s.options.Concurrency)
	}
	// All records of the queue before each one must be finished or precede it in
	// this call.
	before := map[processor.Position]bool{}
	for _, r := range records {
		if s.queueOf(r) != queue {
			s.fail("%q and %q in one batch", queue, s.queueOf(r))
		}
		for _, b := range ses.delivered {
			for _, e := range b {
				if s.queueOf(e) == queue && e.Position().Compare(r.Position()) < 0 && !ses.finished[e.Position()] && !before[e.Position()] {
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
		case f == 0 && (s.options.MaxAttempts > 0 || attempt < 6), f == 1 && attempt < 3, fate >= 4 && fate < 6:
			failures[i] = errBad
			if fate%3 == 0 && s.options.MaxAttempts > 0 {
				failures[i] = Permanent(errBad)
			}
			err = failures[i]
		}
	}
	partial := batch && len(failures) > 0 && fate%2 == 0

	s.mu.Lock()
	defer s.mu.Unlock()
	delete(ses.busy, queue)
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

// Put is the sink, which sometimes fails.
func (s *schedule) Put(_ context.Context, letter DeadLetter) error {
	p := processor.Position{SequenceNumber: letter.SequenceNumber, SubSequenceNumber: letter.SubSequenceNumber}
	s.mu.Lock()
	defer s.mu.Unlock()
	if letter.Reason == ReasonAttempts && letter.Attempts < s.options.MaxAttempts {
		s.fail("%v was given up after %d attempts, want %d", p, letter.Attempts, s.options.MaxAttempts)
	}
	if s.puts++; s.fate(p, s.puts, 4) == 0 {
		return errBad
	}
	s.finish(s.session, p)
	return nil
}

// checking is the processor with the checks of the properties.
type checking struct {
	*Processor
	s       *schedule
	session *session
}

func (c *checking) ProcessRecords(_ context.Context, in processor.ProcessRecordsInput) error {
	c.s.mu.Lock()
	held := 0
	for _, b := range c.session.delivered {
		for _, r := range b {
			if !c.session.finished[r.Position()] {
				held += len(b)
				break
			}
		}
	}
	if !c.session.stopped && held > 0 && held >= c.s.options.MaxInFlightRecords {
		c.s.fail("a batch is requested while %d records are held, want fewer than %d", held, max(1, c.s.options.MaxInFlightRecords))
	}
	c.session.delivered = append(c.session.delivered, in.Records)
	c.s.mu.Unlock()
	return c.loop.do(action{kind: deliver, records: in.Records, lag: in.MillisBehindLatest, checkpointer: c.wrap(in.Checkpointer)})
}

func (c *checking) ShutdownRequested(_ context.Context, in processor.ShutdownRequestedInput) error {
	return c.loop.do(action{kind: stop, checkpointer: c.wrap(in.Checkpointer)})
}

func (c *checking) ShardEnded(_ context.Context, in processor.ShardEndedInput) error {
	return c.loop.do(action{kind: end, checkpointer: c.wrap(in.Checkpointer)})
}

func (c *checking) LeaseLost(ctx context.Context, in processor.LeaseLostInput) error {
	c.s.mu.Lock()
	c.session.over = true
	c.s.mu.Unlock()
	return c.Processor.LeaseLost(ctx, in)
}

func (c *checking) wrap(to *processor.Checkpointer) checkpointer { return checked{c, to} }

// checked checks each checkpoint when it is requested.
type checked struct {
	*checking
	to *processor.Checkpointer
}

func (c checked) Checkpoint(ctx context.Context) error {
	c.check(processor.Position{SequenceNumber: protocol.ShardEnd})
	return c.to.Checkpoint(ctx)
}

func (c checked) CheckpointAt(ctx context.Context, p processor.Position) error {
	if !p.IsRecord() {
		c.s.fail("checkpoint at %v, want the position of a record", p)
	}
	c.check(p)
	return c.to.CheckpointAt(ctx, p)
}

func (c checked) check(p processor.Position) {
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
