package handle

import (
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// Observable is a [processor.RecordProcessor] that takes an [Observer], such as
// [Processor]. Hosts, such as package worker, look for it.
type Observable interface {
	// Observe adds an observer. The host calls it before Initialize.
	Observe(Observer)
}

// Observer has functions that are told what happens: see Options.Observer. Each
// may be nil. They are called directly, from several goroutines at the same
// time. They should return quickly, and must not panic or call the [Processor].
// None gets a record's data or partition key; errors are those of the handler,
// with whatever it put into them.
type Observer struct {
	// BatchReceived: the daemon has delivered a batch, perhaps an empty one.
	BatchReceived func(BatchReceived)
	// BatchFinished: every record of a batch is finished.
	BatchFinished func(BatchFinished)
	// RecordFinished: the handler has finished a record.
	RecordFinished func(RecordFinished)
	// Retry: records have failed and will be tried again.
	Retry func(Retry)
	// Blocked: a record is past its limits, and either there is no dead-letter
	// sink (Err is the record's) or the sink failed (Err is the sink's). The
	// record will be tried again; the records behind it wait.
	Blocked func(Retry)
	// DeadLettered: the sink has taken a record.
	DeadLettered func(DeadLettered)
	// Checkpoint: a checkpoint was made, or failed.
	Checkpoint func(Checkpoint)
	// InFlight: the number of records in flight has changed.
	InFlight func(InFlight)
	// Hung: a call has made no progress for Options.HangTimeout.
	Hung func(Hung)
}

// and returns an observer that tells o and then other.
func (o Observer) and(other Observer) Observer {
	return Observer{
		BatchReceived:  both(o.BatchReceived, other.BatchReceived),
		BatchFinished:  both(o.BatchFinished, other.BatchFinished),
		RecordFinished: both(o.RecordFinished, other.RecordFinished),
		Retry:          both(o.Retry, other.Retry),
		Blocked:        both(o.Blocked, other.Blocked),
		DeadLettered:   both(o.DeadLettered, other.DeadLettered),
		Checkpoint:     both(o.Checkpoint, other.Checkpoint),
		InFlight:       both(o.InFlight, other.InFlight),
		Hung:           both(o.Hung, other.Hung),
	}
}

func both[Event any](f, g func(Event)) func(Event) {
	if f == nil {
		return g
	}
	if g == nil {
		return f
	}
	return func(e Event) { f(e); g(e) }
}

// BatchReceived is a batch that the daemon has delivered.
type BatchReceived struct {
	Shard
	Records            int
	Bytes              int64 // as Options.MaxInFlightBytes counts them
	MillisBehindLatest int64 // processor.UnknownLag when the daemon does not know
}

// BatchFinished is a batch with every record finished.
type BatchFinished struct {
	Shard
	Records  int
	Duration time.Duration // since it was delivered
}

// RecordFinished is a record that the handler has finished.
type RecordFinished struct {
	Shard
	Position processor.Position
	Attempts int           // 1 for a record that has not failed
	Duration time.Duration // of the last attempt; for Batch, of the whole call
}

// Retry is a failure that is followed by another attempt.
type Retry struct {
	Shard
	Position processor.Position // of the first record that failed
	Records  int                // that will be tried again together
	Attempts int                // failures of the first record so far, not of the sink; 0 for a call that is halved
	Delay    time.Duration      // before the next attempt
	Err      error
}

// DeadLettered is a record that the sink has taken.
type DeadLettered struct {
	Shard
	Position processor.Position // this and the following are as in the [DeadLetter]
	Reason   Reason
	Attempts int
	Err      error // the last attempt's
}

// Checkpoint is a checkpoint that was made, or failed.
type Checkpoint struct {
	Shard
	Position processor.Position // the zero Position: the end of the shard
	Records  int                // that it covers and the last successful checkpoint did not
	Duration time.Duration      // of the request, with its retries
	Err      error              // a *processor.CheckpointError; nil when it was made
}

// InFlight is what is in flight, counted in whole batches.
type InFlight struct {
	Shard
	Records int
	Bytes   int64 // of data
}

// Hung is a call that makes no progress.
type Hung struct {
	Shard
	Position processor.Position // of the call's first record that is not finished
	Elapsed  time.Duration
}
