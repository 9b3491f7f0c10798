package processortest

import (
	"fmt"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/protocol"
)

// Shard is a simulated shard: its records and its lease's checkpoint, which
// outlive the processors that are started on it. The zero Shard has no records
// and no checkpoint and is ready for use. Its methods may be called from any
// goroutine. A Shard must not be copied.
type Shard struct {
	// ID is the shard's ID, shardId-000000000000 when left empty. It must not
	// change once a processor was started.
	ID string
	// Stream is the name of its stream, and Key the key of its lease, as in
	// processor.Lease. They may be left empty. They must not change either.
	Stream, Key string

	mu          sync.Mutex
	records     []processor.Record
	checkpoints []processor.Position
	delivered   []processor.Position

	owner     *Daemon            // has the lease
	next      processor.Position // what is delivered next comes after it
	permitted processor.Position // the greatest that may be checkpointed
	closed    bool               // in an action without a checkpointer

	calls    int            // checkpoints asked for
	failures map[int]string // by call
}

// Put appends one record for each of data, with the partition key, the present
// time and the next sequence number, counted from 1.
func (s *Shard) Put(partitionKey string, data ...string) {
	for _, d := range data {
		s.PutAggregate(partitionKey, d)
	}
}

// PutAggregate appends what the Kinesis Producer Library would put as one
// record: user records that share the next sequence number and differ in their
// sub-sequence number, counted from 0.
func (s *Shard) PutAggregate(partitionKey string, data ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := big.NewInt(1)
	if n := len(s.records); n > 0 {
		last, _ := new(big.Int).SetString(s.records[n-1].SequenceNumber, 10)
		next.Add(last, next)
	}
	for i, d := range data {
		s.records = append(s.records, processor.Record{
			Data:                        []byte(d),
			PartitionKey:                partitionKey,
			SequenceNumber:              next.String(),
			SubSequenceNumber:           int64(i),
			ApproximateArrivalTimestamp: time.Now().UTC().Truncate(time.Millisecond),
		})
	}
}

// PutRecords appends records as they are. It panics when their positions do
// not ascend: no shard has such records.
func (s *Shard) PutRecords(records ...processor.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range records {
		if !r.Position().IsRecord() {
			panic(fmt.Sprintf("processortest: PutRecords: %v is no record's position", r.Position()))
		}
		if n := len(s.records); n > 0 && s.records[n-1].Position().Compare(r.Position()) >= 0 {
			panic(fmt.Sprintf("processortest: PutRecords: the record at %v comes after the one at %v", r.Position(), s.records[n-1].Position()))
		}
		s.records = append(s.records, r)
	}
}

// Records returns all that was put.
func (s *Shard) Records() []processor.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.records)
}

// Initialize is the first message to a processor: it starts at the last
// checkpoint, or at TRIM_HORIZON.
func (s *Shard) Initialize() protocol.Initialize {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := protocol.Initialize{ShardID: s.id(), Position: s.checkpoint()}
	if m.Position.IsZero() {
		m.Position.SequenceNumber = protocol.TrimHorizon
	}
	return m
}

// Next is the batch of the next n records, of fewer when there are not so many;
// n = 0 makes the empty batch. They count as delivered when they are sent. The
// lag is 0 for a batch that reaches the tip, else its last record's age, 1 ms at
// least; it may be changed.
func (s *Shard) Next(n int) protocol.ProcessRecords {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := len(s.records)
	for first > 0 && s.records[first-1].Position().Compare(s.next) > 0 {
		first--
	}
	last := min(first+n, len(s.records))
	m := protocol.ProcessRecords{Records: slices.Clone(s.records[first:last])}
	if last < len(s.records) {
		m.MillisBehindLatest = 1
		if last > 0 {
			m.MillisBehindLatest = max(1, time.Since(s.records[last-1].ApproximateArrivalTimestamp).Milliseconds())
		}
	}
	return m
}

// FailCheckpoint has the daemon answer a checkpoint with an exception, such as
// "ThrottlingException", and not take it. call counts the checkpoints that are
// asked for from now on: 1 is the next. The retries of a throttled one count.
func (s *Shard) FailCheckpoint(call int, exception string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failures == nil {
		s.failures = map[int]string{}
	}
	s.failures[s.calls+call] = exception
}

// Checkpoint returns the last checkpoint: the zero Position when there is none,
// protocol.ShardEnd at the end of the shard.
func (s *Shard) Checkpoint() processor.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.checkpoint()
}

// Checkpoints returns all the checkpoints that were made, in order.
func (s *Shard) Checkpoints() []processor.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.checkpoints)
}

// Delivered returns the positions of the records in the order in which
// processors saw them; one that was delivered again is there again.
func (s *Shard) Delivered() []processor.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.delivered)
}

func (s *Shard) id() string {
	if s.ID == "" {
		return "shardId-000000000000"
	}
	return s.ID
}

func (s *Shard) checkpoint() processor.Position {
	if n := len(s.checkpoints); n > 0 {
		return s.checkpoints[n-1]
	}
	return processor.Position{}
}

// own gives the lease to d. Whoever had it is told at its next checkpoint.
func (s *Shard) own(d *Daemon) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owner = d
}

// sent notes what d is about to send.
func (s *Shard) sent(d *Daemon, m protocol.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner != d {
		return
	}
	switch m := m.(type) {
	case protocol.Initialize:
		s.closed = true
		s.next, s.permitted = m.Position, m.Position
	case protocol.ProcessRecords:
		s.closed = false
		for _, r := range m.Records {
			s.next = r.Position()
			s.delivered = append(s.delivered, s.next)
		}
		s.permitted = s.next
	case protocol.ShutdownRequested:
		s.closed = false
	case protocol.LeaseLost:
		s.closed = true
	case protocol.ShardEnded:
		s.end()
	case protocol.Shutdown:
		s.closed = true
		if m.Reason == protocol.ReasonTerminate || m.Reason == protocol.ReasonShardEnd {
			s.end()
		}
	case protocol.Checkpoint: // the test answers by itself
		if m.Error == "" {
			s.take(m.Position)
		}
	}
}

func (s *Shard) end() {
	s.closed = false
	s.permitted = processor.Position{SequenceNumber: protocol.ShardEnd}
}

// ask takes a checkpoint that d's child asks for, or returns the exception that
// the real daemon would have met.
func (s *Shard) ask(d *Daemon, p processor.Position) (exception string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if exception, ok := s.failures[s.calls]; ok {
		return exception
	}
	switch {
	case s.owner != d:
		return "ShutdownException"
	case s.closed:
		return "InvalidStateException"
	case !p.IsZero() && (p.Compare(s.checkpoint()) < 0 || p.Compare(s.permitted) > 0):
		return "IllegalArgumentException"
	}
	s.take(p)
	return ""
}

// take makes a checkpoint; the zero Position means the greatest permitted.
func (s *Shard) take(p processor.Position) {
	if p.IsZero() {
		p = s.permitted
	}
	s.checkpoints = append(s.checkpoints, p)
}
