package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// A RestartPolicy says when a daemon that ended by itself is started again. The zero
// value means the defaults.
type RestartPolicy struct {
	// Limit is the maximum number of restarts within an hour. Defaults to 10; negative
	// means none.
	Limit int

	// MinDelay is the delay before the first restart. Defaults to 1 s. Each further delay
	// is twice as long, up to MaxDelay, which defaults to 1 min. A random part of at most
	// half is subtracted, so that workers that fail together do not start together. After
	// a run longer than MaxDelay the delay is MinDelay again.
	MinDelay, MaxDelay time.Duration

	// Restart reports whether a run that ended with err, which is not nil, is started
	// again. Defaults to restarting after an [*ExitError] that RunOptions.Kill has not
	// caused.
	Restart func(err error) bool

	// Restarting, if not nil, is called before each delay with the error of the run that
	// ended, the number of restarts within the hour including this one, and the delay.
	Restarting func(err error, restarts int, delay time.Duration)
}

const (
	defaultRestartLimit = 10
	defaultMinDelay     = time.Second
	defaultMaxDelay     = time.Minute
)

// Run calls run, and calls it again while it fails with an error for which p.Restart
// returns true. It returns the last result of run: nil for a stop that was asked for; an
// error after which there is no restart, unchanged; or, with the number of restarts in
// front, the error after which the limit was reached. A nil *ExitError counts as nil.
// When ctx ends during a wait, while nothing runs, Run returns nil: it has stopped as
// asked.
//
// run must not return before all processes that it started have gone, as Run of Command
// does not: two daemons at once would work on the same shards.
func (p RestartPolicy) Run(ctx context.Context, run func(context.Context) error) error {
	limit, first, last := p.Limit, p.MinDelay, p.MaxDelay
	if limit == 0 {
		limit = defaultRestartLimit
	}
	if first <= 0 {
		first = defaultMinDelay
	}
	if last <= 0 {
		last = defaultMaxDelay
	}
	restart := p.Restart
	if restart == nil {
		restart = func(err error) bool {
			var exit *ExitError
			return errors.As(err, &exit) && exit != nil && !exit.Killed
		}
	}
	var restarts []time.Time // of the last hour
	delay := first
	for {
		began := time.Now()
		err := run(ctx)
		if none, ok := err.(*ExitError); err == nil || ok && none == nil {
			return nil // a nil *ExitError too: a variable for the error of a run that had none
		}
		if limit < 0 || ctx.Err() != nil || !restart(err) {
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
