package handle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// Options are the settings of [Record] and [Batch], which copy them. The zero
// value and a nil pointer mean the defaults. Initialize of the [Processor]
// checks every field and returns one error that lists all that are wrong.
type Options struct {
	// Logger logs checkpoints and retries at Debug, panics, dead letters and
	// stops at Warn, and a blocked shard and a call that hangs at Error. It logs
	// the errors of handlers, but no records. Defaults to nil: nothing is
	// logged.
	Logger *slog.Logger

	// Concurrency is the number of calls of the handler that may run at the same
	// time for the shard: 1 to 1000. Defaults to 1.
	//
	// A concurrency of 1 keeps the order of the shard. A higher one keeps the order
	// of each partition key: the keys take turns, and each has one call at a time.
	Concurrency int

	// BatchSize is the maximum number of records in a call of [Batch]'s handler:
	// 1 to 10,000. Defaults to 10,000. [Record] does not accept it.
	BatchSize int

	// MaxInFlightRecords and MaxInFlightBytes let the next batch arrive while
	// records are still in flight: the daemon gets its answer as soon as fewer
	// records and fewer bytes than these are in flight. 1 to 10,000,000 records
	// and 1 to 1<<40 bytes; set both or neither. Defaults to 0: every batch is
	// finished before the next arrives.
	//
	// Both count whole batches, because one unfinished record keeps its batch in
	// memory. At most the limit and one batch are held; by KCL's defaults, a
	// batch has up to 10,000 records or 10 MiB.
	//
	// The daemon accepts checkpoints only during an action. An idle shard is
	// therefore checkpointed when its next record arrives, unless the daemon's
	// property callProcessRecordsEvenForEmptyRecordList is true.
	MaxInFlightRecords int
	MaxInFlightBytes   int64

	// CheckpointRecords makes a checkpoint when the watermark has passed this
	// many records since the last checkpoint, also in the middle of a batch: 1
	// to 10,000,000. Defaults to 0: the number causes no checkpoint.
	//
	// Without CheckpointRecords and CheckpointInterval every finished batch is
	// checkpointed or, with MaxInFlightRecords, every action that finds the
	// watermark moved. With both, the one that comes first counts.
	CheckpointRecords int
	// CheckpointInterval makes a checkpoint when the last one is this old, also
	// in the middle of a batch: 1 ms to 24 h. Defaults to 0: time causes no
	// checkpoint.
	CheckpointInterval time.Duration

	// MinBackoff is the wait before the first retry: 1 ms to 24 h. Each further
	// wait is twice as long, up to MaxBackoff, and each is shortened by a random
	// part of up to half. Defaults to 100 ms.
	MinBackoff time.Duration
	// MaxBackoff is the longest wait before a retry: 1 ms to 24 h, and not less
	// than MinBackoff. Defaults to 30 s.
	MaxBackoff time.Duration

	// MaxAttempts is how often a record may fail: it is past its limits at this
	// failure. 1 or more. Failures of a call that is halved do not count. Defaults
	// to 0: no limit.
	MaxAttempts int
	// MaxRetryTime is how long a record is retried: it is past its limits at the
	// first failure that comes this time or more after its first one. 1 ms or
	// more. Defaults to 0: no limit.
	MaxRetryTime time.Duration
	// MaxRecordAge is how old a record may become: it is past its limits at the
	// first failure that comes this time or more after it reached the stream
	// (ApproximateArrivalTimestamp). Every record is tried at least once. 1 ms or
	// more. Defaults to 0: no limit.
	MaxRecordAge time.Duration

	// DeadLetters takes the records past their limits, which are thereby given up;
	// then the shard continues. It needs MaxAttempts, MaxRetryTime or
	// MaxRecordAge. A record that fails with a [Permanent] error goes to it at
	// once.
	//
	// Defaults to nil: a record past its limits is tried again after MaxBackoff,
	// without end, and each failure is logged as an error. It blocks the shard.
	// With a Concurrency of more than 1 it blocks its partition key, and the
	// shard once the rest of the batch is finished or the in-flight limit is
	// reached.
	DeadLetters Sink
	// EndOnFailure ends the processor when a record is past its limits; without
	// MaxAttempts, MaxRetryTime and MaxRecordAge that is a [Permanent] error. It
	// excludes DeadLetters. The shard's next processor gets the same record.
	//
	// kcl-bootstrap then starts another process for the shard; with --stock,
	// Amazon's daemon ends, with the processes of all its shards. In package
	// worker the shard alone starts again. Defaults to false.
	EndOnFailure bool

	// RecordTimeout cancels the context of a call after this time for each of its
	// records, with the cause [ErrTimeout]: 1 ms to 24 h. No other attempt begins
	// before the call has returned. Defaults to 0: no limit.
	RecordTimeout time.Duration
	// BatchTimeout is like RecordTimeout, for a whole call, however many records
	// it has: 1 ms to 24 h. The shorter of the two counts; [Record] accepts both.
	// Defaults to 0: no limit.
	BatchTimeout time.Duration

	// HangTimeout is how long a call of the handler or of DeadLetters may take
	// before it is reported: 1 s to 24 h. Defaults to 0: calls are not watched.
	// The report comes at most a quarter of HangTimeout late: the stacks of all
	// goroutines on standard error, once for each call.
	//
	// It should be less than the daemon's timeoutInSeconds, which the process
	// cannot see and which halts Java without a message; in package worker, less
	// than its MessageTimeout, which fails the processor.
	HangTimeout time.Duration
	// HangAction is what follows when a call hangs. It needs HangTimeout.
	// Defaults to [KeepWaiting].
	HangAction HangAction

	// StopGrace is how long a call may go on after SIGTERM
	// ([processor.Lease.Stopping]) or shutdownRequested: up to 5 min. Its context
	// is cancelled after three quarters of it. At the end, calls that have not
	// returned are abandoned, the watermark is checkpointed and the daemon gets
	// its answer. Defaults to 5 s; negative means none.
	//
	// At a stop the daemon waits for its shutdownGraceMillis. A hand-off to another
	// worker waits 30 s; then KCL moves the lease, even if the processor has not
	// finished.
	StopGrace time.Duration

	// Observer is told what happens. Defaults to the zero Observer: nobody is
	// told.
	Observer Observer
}

