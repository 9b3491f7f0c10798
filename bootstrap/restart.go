package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// A RestartPolicy says when a daemon that ended by itself is started again.
// The zero value is good.
type RestartPolicy struct {
	// Limit is how many restarts there may be within an hour; 0 means 10.
	Limit int

	// MinDelay is the wait before the first restart; 0 means 1 s. Each
	// further one waits twice as long, up to MaxDelay; 0 means 1 min. A
	// random part, at most half, is taken off, so that workers that fail
	// together do not start together. After a run that lasted longer than
	// MaxDelay the wait begins at MinDelay again.
	MinDelay, MaxDelay time.Duration

	// Restarting, if not nil, is called before each wait with the error of
	// the run that ended, how many restarts there will have been within the
	// hour, and how long the wait is.
	Restarting func(err error, restarts int, delay time.Duration)
}

const (
	defaultRestartLimit = 10
	defaultMinDelay     = time.Second
	defaultMaxDelay     = time.Minute
)

// Run calls run, and again as long as it fails with an *ExitError that
// RunOptions.Kill has not caused. It returns what run returned last: nil for a
// stop that was asked for, any other error at once, and, with their number in
// front, the *ExitError after which the limit was reached. A nil *ExitError counts
// as nil. When ctx ends in a wait, when nothing runs, Run returns nil: it has
// stopped as asked.
//
// run must not return before all that it has started has gone, as Run of
// Command does not: two daemons at once would work on the same shards.
func (p RestartPolicy) Run(ctx context.Context, run func(context.Context) error) error {
	limit, first, last := p.Limit, p.MinDelay, p.MaxDelay
	if limit <= 0 {
		limit = defaultRestartLimit
	}
	if first <= 0 {
		first = defaultMinDelay
	}
	if last <= 0 {
		last = defaultMaxDelay
	}
	var restarts []time.Time // of the last hour
	delay := first
	for {
		began := time.Now()
		err := run(ctx)
		var exit *ExitError
		if none, ok := err.(*ExitError); ok && none == nil {
			return nil // a variable for the error of a run that had none
		}
		if !errors.As(err, &exit) || exit == nil || exit.Killed || ctx.Err() != nil {
			return err
		}
		now := time.Now()
		if now.Sub(began) > last {
			delay = first
		}
		for len(restarts) > 0 && now.Sub(restarts[0]) >= time.Hour {
			restarts = restarts[1:]
		}
		if len(restarts) == limit {
			return fmt.Errorf("restarted %d times within an hour, and then: %w", limit, err)
		}
		wait := delay - rand.N(delay/2+1)
		delay = min(2*delay, last)
		if p.Restarting != nil {
			p.Restarting(err, len(restarts)+1, wait)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		restarts = append(restarts, time.Now())
	}
}
