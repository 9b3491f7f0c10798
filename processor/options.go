package processor

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Options are the options of [MainWithOptions] and [Run]. Nil and the zero value mean
// the defaults.
type Options struct {
	// Logger gets actions and checkpoints at Debug, the loss of the lease at Info,
	// and what is unusual at Warn. Main also warns of a start at LATEST. Records are
	// never logged. Defaults to no logging.
	Logger *slog.Logger

	// CheckpointRetries limits how often a throttled checkpoint is retried before
	// [ErrThrottled] is returned: 1 to 100; a larger number is an error. Defaults to 10;
	// negative means none. The waits between the attempts are random: up to 100 ms before
	// the first retry, twice as long before each further one, and 5 s at most.
	CheckpointRetries int

	// Host is for programs that host processors themselves, such as package worker.
	// MainWithOptions ignores it.
	Host HostOptions
}

// HostOptions are for programs that call [Run] themselves, such as package worker. They
// tell Run what it cannot learn from the messages.
type HostOptions struct {
	// Stream is what [Lease.Stream] returns: the name of the shard's stream. Defaults
	// to "", not known.
	Stream string
	// LeaseKey is what [Lease.Key] returns: the key of the lease in KCL's table.
	// Defaults to the shard's ID.
	LeaseKey string
	// Stopping is what [Lease.Stopping] returns; the host closes it when a stop is
	// coming. Defaults to nil, a channel that is never closed.
	Stopping <-chan struct{}
	// Checkpointed is called with each checkpoint that the daemon has made (err is
	// nil) or refused (err is a [*CheckpointError]); the zero Position means the end
	// of the shard. A throttled checkpoint is reported after its last retry. Run calls
	// it one call at a time and waits for it: it must be quick. Defaults to nil, no
	// call.
	Checkpointed func(p Position, err error)
}

const (
	defaultCheckpointRetries = 10
	maxCheckpointRetries     = 100
)

// validate reports everything that is wrong.
func (o *Options) validate() error {
	var errs []error
	if o.CheckpointRetries > maxCheckpointRetries {
		errs = append(errs, fmt.Errorf("processor: Options.CheckpointRetries: %d is more than %d", o.CheckpointRetries, maxCheckpointRetries))
	}
	return errors.Join(errs...)
}

// handlerGrace is how long Run waits at its end for a method at work. With what Main
// adds, a child ends within 5 s of its daemon. Tests set another.
var handlerGrace = 3 * time.Second

// config is Options with the defaults filled in, and what only Main sets.
type config struct {
	Options
	// inputEnded is set by Main. It is called as soon as there is nothing more to read.
	inputEnded func()
	// child is set by Main: the process serves only this shard. A host of many shards
	// warns of a start at LATEST itself, once for all of them.
	child bool
}

func newConfig(opts *Options) (config, error) {
	var c config
	if opts != nil {
		c.Options = *opts
	}
	err := c.validate()
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.CheckpointRetries == 0 {
		c.CheckpointRetries = defaultCheckpointRetries
	}
	return c, err
}
