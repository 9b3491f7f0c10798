package protocol

import (
	"bytes"
	"strings"
	"time"
	"unsafe"
)

// The actions of the protocol are the values of "action" in messages, and of
// "responseFor" in a [Status].
const (
	ActionInitialize        = "initialize"
	ActionProcessRecords    = "processRecords"
	ActionCheckpoint        = "checkpoint"
	ActionLeaseLost         = "leaseLost"
	ActionShardEnded        = "shardEnded"
	ActionShutdownRequested = "shutdownRequested"
	ActionShutdown          = "shutdown"
	ActionStatus            = "status"
)

// Message is one line of the protocol. Its dynamic type is one of
// [Initialize], [ProcessRecords], [Checkpoint], [LeaseLost], [ShardEnded],
// [ShutdownRequested], [Shutdown] and [Status], always as a value, never as a
// pointer.
type Message interface {
	// Action returns the message's "action" on the wire.
	Action() string
	sealed()
}

// Initialize (daemon to child) is the first message. It names the shard.
type Initialize struct {
	// ShardID is never empty.
	ShardID string
	// Position is the lease's last checkpoint: a record's position, or
	// TrimHorizon, Latest or AtTimestamp for a shard without a checkpoint. The
	// zero Position is null on the wire.
	Position Position
}

// UnknownLag is the MillisBehindLatest of a batch whose lag the daemon does not
// know. It is null on the wire.
const UnknownLag = -1

// ProcessRecords (daemon to child) delivers a batch of records, which may be empty.
type ProcessRecords struct {
	// Records are in the order of the shard.
	Records []Record
	// MillisBehindLatest is how far the batch is behind the tip of the shard, in
	// milliseconds. UnknownLag is null on the wire; Write writes every negative
	// number as null.
	MillisBehindLatest int64
}

// Record is one user record. It stays valid for as long as it is kept, but keeps
// the memory of all records of its batch: see [Record.Clone] and [Record.Size].
//
// The daemon separates the user records that the Kinesis Producer Library has
// aggregated into one Kinesis record. They have the same SequenceNumber and
// differ in SubSequenceNumber.
type Record struct {
	// Data is what the producer put, of 0 bytes to 10 MiB; nil is null on the
	// wire. The Data that a Reader returned may be changed and appended to; that
	// changes no other record's Data.
	Data []byte
	// PartitionKey is never empty in Kinesis; empty is null on the wire.
	PartitionKey string
	// SequenceNumber is a decimal number of up to 186 bits. Compare it with
	// Position.Compare, not as text.
	SequenceNumber string
	// SubSequenceNumber counts the user records of one aggregate from 0.
	SubSequenceNumber int64
	// ApproximateArrivalTimestamp is when the stream received the record, in
	// UTC, in whole milliseconds. The zero Time is null on the wire.
	ApproximateArrivalTimestamp time.Time
}

// Position returns the position of the record in its shard.
func (r Record) Position() Position {
	return Position{SequenceNumber: r.SequenceNumber, SubSequenceNumber: r.SubSequenceNumber}
}

// Size returns the memory that the record takes, in bytes: its Data, PartitionKey
// and SequenceNumber, and the Record itself. A record that you keep holds the memory
// of its whole batch, the sum of Size over the batch: a memory limit must count that
// sum.
func (r Record) Size() int {
	return recordSize + len(r.Data) + len(r.PartitionKey) + len(r.SequenceNumber)
}

// recordSize is the memory of a Record without what it points to.
const recordSize = int(unsafe.Sizeof(Record{}))

// Clone returns a copy of r that does not share memory with r's batch. To keep a
// few records of many batches, keep clones.
func (r Record) Clone() Record {
	r.Data = bytes.Clone(r.Data)
	r.PartitionKey = strings.Clone(r.PartitionKey)
	r.SequenceNumber = strings.Clone(r.SequenceNumber)
	return r
}

// Checkpoint asks the daemon to checkpoint (child to daemon), or says whether the
// daemon has done so (daemon to child).
type Checkpoint struct {
	// Position is where to checkpoint. The zero Position, null on the wire, means
	// the last record that was delivered. The answer repeats it.
	Position Position
	// Error is the simple name of the Java exception that the checkpoint failed
	// with. It is empty in a request, and in the answer to a checkpoint that
	// succeeded.
	Error string
}

// LeaseLost (daemon to child) says that this worker no longer has the lease.
type LeaseLost struct{}

// ShardEnded (daemon to child) says that all records of a closed shard were
// delivered. The child must make a successful [Checkpoint] at the zero Position
// before it answers, or the shards that follow this one are never read.
type ShardEnded struct{}

// ShutdownRequested (daemon to child) says that the daemon is about to stop.
type ShutdownRequested struct{}

// The values of [Shutdown].Reason: ReasonTerminate and ReasonZombie are those of KCL
// 1.x, ReasonShardEnd and ReasonLeaseLost the same reasons under their names in KCL 2
// and 3.
const (
	ReasonTerminate = "TERMINATE"
	ReasonZombie    = "ZOMBIE"
	ReasonShardEnd  = "SHARD_END"
	ReasonLeaseLost = "LEASE_LOST"
)

// Shutdown (daemon to child) is what a KCL 1.x daemon sends instead of
// [LeaseLost] and [ShardEnded].
type Shutdown struct {
	// Reason is never empty. ReasonTerminate and ReasonShardEnd mean that the
	// shard has ended, ReasonZombie and ReasonLeaseLost that the lease is lost.
	Reason string
}

// Status (child to daemon) says that an action is done.
type Status struct {
	// ResponseFor is the action that is done. The daemon fails if it is not the
	// action that it has sent.
	ResponseFor string
}

// Action returns [ActionInitialize].
func (Initialize) Action() string { return ActionInitialize }

// Action returns [ActionProcessRecords].
func (ProcessRecords) Action() string { return ActionProcessRecords }

// Action returns [ActionCheckpoint].
func (Checkpoint) Action() string { return ActionCheckpoint }

// Action returns [ActionLeaseLost].
func (LeaseLost) Action() string { return ActionLeaseLost }

// Action returns [ActionShardEnded].
func (ShardEnded) Action() string { return ActionShardEnded }

// Action returns [ActionShutdownRequested].
func (ShutdownRequested) Action() string { return ActionShutdownRequested }

// Action returns [ActionShutdown].
func (Shutdown) Action() string { return ActionShutdown }

// Action returns [ActionStatus].
func (Status) Action() string { return ActionStatus }

func (Initialize) sealed()        {}
func (ProcessRecords) sealed()    {}
func (Checkpoint) sealed()        {}
func (LeaseLost) sealed()         {}
func (ShardEnded) sealed()        {}
func (ShutdownRequested) sealed() {}
func (Shutdown) sealed()          {}
func (Status) sealed()            {}
