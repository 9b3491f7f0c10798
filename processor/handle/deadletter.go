package handle

import (
	"context"
	"time"
)

// Reason is the reason why a record was given up.
type Reason string

// The reasons.
const (
	ReasonPermanent Reason = "permanent" // the handler returned a Permanent error
	ReasonAttempts  Reason = "attempts"  // Options.MaxAttempts
	ReasonElapsed   Reason = "elapsed"   // Options.MaxRetryTime
	ReasonAge       Reason = "age"       // Options.MaxRecordAge
)

// Sink takes the records that are given up: see Options.DeadLetters.
type Sink interface {
	// Put stores a record. It must not return nil before the record is safe: then
	// the record is finished, and the checkpoint passes it. If Put fails or
	// panics, it is called again after a wait, without end. After a crash it is
	// called again for records without a checkpoint; the ID is the same then.
	// Put may be called concurrently. ctx is like a handler's, without timeouts.
	Put(ctx context.Context, letter DeadLetter) error
}

// DeadLetter is a record that was given up, and the reason. Its JSON is a line of
// [Files]; json.Unmarshal reads it back, except Err.
type DeadLetter struct {
	// ID is the result of the function [ID]; it begins with the lease's key.
	ID string `json:"id"`
	// Stream is the name of the record's stream, empty if the host does not tell
	// it.
	Stream string `json:"stream,omitempty"`
	// ShardID and the following fields are the record.
	ShardID                     string    `json:"shardId"`
	SequenceNumber              string    `json:"sequenceNumber"`
	SubSequenceNumber           int64     `json:"subSequenceNumber"`
	PartitionKey                string    `json:"partitionKey"`
	ApproximateArrivalTimestamp time.Time `json:"approximateArrivalTimestamp,omitzero"`
	// Data is base64 in JSON.
	Data []byte `json:"data"`
	// Reason is the limit that was met.
	Reason Reason `json:"reason"`
	// Attempts is the number of calls that failed for this record, alone or by
	// its index in Failures.
	Attempts int `json:"attempts"`
	// Error is the text of Err.
	Error string `json:"error"`
	// Stack is the stack of the goroutine, if the handler panicked.
	Stack string `json:"stack,omitempty"`
	// Time is when the record was given up.
	Time time.Time `json:"time"`

	// Err is the error of the last attempt, for errors.Is and errors.As. It is
	// nil in a letter that was read back.
	Err error `json:"-"`
}
