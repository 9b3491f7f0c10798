package protocol

import (
	"bytes"
	"strings"
	"time"
	"unsafe"
)

// The actions of the protocol: the value of "action" in each message, and of
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

// Initialize (daemon to child) is the first message: it names the shard.
type Initialize struct {
	// ShardID is never empty.
	ShardID string
	// Position is where the lease's last checkpoint stands: a sequence number,
	// or one of TrimHorizon, Latest and AtTimestamp for a shard without one.
	// The zero Position stands for null.
	Position Position
}

// UnknownLag is the MillisBehindLatest of a batch whose lag the daemon does not
// know (null on the wire).
const UnknownLag = -1

// ProcessRecords (daemon to child) delivers a batch, which can be empty.
type ProcessRecords struct {
	// Records are in the shard's order.
	Records []Record
	// MillisBehindLatest says how far, in milliseconds, the batch is behind the
	// tip of the shard; UnknownLag (any negative number when writing) stands
	// for null.
	MillisBehindLatest int64
}

// Record is one user record. Its parts stay valid for as long as it is kept,
// and keep the memory of all records of its batch: see Size and Clone.
//
// The daemon has de-aggregated what the Kinesis
// Producer Library put together: the user records of one aggregate share their
// SequenceNumber and differ in SubSequenceNumber.
type Record struct {
	// Data is what the producer put, 0 bytes to 10 MiB; nil for null. What a
	// Reader returned may be changed, and appended to: no other record's Data
	// changes with it.
	Data []byte
	// PartitionKey is empty for null; Kinesis has no empty partition key.
	PartitionKey string
	// SequenceNumber is a decimal number of up to 186 bits. Compare it by way
	// of Position, not as text.
	SequenceNumber string
	// SubSequenceNumber counts the user records of one aggregate from 0.
	SubSequenceNumber int64
	// ApproximateArrivalTimestamp is when the stream took the record, in UTC
	// and to the millisecond; the zero Time for null.
	ApproximateArrivalTimestamp time.Time
}

// Position returns the record's place in its shard.
func (r Record) Position() Position {
	return Position{SequenceNumber: r.SequenceNumber, SubSequenceNumber: r.SubSequenceNumber}
}

// Size returns how many bytes of memory the record takes: its Data, its texts
// and the Record itself. The sum over a batch is what one record that is kept
// of it may keep, and so what a limit on memory has to count.
func (r Record) Size() int {
	return recordSize + len(r.Data) + len(r.PartitionKey) + len(r.SequenceNumber)
}

// recordSize is what a Record takes without what it points to.
const recordSize = int(unsafe.Sizeof(Record{}))

// Clone returns a copy of r with memory of its own. Keep the copy, not the
// record, to keep few records of many: it does not keep the batch.
func (r Record) Clone() Record {
	r.Data = bytes.Clone(r.Data)
	r.PartitionKey = strings.Clone(r.PartitionKey)
	r.SequenceNumber = strings.Clone(r.SequenceNumber)
	return r
}

// Checkpoint asks the daemon to checkpoint (child to daemon), or tells what
// became of that (daemon to child).
type Checkpoint struct {
	// Position is the place to checkpoint at; the zero Position (null on the
	// wire) means the latest record that was delivered. The answer repeats it.
	Position Position
	// Error is empty in a request and in the answer to a checkpoint that was
	// made; otherwise the simple name of the Java exception that it met.
	Error string
}

// LeaseLost (daemon to child) says that another worker has the lease.
type LeaseLost struct{}

// ShardEnded (daemon to child) says that every record of a closed shard was
// delivered. It must be answered after a successful [Checkpoint] with the zero
// Position, or the child shards never start.
type ShardEnded struct{}

// ShutdownRequested (daemon to child) says that the daemon is about to stop.
type ShutdownRequested struct{}

// The reasons of a [Shutdown].
const (
	ReasonTerminate = "TERMINATE"
	ReasonZombie    = "ZOMBIE"
	ReasonShardEnd  = "SHARD_END"
	ReasonLeaseLost = "LEASE_LOST"
)

// Shutdown (daemon to child) is what a KCL 1.x daemon sends in place of
// [LeaseLost] and [ShardEnded].
type Shutdown struct {
	// Reason is never empty: ReasonTerminate and ReasonShardEnd mean that the
	// shard has ended, ReasonZombie and ReasonLeaseLost that the lease is lost.
	Reason string
}

// Status (child to daemon) says that an action is done.
type Status struct {
	// ResponseFor is the action; a wrong one fails the daemon's task, and with
	// it the daemon.
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
