package processor

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Option changes how [Main] and [Run] work.
type Option interface{ apply(*config) }

type option func(*config)

func (o option) apply(c *config) { o(c) }

// WithLogger has Run log to l: actions and checkpoints at Debug, what is
// unusual at Warn. Main also warns of a start at LATEST. Records are never logged. Default: nothing is logged.
func WithLogger(l *slog.Logger) Option {
	return option(func(c *config) { c.log = l })
}

// WithCheckpointRetries sets how often a throttled checkpoint is tried again
// before [ErrThrottled] is returned: 0 (never) to 100, 10 by default. The waits
// are random, up to 100 ms before the first retry, twice as much before each
// further one, 5 s at most.
func WithCheckpointRetries(n int) Option {
	return option(func(c *config) { c.retries = n })
}

// WithStopNotice gives Run the channel that [Lease.Stopping] returns; whoever
// hosts the processor closes it when a stop is coming. [Main] has its own, made
// of signals, and takes this one's place.
func WithStopNotice(stopping <-chan struct{}) Option {
	return option(func(c *config) { c.stopping = stopping })
}

// WithLease says what [Lease.Stream] and [Lease.Key] return, for hosts that know it:
// the stream's name, and the lease's key. Both may be empty. [Main] takes them from
// the environment, and this one's place.
func WithLease(stream, key string) Option {
	return option(func(c *config) { c.stream, c.key = stream, key })
}

// WithCheckpointNotice has f called with each checkpoint that the daemon has
// made, err nil, or refused, err a [*CheckpointError]; the zero Position stands
// for the end of the shard. f is called by Run's goroutine and must be quick.
// Default: nobody is told.
func WithCheckpointNotice(f func(p Position, err error)) Option {
	return option(func(c *config) { c.checkpointNotice = f })
}

const (
	firstRetry   = 100 * time.Millisecond
	longestRetry = 5 * time.Second
)

// How long a method in work may go on once Run is ending. With what Main adds, a
// child is gone within 5 s of its daemon. Tests have another.
var handlerGrace = 3 * time.Second

type config struct {
	log              *slog.Logger
	retries          int
	stopping         <-chan struct{}
	stream, key      string                // of the lease; empty where they are not known
	checkpointNotice func(Position, error) // nil: nobody is told
	// inputEnded is Main's: called, from the reading goroutine, as soon as
	// there is nothing more to read.
	inputEnded func()
	// child is Main's: the process has this shard alone. A host of many tells
	// of them itself, once.
	child bool
}

func newConfig(opts []Option) (config, error) {
	c := config{log: slog.New(slog.DiscardHandler), retries: 10}
	for _, o := range opts {
		o.apply(&c)
	}
	return c, c.validate()
}

// validate names everything that is wrong.
func (c *config) validate() error {
	var errs []error
	if c.log == nil {
		errs = append(errs, errors.New("processor: WithLogger: nil logger; leave the option out to log nothing"))
	}
	if c.retries < 0 || c.retries > 100 {
		errs = append(errs, fmt.Errorf("processor: WithCheckpointRetries: %d is not within 0 to 100", c.retries))
	}
	return errors.Join(errs...)
}
