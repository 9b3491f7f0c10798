package handle

import (
	"context"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// Option changes how [Record] and [Batch] work. The processor's Initialize
// checks all of them.
type Option interface{ apply(*settings) }

type option func(*settings)

func (o option) apply(s *settings) { o(s) }

// WithWorkers sets how many calls of the handler may be in work for the shard:
// 1 to 1000, 1 by default. One keeps the order of the shard; more keep the order
// of each partition key, and take keys in turn, so that a key with many records
// has one worker and no more.
func WithWorkers(n int) Option {
	return option(func(s *settings) { s.workers = n })
}

// WithBatchSize sets how many records a [Batch] handler gets at most: 1 to
// 10000, the default.
func WithBatchSize(n int) Option {
	return option(func(s *settings) { s.sized, s.batchSize = true, n })
}

// WithMaxInFlight lets records stay in work while later batches arrive: the
// daemon is answered as soon as less is in work than this, counted as the
// batches that it pins in memory. So at most the limit and one batch (10,000
// records or 10 MiB by KCL's defaults) are held. records is 1 to 10,000,000,
// bytes 1 to 1<<40; by default the option is off, and every batch is finished
// before the next comes.
//
// Checkpoints are then made with later actions: on a shard that is idle with
// the next record only, unless the daemon's property
// callProcessRecordsEvenForEmptyRecordList is true.
func WithMaxInFlight(records int, bytes int64) Option {
	return option(func(s *settings) { s.overlap, s.maxRecords, s.maxBytes = true, records, bytes })
}

// WithCheckpointEvery makes a checkpoint when the watermark has passed n records
// (1 to 10,000,000, or 0: any number) or when the last one is d old (1 ms to
// 24 h, or 0: any age), whichever comes first, also in the middle of a batch.
// By default there is one for each batch when it is finished, and with
// WithMaxInFlight one with each action if the watermark has moved.
func WithCheckpointEvery(n int, d time.Duration) Option {
	return option(func(s *settings) { s.often, s.everyRecords, s.every = true, n, d })
}

// WithBackoff sets the waits before retries: first before the first, twice as
// long before each further one, longest at most, and of each a random part of
// up to a half less. 1 ms to 24 h; 100 ms and 30 s by default.
func WithBackoff(first, longest time.Duration) Option {
	return option(func(s *settings) { s.first, s.longest = first, longest })
}

// WithAttempts gives a record up after its nth failure: 1 or more; no limit by
// default. Failures of a batch that is halved do not count.
func WithAttempts(n int) Option {
	return option(func(s *settings) { s.limits, s.attempts = s.limits|limitAttempts, n })
}

// WithRetryFor gives a record up when it fails d or more after its first
// failure: 1 ms or more; no limit by default.
func WithRetryFor(d time.Duration) Option {
	return option(func(s *settings) { s.limits, s.retryFor = s.limits|limitElapsed, d })
}

// WithMaxAge gives a record up when it fails d or more after the stream took it
// (ApproximateArrivalTimestamp): 1 ms or more; no limit by default. However old,
// each record is tried once.
func WithMaxAge(d time.Duration) Option {
	return option(func(s *settings) { s.limits, s.maxAge = s.limits|limitAge, d })
}

// WithDeadLetter gives the records that are given up to sink, and goes on behind
// them. It needs a limit: WithAttempts, WithRetryFor or WithMaxAge; errors
// marked [Permanent] go to it at once. Without a sink, the default, such a
// record is tried again and again after the longest wait of WithBackoff, which
// blocks the shard (with several workers: its key, until WithMaxInFlight or the
// batch is full of it) and is logged as an error each time.
func WithDeadLetter(sink Sink) Option {
	return option(func(s *settings) { s.buries, s.sink = true, sink })
}

// WithEndOnFailure ends the child when a record is given up, in place of a
// sink: the daemon stops, with every shard of this host, and the next owner of
// the shard meets the same record. In package worker the processor fails, and that
// shard alone starts again.
func WithEndOnFailure() Option {
	return option(func(s *settings) { s.endOnFailure = true })
}

// WithRecordTimeout cancels the context of an attempt ([ErrTimeout]) after d for
// each record that it was given: 1 ms to 24 h; no limit by default. The attempt
// is waited for: none begins before it has returned.
func WithRecordTimeout(d time.Duration) Option {
	return option(func(s *settings) { s.timed, s.recordTimeout = true, d })
}

// WithBatchTimeout is WithRecordTimeout for the whole of an attempt, however
// many records it was given: 1 ms to 24 h; no limit by default. The shorter of
// the two counts.
func WithBatchTimeout(d time.Duration) Option {
	return option(func(s *settings) { s.timedBatch, s.batchTimeout = true, d })
}

// Watch says what follows when the watchdog has found a call that hangs.
type Watch int

const (
	// GoOn waits on for the call to return.
	GoOn Watch = iota
	// EndChild ends the child: kcl-bootstrap starts another one for its shard, and
	// Amazon's own main class ends with all its shards. In package worker the
	// processor fails, and its shard starts again when the call has returned.
	EndChild
)

// WithWatchdog dumps the stacks of all goroutines to standard error, once for a
// call, when a handler or a sink has not come on for d: returned, or with one
// worker gone on to the next record. It looks four times in d. 1 s to 24 h; off
// by default. The child cannot see the daemon's timeoutInSeconds, which halts
// Java without a word: d should be less than that. In package worker that limit
// fails the processor.
func WithWatchdog(d time.Duration, then Watch) Option {
	return option(func(s *settings) { s.watched, s.watchdog, s.then = true, d, then })
}

// WithStopGrace sets how long an attempt may go on after SIGTERM
// ([processor.Lease.Stopping]) or shutdownRequested: its context is cancelled
// after three quarters of it, and at its end what has not returned is abandoned,
// the watermark is checkpointed and the daemon answered. 0 to 5 min, 5 s by
// default. The daemon waits for its shutdownGraceMillis; KCL moves a lease that
// it hands over after 30 s whatever the child does.
func WithStopGrace(d time.Duration) Option {
	return option(func(s *settings) { s.grace = d })
}

// WithObserver has o told what happens; nobody by default.
func WithObserver(o Observer) Option {
	return option(func(s *settings) { s.observer = o })
}

// WithLogger logs to l: checkpoints and retries at Debug, panics, dead letters
// and stops at Warn, a blocked shard and a call that hangs at Error. Handlers'
// errors are logged, records are not. By default nothing is.
func WithLogger(l *slog.Logger) Option {
	return option(func(s *settings) { s.log = l })
}

// settings is what the options make.
type settings struct {
	each func(context.Context, processor.Record) error
	all  func(context.Context, []processor.Record) error

	workers   int
	sized     bool
	batchSize int

	overlap    bool
	maxRecords int
	maxBytes   int64

	often        bool
	everyRecords int
	every        time.Duration

	first, longest   time.Duration
	limits           limits // those that are set
	attempts         int
	retryFor, maxAge time.Duration
	buries           bool
	sink             Sink
	endOnFailure     bool

	timed, timedBatch, watched            bool
	recordTimeout, batchTimeout, watchdog time.Duration
	then                                  Watch
	grace                                 time.Duration

	observer Observer
	log      *slog.Logger
	stderr   io.Writer // the watchdog's; tests have their own
}

type limits uint8

const (
	limitAttempts limits = 1 << iota
	limitElapsed
	limitAge
)

const maxBatchSize = 10000

func newSettings(each func(context.Context, processor.Record) error, all func(context.Context, []processor.Record) error, opts []Option) settings {
	s := settings{
		each: each, all: all, workers: 1, batchSize: maxBatchSize, first: 100 * time.Millisecond, longest: 30 * time.Second,
		grace: 5 * time.Second, log: slog.New(slog.DiscardHandler), stderr: os.Stderr,
	}
	for _, o := range opts {
		o.apply(&s)
	}
	return s
}
