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

// A daemonRun is one run of Java with KCL.
type daemonRun struct {
	worker         *Worker
	engine         *engine.Engine
	messageTimeout time.Duration   // 0 means none
	stopping       <-chan struct{} // closed when the worker is to stop
	ctx            context.Context // ends then, and when Java has ended
	ready          atomic.Bool
	failed         sync.Map // an *atomic.Bool by the ID of a conversation: whether its session has failed
}

// supervise runs Java, again and again, until ctx ends or Java is not to be restarted.
func (w *Worker) supervise(ctx context.Context, p plan) error {
	everReady := false
	policy := w.config.Java.Restart
	policy.Restart = func(err error) bool {
		if !everReady {
			return false
		}
		if w.config.Java.Restart.Restart != nil {
			return w.config.Java.Restart.Restart(err)
		}
		return errors.As(err, new(*bootstrap.ExitError))
	}
	policy.Restarting = func(err error, restarts int, delay time.Duration) {
		w.recorder.daemonEnded(err, true)
		w.logger.Warn("restarting the daemon", "error", err, "restartsWithinAnHour", restarts, "delay", delay.Round(time.Millisecond))
		if w.config.Java.Restart.Restarting != nil {
			w.config.Java.Restart.Restarting(err, restarts, delay)
		}
	}
	return policy.Run(ctx, func(ctx context.Context) error {
		ready, err := w.runDaemon(ctx, p)
		everReady = everReady || ready
		return err
	})
}

// runDaemon runs Java once. It returns when Java and all conversations have ended.
func (w *Worker) runDaemon(ctx context.Context, p plan) (ready bool, err error) {
	runCtx, end := context.WithCancel(ctx)
	run := &daemonRun{worker: w, messageTimeout: p.messageTimeout, stopping: ctx.Done(), ctx: runCtx}
	unwatch := context.AfterFunc(ctx, func() {
		w.recorder.setDaemonState(DaemonStopping)
		w.logger.Info("stopping the daemon")
	})
	defer unwatch()
	run.engine = engine.New(engine.Config{
		Command: p.command, Silence: w.config.Java.Silence, StopGrace: p.shutdownGrace,
		LogLevel: kclLogLevel(w.logger), Logger: w.logger,
		Serve: func(lease *engine.Lease) error { return w.serve(run, lease) },
		Event: run.event,
		Started: func(pid int) {
			w.recorder.daemonStarted(pid)
			w.logger.Info("daemon started", "version", bootstrap.DaemonVersion, "pid", pid)
		},
	})
	err = run.engine.Run(ctx)
	end()
	w.dropShardsExcept(nil)
	return run.ready.Load(), err
}

// event handles an event of KCL.
func (run *daemonRun) event(e engine.Event) {
	w := run.worker
	switch e := e.(type) {
	case engine.State:
		if e != engine.Ready {
			w.recorder.setDaemonState(DaemonInitializing)
			return
		}
		run.ready.Store(true)
		w.recorder.setDaemonState(DaemonReady)
		w.logger.Info("daemon ready")
	case engine.Leases:
		taken, lost := w.recorder.setLeases(e.LeaseKeys)
		w.dropShardsExcept(e.LeaseKeys)
		w.logger.Info("leases changed", "shards", len(e.LeaseKeys), "taken", taken, "lost", lost)
	case engine.TaskOutcome:
		if e.Task == "BLOCK_ON_PARENT_SHARDS" {
			w.recorder.setBlocked(e.LeaseKey, !e.OK)
		}
	case engine.ShardError:
		problem := w.recorder.addProblem(e.LeaseKey, e.Operation, e.Causes)
		if problem.Times == 1 {
			w.logShard(slog.LevelWarn, e.LeaseKey, "a shard cannot be read", "error", problem.Text, "advice", problem.Advice)
		}
	case engine.ShardRecovered:
		if w.recorder.clearProblem(e.LeaseKey) {
			w.logShard(slog.LevelInfo, e.LeaseKey, "the shard is read again")
		}
	case engine.ConversationBroken:
		run.conversationBroken(e)
	case engine.LogRecord:
		w.logKCL(e)
	case engine.Stopped:
		w.logger.Info("daemon stopped", "complete", e.Complete, "leasesGivenUp", e.Released)
	}
}

// conversationBroken records that KCL has ended a conversation. Its session notices that
// itself. There is no session if the connection could not be made.
func (run *daemonRun) conversationBroken(e engine.ConversationBroken) {
	w := run.worker
	failed, ok := run.failed.Load(e.ID)
	if ok && failed.(*atomic.Bool).Load() {
		return // this side has ended it
	}
	w.recorder.addError(e.LeaseKey, errors.New("KCL's conversation about the shard broke off: "+e.Reason))
	w.logShard(slog.LevelWarn, e.LeaseKey, "KCL's conversation about a shard broke off: the shard is read again from its last checkpoint", "reason", e.Reason)
	if !ok {
		time.AfterFunc(time.Second, func() { run.engine.Resume(e.LeaseKey) })
	}
}

// kclLogLevel returns the lowest level of KCL's log that logger takes.
func kclLogLevel(logger *slog.Logger) slog.Level {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn} {
		if logger.Enabled(context.Background(), loweredLevel(level)) {
			return level
		}
	}
	return slog.LevelError
}

// loweredLevel returns the level at which a record of KCL's log is logged. What KCL logs
// at Info is useful only for finding a fault in KCL.
func loweredLevel(level slog.Level) slog.Level {
	if level < slog.LevelWarn {
		return level - 4
	}
	return level
}

// logKCL logs a record of KCL's log.
func (w *Worker) logKCL(r engine.LogRecord) {
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
	w.logger.Log(context.Background(), loweredLevel(r.Level), r.Message, attrs...)
}

// logShard logs a message about a shard.
func (w *Worker) logShard(level slog.Level, key, message string, attrs ...any) {
	w.logger.Log(context.Background(), level, message, append(shardAttrs(key), attrs...)...)
}

// shardAttrs returns the attributes that name a shard: its ID and, in a worker of
// several streams, its stream.
func shardAttrs(key string) []any {
	stream, shardID := processor.SplitLeaseKey(key)
	if stream == "" {
		return []any{"shardId", shardID}
	}
	return []any{"stream", stream, "shardId", shardID}
}
