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

// Shard is a simulated shard with its records and the checkpoint of its lease, which
// outlive the processors that are started on it. The zero Shard has no records
// and no checkpoint and is ready for use. Its methods may be called from any
// goroutine. A Shard must not be copied.
type Shard struct {
	// ID is the shard's ID. It must not change after the first start. Defaults
	// to shardId-000000000000.
	ID string
	// Stream is the name of the shard's stream, and Key the key of its lease: see
	// [processor.Lease]. They must not change after the first start. Empty means
	// that the host does not tell them.
	Stream, Key string

	mu          sync.Mutex
	records     []processor.Record
	checkpoints []processor.Position
	delivered   []processor.Position

	owner     *Daemon            // has the lease
	next      processor.Position // records after it come next
	permitted processor.Position // the greatest for a checkpoint
	closed    bool               // during an action without a checkpointer

	calls    int            // checkpoints requested
	failures map[int]string // by call
}

// Put appends one record for each of data, with the partition key, the current time
// and the next sequence number, from 1.
func (s *Shard) Put(partitionKey string, data ...string) {
	for _, d := range data {
		s.PutAggregate(partitionKey, d)
	}
}

// PutAggregate appends user records that the Kinesis Producer Library would put as
// one record: they have the same sequence number, the next, and sub-sequence
// numbers from 0.
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

// PutRecords appends records unchanged. It panics if their positions do not ascend,
// as they do in every shard.
func (s *Shard) PutRecords(records ...processor.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range records {
		if !r.Position().IsRecord() {
			panic(fmt.Sprintf("processortest: PutRecords: %v is not the position of a record", r.Position()))
		}
		if n := len(s.records); n > 0 && s.records[n-1].Position().Compare(r.Position()) >= 0 {
			panic(fmt.Sprintf("processortest: PutRecords: the record at %v comes after the one at %v", r.Position(), s.records[n-1].Position()))
		}
		s.records = append(s.records, r)
	}
}

// Records returns all records that were put.
func (s *Shard) Records() []processor.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.records)
}

// Initialize returns the first message to a processor, which starts it at the last
// checkpoint or, without one, at TRIM_HORIZON.
func (s *Shard) Initialize() protocol.Initialize {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := protocol.Initialize{ShardID: s.id(), Position: s.checkpoint()}
	if m.Position.IsZero() {
		m.Position.SequenceNumber = protocol.TrimHorizon
	}
	return m
}

// Next returns a batch with the next n records, or with those that are left. An n of
// 0 makes an empty batch. The records count as delivered when they are sent. The
// lag, which the caller may change, is 0 for a batch that reaches the end of the
// records, else the age of its last record, at least 1 ms.
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

// FailCheckpoint makes the daemon refuse a checkpoint with an exception. call is
// the number of the checkpoint from now on, 1 for the next one that a processor
// requests. Retries of a throttled checkpoint count too. The processor's
// checkpoint fails with a [processor.CheckpointError] that wraps
//
//   - ErrThrottled for ThrottlingException, if each retry is refused with it too;
//   - ErrLeaseLost for ShutdownException;
//   - ErrInvalidState for InvalidStateException;
//   - ErrDependency for KinesisClientLibDependencyException;
//   - ErrOutOfRange for IllegalArgumentException;
//   - nothing for any other name.
func (s *Shard) FailCheckpoint(call int, exception string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failures == nil {
		s.failures = map[int]string{}
	}
	s.failures[s.calls+call] = exception
}

// Checkpoint returns the last checkpoint. It is the zero Position if there is none,
// and has the sequence number [protocol.ShardEnd] at the end of the shard.
func (s *Shard) Checkpoint() processor.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.checkpoint()
}

// Checkpoints returns all checkpoints that were made, in order.
func (s *Shard) Checkpoints() []processor.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.checkpoints)
}

// Delivered returns the positions of the records in the order of their delivery. A
// record that was delivered twice is there twice.
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

// giveLease gives the lease to d. The daemon that had it learns that at its next
// checkpoint.
func (s *Shard) giveLease(d *Daemon) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owner = d
}

// noteSent updates the shard for a message that d is about to send.
func (s *Shard) noteSent(d *Daemon, m protocol.Message) {
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
	case protocol.Checkpoint: // the test answers the processor itself
		if m.Error == "" {
			s.take(m.Position)
		}
	}
}

func (s *Shard) end() {
	s.closed = false
	s.permitted = processor.Position{SequenceNumber: protocol.ShardEnd}
}

// requestCheckpoint takes a checkpoint that d's processor requests, or returns the
// exception of the real daemon.
func (s *Shard) requestCheckpoint(d *Daemon, p processor.Position) (exception string) {
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

// take takes a checkpoint; the zero Position means the greatest permitted.
func (s *Shard) take(p processor.Position) {
	if p.IsZero() {
		p = s.permitted
	}
	s.checkpoints = append(s.checkpoints, p)
}
