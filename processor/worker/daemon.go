package worker

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/processor/worker/internal/handover"
)

// A daemonRun is one Java, from its start to its end.
type daemonRun struct {
	worker   *Worker
	stop     context.CancelCauseFunc // asks it to stop
	stopping chan struct{}           // closed when it was asked

	mu      sync.Mutex
	ready   bool
	failure *ShardError // why it was asked to stop
	fatal   error       // likewise; then it is not started again
}

// supervise runs the daemon until ctx ends, or until it is not started again.
func (w *Worker) supervise(ctx context.Context, command bootstrap.Command, environ []string) error {
	everReady := false
	var last error // of a run after which there is to be no other
	once := func(ctx context.Context) error {
		ready, err := w.runDaemon(ctx, command, environ)
		everReady = everReady || ready
		var exit *bootstrap.ExitError
		if errors.As(err, &exit) && (!everReady || w.config.Restart.Limit < 0) {
			last = err
			return errNoRestart
		}
		return err
	}
	policy := w.config.Restart
	policy.Restarting = func(err error, restarts int, delay time.Duration) {
		w.board.daemonEnded(err, true)
		w.log.Warn("restarting the daemon", "error", err, "restartsWithinAnHour", restarts, "delay", delay.Round(time.Millisecond))
		if w.config.Restart.Restarting != nil {
			w.config.Restart.Restarting(err, restarts, delay)
		}
	}
	err := policy.Run(ctx, once)
	if err == errNoRestart {
		return last
	}
	return err
}

// errNoRestart hides an error from the restart policy.
var errNoRestart = errors.New("not to be restarted")

// runDaemon runs Java once, and returns when it and all sessions have ended.
func (w *Worker) runDaemon(ctx context.Context, command bootstrap.Command, environ []string) (ready bool, err error) {
	runCtx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	run := &daemonRun{worker: w, stop: stop, stopping: make(chan struct{})}
	context.AfterFunc(runCtx, func() { close(run.stopping) })
	unwatch := context.AfterFunc(ctx, func() {
		w.board.daemonStopping()
		w.log.Info("stopping the daemon")
	})
	defer unwatch()
	w.mu.Lock()
	w.run = run
	w.mu.Unlock()

	err = command.Run(runCtx, bootstrap.RunOptions{
		Output: w.daemonLog(), LogLevel: w.config.DaemonLogLevel, Env: environ, Log: w.log,
		Started: func(pid int) {
			w.board.daemonStarted(pid)
			w.log.Info("daemon started", "version", bootstrap.DaemonVersion, "pid", pid)
		},
		Holding: func(shards int) {
			if run.isReady() {
				w.log.Info("daemon ready", "shards", shards)
			} else {
				w.log.Info("shards changed", "shards", shards)
			}
		},
	})
	stop(nil) // a Java that has ended by itself: its processors hear of it early
	w.mu.Lock()
	w.run = nil
	w.mu.Unlock()
	if errors.Is(err, bootstrap.ErrSurvivors) {
		return true, err // which may hold on to the pipes
	}
	for _, s := range w.sessionsNow() {
		<-s.served // a few seconds at most: its input has ended
	}

	run.mu.Lock()
	defer run.mu.Unlock()
	var exit *bootstrap.ExitError
	switch {
	case run.fatal != nil:
		return run.ready, run.fatal
	case run.failure != nil && ctx.Err() == nil:
		if !errors.As(err, &exit) {
			exit = &bootstrap.ExitError{Stopping: true}
		}
		return run.ready, restartable{run.failure, exit}
	case run.failure != nil && err == nil:
		return run.ready, run.failure // in the last stop
	}
	return run.ready, err
}

// isReady says that the daemon has initialised. It returns false if that was
// said before.
func (run *daemonRun) isReady() (news bool) {
	run.mu.Lock()
	defer run.mu.Unlock()
	if run.ready {
		return false
	}
	run.ready = true
	run.worker.board.daemonReady()
	return true
}

