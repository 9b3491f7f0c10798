package handle

import (
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// Observer is told what happens; see [WithObserver]. Each function may be nil.
// They are called in place, from several goroutines at once: they should be
// quick, must not panic, and must not call the Processor. None is given a
// record's data or key; errors are the handler's own.
type Observer struct {
	// BatchReceived: the daemon has delivered a batch; an empty one too.
	BatchReceived func(BatchReceived)
	// BatchFinished: every record of a batch is finished.
	BatchFinished func(BatchFinished)
	// RecordFinished: the handler has dealt with a record.
	RecordFinished func(RecordFinished)
	// Retry: records have failed and will be tried again.
	Retry func(Retry)
	// Blocked: a record is past its limits, and there is no dead-letter sink
	// (Err is the record's), or the sink failed (Err is the sink's). It is tried
	// again, and what is behind it waits.
	Blocked func(Retry)
	// DeadLettered: the sink has taken a record.
	DeadLettered func(DeadLettered)
	// Checkpoint: a checkpoint was made, or failed.
	Checkpoint func(Checkpoint)
	// InFlight: what is in work has changed.
	InFlight func(InFlight)
	// Hung: a call has not returned for as long as [WithWatchdog] allows.
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
	Bytes              int64 // as WithMaxInFlight counts them
	MillisBehindLatest int64 // processor.UnknownLag when the daemon does not know
}

// BatchFinished is a batch with every record finished.
type BatchFinished struct {
	Shard
	Records  int
	Duration time.Duration // since it was delivered
}

// RecordFinished is a record that the handler has dealt with.
type RecordFinished struct {
	Shard
	Position processor.Position
	Attempts int           // 1 for a record that has not failed
	Duration time.Duration // of the last attempt: for a batch handler, of the call that it was part of
}

// Retry is a failure that is followed by another attempt.
type Retry struct {
	Shard
	Position processor.Position // of the first record that failed
	Records  int                // that are tried again together
	Attempts int                // failures so far of the first record; 0 for a batch that is halved
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

// Checkpoint is a checkpoint that was made or tried.
type Checkpoint struct {
	Shard
	Position processor.Position // the zero Position: the end of the shard
	Records  int                // finished since the last one that was made
	Duration time.Duration
	Err      error // a *processor.CheckpointError; nil when it was made
}

// InFlight is what is in work, counted as whole batches.
type InFlight struct {
	Shard
	Records int
	Bytes   int64 // of data
}

// Hung is a call that does not return.
type Hung struct {
	Shard
	Position processor.Position // of the first record that is not finished in it
	Elapsed  time.Duration
}
