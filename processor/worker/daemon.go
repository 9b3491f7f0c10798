package worker

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/bootstrap/engine"
	"github.com/seed96110120/kinesis-client-go/processor"
)

// A daemonRun is one Java with KCL, from its start to its end.
type daemonRun struct {
	worker         *Worker
	engine         *engine.Engine
	messageTimeout time.Duration   // 0 for none
	stopping       <-chan struct{} // closed when the worker is to stop
	ctx            context.Context // ends then, and when Java has ended
	ready          atomic.Bool
	served         sync.Map // by a conversation's ID, whether it was failed: an *atomic.Bool
}

// supervise runs one Java after the other until ctx ends, or until none is
// started again.
func (w *Worker) supervise(ctx context.Context, p plan) error {
	everReady := false
	var last error // of a run after which there is to be no other
	once := func(ctx context.Context) error {
		ready, err := w.runDaemon(ctx, p)
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

// runDaemon runs Java once, and returns when it and all conversations have ended.
func (w *Worker) runDaemon(ctx context.Context, p plan) (ready bool, err error) {
	runCtx, end := context.WithCancel(ctx)
	run := &daemonRun{worker: w, messageTimeout: p.messageTimeout, stopping: ctx.Done(), ctx: runCtx}
	unwatch := context.AfterFunc(ctx, func() {
		w.board.daemonStopping()
		w.log.Info("stopping the daemon")
	})
	defer unwatch()
	run.engine = engine.New(engine.Config{
		Command: p.command, Silence: w.config.Silence, StopGrace: p.shutdownGrace,
		LogLevel: daemonLogLevel(w.log), Log: w.log,
		Serve: func(lease *engine.Lease) error { return w.serve(run, lease) },
		Event: run.event,
		Started: func(pid int) {
			w.board.daemonStarted(pid)
			w.log.Info("daemon started", "version", bootstrap.DaemonVersion, "pid", pid)
		},
	})
	err = run.engine.Run(ctx)
	end()
	w.forget(nil)
	return run.ready.Load(), err
}

// event takes what KCL tells of itself.
func (run *daemonRun) event(e engine.Event) {
	w := run.worker
	switch e := e.(type) {
	case engine.State:
		if e != engine.Ready {
			w.board.daemonInitializing()
			return
		}
		run.ready.Store(true)
		w.board.daemonReady()
		w.log.Info("daemon ready")
	case engine.Leases:
		taken, lost := w.board.leases(e.LeaseKeys)
		w.forget(e.LeaseKeys)
		w.log.Info("leases changed", "shards", len(e.LeaseKeys), "taken", taken, "lost", lost)
	case engine.Task:
		if e.Task == "BLOCK_ON_PARENT_SHARDS" {
			w.board.blocked(e.LeaseKey, !e.OK)
		}
	case engine.ShardError:
		problem := w.board.problem(e.LeaseKey, e.Operation, e.Causes)
		if problem.Times == 1 {
			w.logShard(slog.LevelWarn, e.LeaseKey, "a shard cannot be read", "error", problem.Text, "advice", problem.Advice)
		}
	case engine.Recovered:
		if w.board.recovered(e.LeaseKey) {
			w.logShard(slog.LevelInfo, e.LeaseKey, "the shard is read again")
		}
	case engine.LeaseBroken:
		run.broken(e)
	case engine.LogRecord:
		w.logDaemon(e)
	case engine.Stopped:
		w.log.Info("daemon stopped", "complete", e.Complete, "leasesGivenUp", e.Released)
	}
}

// broken takes that KCL found a conversation broken. Its session, if there is one,
// sees that itself. There is none when the connection could not be made.
func (run *daemonRun) broken(e engine.LeaseBroken) {
	w := run.worker
	failed, ok := run.served.Load(e.Lease)
	if ok && failed.(*atomic.Bool).Load() {
		return // it was this side that ended it
	}
	w.board.failed(e.LeaseKey, errors.New("KCL's conversation about the shard broke off: "+e.Reason))
	w.logShard(slog.LevelWarn, e.LeaseKey, "KCL's conversation about a shard broke off: it is read again from its last checkpoint", "reason", e.Reason)
	if !ok {
		time.AfterFunc(time.Second, func() { run.engine.Read(e.LeaseKey) })
	}
}

// daemonLogLevel is the least level of KCL's log that log takes. KCL tells at
// Info what is of interest to those who look for a fault in it.
func daemonLogLevel(log *slog.Logger) slog.Level {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn} {
		if log.Enabled(context.Background(), ownLevel(level)) {
			return level
		}
	}
	return slog.LevelError
}

// ownLevel is the level at which a record of KCL's log is logged.
func ownLevel(level slog.Level) slog.Level {
	if level < slog.LevelWarn {
		return level - 4
	}
	return level
}

// logDaemon logs a record of KCL's log.
func (w *Worker) logDaemon(r engine.LogRecord) {
	attrs := []any{"logger", r.Logger}
	if r.LeaseKey != "" {
		attrs = append(attrs, shardAttrs(r.LeaseKey)...)
	}
	if len(r.Causes) > 0 {
		causes := make([]string, len(r.Causes))
		for i, c := range r.Causes {
			causes[i] = c.Class
			if c.Message != "" {
				causes[i] += ": " + c.Message
			}
		}
		attrs = append(attrs, "causes", strings.Join(causes, "; caused by "))
	}
	if r.Dropped > 0 {
		attrs = append(attrs, "dropped", r.Dropped)
	}
	w.log.Log(context.Background(), ownLevel(r.Level), r.Message, attrs...)
}

// logShard logs what is of one shard.
func (w *Worker) logShard(level slog.Level, key, message string, attrs ...any) {
	w.log.Log(context.Background(), level, message, append(shardAttrs(key), attrs...)...)
}

// shardAttrs are the attributes that name a shard; in a worker of several streams
// the stream is among them.
func shardAttrs(key string) []any {
	stream, shardID := processor.SplitLeaseKey(key)
	if stream == "" {
		return []any{"shardId", shardID}
	}
	return []any{"stream", stream, "shardId", shardID}
}