// shardFailed stops the daemon gracefully, because a processor has failed: the
// first one counts.
func (run *daemonRun) shardFailed(shard string, err error) {
	w := run.worker
	if shard == "" {
		w.board.failed("", err) // no shard's row shows it
		shard = "a shard without a name yet"
	}
	failures := max(1, w.board.failures(shard))
	run.mu.Lock()
	first := run.failure == nil && run.fatal == nil
	if first {
		run.failure = &ShardError{ShardID: shard, Failures: failures, Err: err}
	}
	run.mu.Unlock()
	what := "a processor has failed"
	if failures >= failsOften {
		what = "a shard fails again and again"
	}
	select {
	case <-run.stopping:
	default:
		what += ": the daemon is stopped with all shards, and started again"
	}
	w.log.Error(what, "shardId", shard, "failures", failures, "error", err)
	if first {
		w.board.daemonStopping()
		run.stop(err)
	}
}

// giveUp stops the daemon for good.
func (run *daemonRun) giveUp(err error) {
	run.mu.Lock()
	if run.fatal == nil {
		run.fatal = err
	}
	run.mu.Unlock()
	run.stop(err)
}

// accept serves a shim that has come.
func (w *Worker) accept(ctx context.Context, child *handover.Child) {
	w.mu.Lock()
	run := w.run
	if run == nil {
		// A shim of a Java that has ended.
		w.mu.Unlock()
		child.Exit(1)
		return
	}
	s := newSession(w, run)
	w.sessions[s] = struct{}{}
	w.mu.Unlock()
	if run.isReady() {
		w.log.Info("daemon ready") // Holding waits until the number stands still
	}
	// A lease ends with its input, not with ctx: that ends with a stop.
	s.serve(context.WithoutCancel(ctx), child)
	w.mu.Lock()
	delete(w.sessions, s)
	w.mu.Unlock()
}

// sessionsNow returns those that there are.
func (w *Worker) sessionsNow() []*session {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Keys(w.sessions))
}

// lastGrace is how long processors may take to return after the last daemon
// has ended, and with it their contexts. Tests have another.
var lastGrace = 5 * time.Second

// awaitProcessors waits for them. Not between two daemons: there a shard's next
// session waits for the one before, and the others need not.
func (w *Worker) awaitProcessors() error {
	timer := time.NewTimer(lastGrace)
	defer timer.Stop()
	for _, s := range w.sessionsNow() {
		select {
		case <-s.ended:
		case <-timer.C:
			return fmt.Errorf("%w: that of %s, %v after its lease has ended", ErrHung, s.shard, lastGrace)
		}
	}
	return nil
}

// daemonLog returns where the daemon's log goes.
func (w *Worker) daemonLog() io.Writer {
	switch {
	case w.config.DaemonLog != nil:
		return w.config.DaemonLog
	case w.config.Log == nil:
		return io.Discard
	}
	return logLines{w.log.With("source", "daemon")}
}

// logLines logs the lines of the daemon's log, each at its level. Their form is
// that of bootstrap: time, level, logger, a dash, the message.
type logLines struct{ log *slog.Logger }

var daemonLevels = map[string]slog.Level{
	"TRACE": slog.LevelDebug, "DEBUG": slog.LevelDebug, "INFO": slog.LevelInfo, "WARN": slog.LevelWarn, "ERROR": slog.LevelError,
}

func (l logLines) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		text := strings.TrimRight(string(line), "\r\n")
		// What is of another form is standard error: Java's own, or a shim's.
		level, attrs := slog.LevelWarn, []any(nil)
		if fields := strings.SplitN(text, " ", 3); len(fields) == 3 {
			if known, ok := daemonLevels[fields[1]]; ok {
				level, text = known, strings.TrimLeft(fields[2], " ")
				if logger, message, ok := strings.Cut(text, " - "); ok {
					text, attrs = message, []any{"logger", logger}
				}
			}
		}
		l.log.Log(context.Background(), level, text, attrs...)
	}
	return len(p), nil
}

func randomText() string { return rand.Text()[:8] }
