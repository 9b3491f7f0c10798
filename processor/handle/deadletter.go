package handle

import (
	"context"
	"time"
)

// Reason is why a record was given up.
type Reason string

// The reasons.
const (
	ReasonPermanent Reason = "permanent" // the handler said so, by Permanent
	ReasonAttempts  Reason = "attempts"  // WithAttempts
	ReasonElapsed   Reason = "elapsed"   // WithRetryFor
	ReasonAge       Reason = "age"       // WithMaxAge
)

// Sink takes the records that are given up; see [WithDeadLetter].
type Sink interface {
	// Put stores a record. It returns nil only when the record is safe: then
	// it is finished, and the checkpoint passes it. A record whose Put fails or
	// panics is put again after a while, without end, and so is, after a crash,
	// one that was not yet checkpointed: ID tells which are the same. Put is
	// called concurrently. ctx is as a handler's, without time-outs.
	Put(ctx context.Context, letter DeadLetter) error
}

// DeadLetter is a record that was given up, and why. Its JSON is the line that
// [Files] writes, and is read back by encoding/json, without Err.
type DeadLetter struct {
	// ID is as of the function [ID]: it begins with the lease's key.
	ID string `json:"id"`
	// Stream is the name of the record's stream; empty where the host does not say
	// it.
	Stream string `json:"stream,omitempty"`
	// ShardID and the following are the record.
	ShardID                     string    `json:"shardId"`
	SequenceNumber              string    `json:"sequenceNumber"`
	SubSequenceNumber           int64     `json:"subSequenceNumber"`
	PartitionKey                string    `json:"partitionKey"`
	ApproximateArrivalTimestamp time.Time `json:"approximateArrivalTimestamp,omitzero"`
	// Data is base64 in JSON.
	Data []byte `json:"data"`
	// Reason is which limit was met.
	Reason Reason `json:"reason"`
	// Attempts counts the calls that failed for this record, alone or by its
	// name in Failures.
	Attempts int `json:"attempts"`
	// Error is the text of Err, the last attempt's error.
	Error string `json:"error"`
	// Stack is the goroutine's, for a panic.
	Stack string `json:"stack,omitempty"`
	// Time is when it was given up.
	Time time.Time `json:"time"`

	// Err is the last attempt's error, for errors.Is and errors.As; it is nil
	// in a letter that was read back.
	Err error `json:"-"`
}
