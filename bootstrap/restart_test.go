package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// The waits double up to the maximum, a random part of at most half is taken
// off, and a long run begins at the minimum again.
func TestRestartDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := []time.Duration{0, 0, 0, 0, 0, time.Second, 11 * time.Second, 0}
		want := []time.Duration{
			time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 10 * time.Second,
			10 * time.Second, time.Second, 2 * time.Second,
		}
		var ended time.Time
		n := 0
		policy := RestartPolicy{MaxDelay: 10 * time.Second, Restarting: func(err error, restarts int, delay time.Duration) {
			var exit *ExitError
			if !errors.As(err, &exit) || restarts != n {
				t.Errorf("restart %d: told %d, %v", n, restarts, err)
			}
			if most := want[n-1]; delay > most || delay < most/2 {
				t.Errorf("restart %d waits %v, want %v to %v", n, delay, most/2, most)
			}
			ended = time.Now().Add(delay)
		}}
		err := policy.Run(t.Context(), func(context.Context) error {
			if !ended.IsZero() && !time.Now().Equal(ended) {
				t.Errorf("restart %d begins at %v, want %v", n, time.Now(), ended)
			}
			if n == len(runs) {
				return nil
			}
			time.Sleep(runs[n])
			n++
			return &ExitError{Code: 7}
		})
		if err != nil || n != len(runs) {
			t.Errorf("%v after %d runs", err, n)
		}
	})
}

// Workers that fail together do not start together.
func TestRestartJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := make(map[time.Duration]bool)
		for range 20 {
			ctx, cancel := context.WithCancel(t.Context())
			policy := RestartPolicy{Restarting: func(_ error, _ int, delay time.Duration) { seen[delay] = true; cancel() }}
			policy.Run(ctx, func(context.Context) error { return &ExitError{Code: 1} })
		}
		if len(seen) < 10 {
			t.Errorf("%d different waits in 20", len(seen))
		}
	})
}

// Guarantee: A RestartPolicy gives up after its limit of restarts within an hour.
func TestRestartLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		began := time.Now()
		err := RestartPolicy{Limit: 3}.Run(t.Context(), func(context.Context) error {
			if runs++; runs == 3 {
				time.Sleep(time.Hour) // the restarts before are no longer counted
			}
			return &ExitError{Code: 7}
		})
		var exit *ExitError
		if !errors.As(err, &exit) || exit.Code != 7 || runs != 6 {
			t.Errorf("%v after %d runs, want status 7 after 6", err, runs)
		}
		if want := "restarted 3 times within an hour, and then: it ended with status 7"; err == nil || len(err.Error()) < len(want) || err.Error()[:len(want)] != want {
			t.Errorf("%v, want %s", err, want)
		}
		if took := time.Since(began); took < time.Hour {
			t.Errorf("it took %v", took)
		}
	})
}

// What is no failure of the daemon is not tried again.
func TestRestartEnds(t *testing.T) {
	other := errors.New("cannot start")
	killed := &ExitError{Code: 137, Killed: true}
	for _, want := range []error{nil, other, killed, fmt.Errorf("wrapped: %w", other)} {
		runs := 0
		err := RestartPolicy{}.Run(t.Context(), func(context.Context) error { runs++; return want })
		if err != want || runs != 1 {
			t.Errorf("%v after %d runs, want %v after one", err, runs, want)
		}
	}
}

// The policy's own rule replaces the default, and a negative limit means no restart.
func TestRestartRule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		again, other, exit := errors.New("again"), errors.New("other"), &ExitError{Code: 7}
		for _, tt := range []struct {
			policy RestartPolicy
			errs   []error // of the runs; the last one is returned
		}{
			{RestartPolicy{Restart: func(err error) bool { return err == again }}, []error{again, again, other}},
			{RestartPolicy{Restart: func(error) bool { return false }}, []error{exit}},
			{RestartPolicy{Restart: func(error) bool { return true }}, []error{other, exit, nil}},
			{RestartPolicy{Limit: -1}, []error{exit}},
		} {
			runs := 0
			err := tt.policy.Run(t.Context(), func(context.Context) error { runs++; return tt.errs[runs-1] })
			if want := tt.errs[len(tt.errs)-1]; err != want || runs != len(tt.errs) {
				t.Errorf("error %v after %d runs, want %v after %d", err, runs, want, len(tt.errs))
			}
		}
	})
}

// A nil *ExitError is a run without a failure, and beside another
// error it hides none and ends no program.
func TestNilPointerErrors(t *testing.T) {
	var exit *ExitError
	other := errors.New("cannot start")
	for _, test := range []struct {
		returned error
		want     string
	}{
		{exit, "<nil>"},
		{errors.Join(exit, other), "<nil>\ncannot start"},
		{fmt.Errorf("stopping: %w", exit), "stopping: <nil>"},
	} {
		runs := 0
		err := RestartPolicy{}.Run(t.Context(), func(context.Context) error { runs++; return test.returned })
		if fmt.Sprint(err) != test.want || runs != 1 {
			t.Errorf("%v after %d runs, want %s after one", err, runs, test.want)
		}
	}
	if errors.Is(exit, ErrUnexpectedExit) {
		t.Error("a nil *ExitError is ErrUnexpectedExit")
	}
}

// A stop that is asked for while a run fails is that run's error; one that is
// asked for in the wait ends it at once, and is a good end.
func TestRestartStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		failed := &ExitError{Code: 7}
		if err := (RestartPolicy{}).Run(ctx, func(context.Context) error { cancel(); return failed }); err != failed {
			t.Errorf("stopped in the run: error %v, want %v", err, failed)
		}

		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel)
		began, runs := time.Now(), 0
		err := RestartPolicy{}.Run(ctx, func(context.Context) error { runs++; return failed })
		if took := time.Since(began); err != nil || runs != 1 || took != 100*time.Millisecond {
			t.Errorf("stopped in the wait: %v after %d runs and %v", err, runs, took)
		}
	})
}