// HangAction is what follows when a call hangs; see Options.HangTimeout.
type HangAction int

const (
	// KeepWaiting waits for the call to return.
	KeepWaiting HangAction = iota
	// EndProcessor ends the processor: kcl-bootstrap starts another process for
	// its shard; with --stock, Amazon's daemon ends, with the processes of all its
	// shards. In package worker the shard starts again when the call has returned.
	EndProcessor
)

const maxBatchSize = 10_000

// settings are the options, with the defaults filled in, and the handler.
type settings struct {
	Options
	each   func(context.Context, processor.Record) error   // of Record
	all    func(context.Context, []processor.Record) error // of Batch
	stderr io.Writer                                       // for stacks; tests have their own
}

func newSettings(each func(context.Context, processor.Record) error, all func(context.Context, []processor.Record) error, opts *Options) settings {
	s := settings{Options: *cmp.Or(opts, &Options{}), each: each, all: all, stderr: os.Stderr}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	s.Concurrency = cmp.Or(s.Concurrency, 1)
	if all != nil {
		s.BatchSize = cmp.Or(s.BatchSize, maxBatchSize)
	}
	s.MinBackoff = cmp.Or(s.MinBackoff, 100*time.Millisecond)
	s.MaxBackoff = cmp.Or(s.MaxBackoff, 30*time.Second)
	s.StopGrace = max(0, cmp.Or(s.StopGrace, 5*time.Second))
	return s
}

// validate returns an error that lists everything that is wrong. A field that is
// zero is always right.
func (s *settings) validate() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("handle: "+format, args...))
	}
	number := func(field string, n, high int64) {
		if n < 0 || n > high {
			bad("Options.%s: %d is not within 1 to %d", field, n, high)
		}
	}
	duration := func(field string, d, low, high time.Duration) {
		if d != 0 && (d < low || d > high) {
			bad("Options.%s: %v is not within %v to %v", field, d, low, high)
		}
	}
	const day = 24 * time.Hour

	if s.each == nil && s.all == nil {
		bad("the handler is nil")
	}
	number("Concurrency", int64(s.Concurrency), 1000)
	if s.all == nil && s.BatchSize != 0 {
		bad("Options.BatchSize: only for Batch, a handler of Record gets one record")
	} else {
		number("BatchSize", int64(s.BatchSize), maxBatchSize)
	}
	number("MaxInFlightRecords", int64(s.MaxInFlightRecords), 10_000_000)
	number("MaxInFlightBytes", s.MaxInFlightBytes, 1<<40)
	if (s.MaxInFlightRecords == 0) != (s.MaxInFlightBytes == 0) {
		bad("Options.MaxInFlightRecords: needs MaxInFlightBytes, and the other way round; set both or neither")
	}
	number("CheckpointRecords", int64(s.CheckpointRecords), 10_000_000)
	duration("CheckpointInterval", s.CheckpointInterval, time.Millisecond, day)
	duration("MinBackoff", s.MinBackoff, time.Millisecond, day)
	duration("MaxBackoff", s.MaxBackoff, time.Millisecond, day)
	if s.MinBackoff > s.MaxBackoff {
		bad("Options.MinBackoff: %v is longer than MaxBackoff, %v", s.MinBackoff, s.MaxBackoff)
	}
	number("MaxAttempts", int64(s.MaxAttempts), math.MaxInt32)
	duration("MaxRetryTime", s.MaxRetryTime, time.Millisecond, math.MaxInt64)
	duration("MaxRecordAge", s.MaxRecordAge, time.Millisecond, math.MaxInt64)
	if s.DeadLetters != nil {
		switch {
		case s.EndOnFailure:
			bad("Options.DeadLetters: excludes EndOnFailure; set one of them")
		case s.MaxAttempts == 0 && s.MaxRetryTime == 0 && s.MaxRecordAge == 0:
			bad("Options.DeadLetters: needs a limit; set MaxAttempts, MaxRetryTime or MaxRecordAge")
		}
	}
	duration("RecordTimeout", s.RecordTimeout, time.Millisecond, day)
	duration("BatchTimeout", s.BatchTimeout, time.Millisecond, day)
	duration("HangTimeout", s.HangTimeout, time.Second, day)
	switch {
	case s.HangAction != KeepWaiting && s.HangAction != EndProcessor:
		bad("Options.HangAction: %d is neither KeepWaiting nor EndProcessor", s.HangAction)
	case s.HangAction == EndProcessor && s.HangTimeout == 0:
		bad("Options.HangAction: needs HangTimeout")
	}
	duration("StopGrace", s.StopGrace, 0, 5*time.Minute)
	return errors.Join(errs...)
}
