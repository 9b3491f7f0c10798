package handle

import (
	"errors"
	"fmt"
	"time"
)

// validate names everything that is wrong with the settings.
func (s *settings) validate() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("handle: "+format, args...))
	}
	number := func(option string, n, low, high int64) {
		if n < low || n > high {
			bad("%s: %d is not within %d to %d", option, n, low, high)
		}
	}
	duration := func(option string, d, low, high time.Duration) {
		if d < low || d > high {
			bad("%s: %v is not within %v to %v", option, d, low, high)
		}
	}
	const day = 24 * time.Hour
	const forever = time.Duration(1<<63 - 1)

	if s.each == nil && s.all == nil {
		bad("the handler is nil")
	}
	number("WithWorkers", int64(s.workers), 1, 1000)
	switch {
	case s.sized && s.all == nil:
		bad("WithBatchSize is for Batch, a handler of Record gets one record")
	case s.sized:
		number("WithBatchSize", int64(s.batchSize), 1, maxBatchSize)
	}
	if s.overlap {
		number("WithMaxInFlight: records", int64(s.maxRecords), 1, 10_000_000)
		number("WithMaxInFlight: bytes", s.maxBytes, 1, 1<<40)
	}
	if s.often {
		number("WithCheckpointEvery: records", int64(s.everyRecords), 0, 10_000_000)
		if s.every != 0 {
			duration("WithCheckpointEvery: age", s.every, time.Millisecond, day)
		}
		if s.everyRecords == 0 && s.every == 0 {
			bad("WithCheckpointEvery: 0 records and 0 s; give one of them, or leave the option out")
		}
	}
	duration("WithBackoff: first", s.first, time.Millisecond, day)
	duration("WithBackoff: longest", s.longest, time.Millisecond, day)
	if s.first > s.longest {
		bad("WithBackoff: the first wait, %v, is longer than the longest, %v", s.first, s.longest)
	}
	if s.limits&limitAttempts != 0 {
		number("WithAttempts", int64(s.attempts), 1, 1<<31-1)
	}
	if s.limits&limitElapsed != 0 {
		duration("WithRetryFor", s.retryFor, time.Millisecond, forever)
	}
	if s.limits&limitAge != 0 {
		duration("WithMaxAge", s.maxAge, time.Millisecond, forever)
	}
	if s.buries {
		switch {
		case s.sink == nil:
			bad("WithDeadLetter: nil sink; leave the option out to have none")
		case s.endOnFailure:
			bad("WithDeadLetter and WithEndOnFailure exclude each other")
		case s.limits == 0:
			bad("WithDeadLetter needs a limit: WithAttempts, WithRetryFor or WithMaxAge")
		}
	}
	if s.timed {
		duration("WithRecordTimeout", s.recordTimeout, time.Millisecond, day)
	}
	if s.timedBatch {
		duration("WithBatchTimeout", s.batchTimeout, time.Millisecond, day)
	}
	if s.watched {
		duration("WithWatchdog", s.watchdog, time.Second, day)
		if s.then != GoOn && s.then != EndChild {
			bad("WithWatchdog: %d is neither GoOn nor EndChild", s.then)
		}
	}
	duration("WithStopGrace", s.grace, 0, 5*time.Minute)
	if s.log == nil {
		bad("WithLogger: nil logger; leave the option out to log nothing")
	}
	return errors.Join(errs...)
}
