package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap/engine"
	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/handle"
	"github.com/seed96110120/kinesis-client-go/protocol"
)

// A session is one conversation with KCL about a shard: from KCL's first message until
// nothing of the shard's processor runs any more. It is the RecordProcessor that
// processor.Run calls, and calls the user's.
type session struct {
	worker     *Worker
	run        *daemonRun
	lease      *engine.Lease
	recorder   *sessionRecorder
	shard      *shard
	previous   *session                // of the same shard; nil if there is none
	cancel     context.CancelCauseFunc // of processor.Run
	connBroken atomic.Bool             // by KCL or by fail
	failed     *atomic.Bool            // by fail; daemonRun.failed has it too

	// methods is held while a method of inner is called.
	methods    sync.Mutex
	inner      processor.RecordProcessor // the user's; nil before Initialize
	observable bool                      // inner is handle.Observable
	observers  []handle.Observer         // the worker's
	closed     bool                      // processor.Run has returned: no more calls
	answered   bool                      // the end of the lease or the shard was answered

	mu            sync.Mutex
	failure       error         // the first one
	initializedAt time.Time     // zero before Initialize has returned
	workedFor     time.Duration // from then to the failure

	hung  chan struct{} // closed when the processor has not returned in time
	ended chan struct{} // closed when neither this processor nor an earlier one of the shard runs
}

// serve serves a conversation. An error means that KCL must not read the shard on;
// session.finish has it read again.
func (w *Worker) serve(run *daemonRun, lease *engine.Lease) error {
	s := &session{worker: w, run: run, lease: lease, failed: new(atomic.Bool), hung: make(chan struct{}), ended: make(chan struct{})}
	run.failed.Store(lease.ID, s.failed)
	s.shard, s.previous = w.addSession(s)
	s.recorder = w.recorder.beginSession(lease.LeaseKey)
	// A conversation ends with its input, not with run, which ends when a stop begins.
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(run.ctx))
	defer cancel(nil)
	s.cancel = cancel
	err := processor.Run(ctx, s, sessionReader{s}, sessionWriter{s}, &processor.Options{
		Logger:            w.logger,
		CheckpointRetries: w.config.Processors.CheckpointRetries,
		Host: processor.HostOptions{
			Stream: lease.Stream, LeaseKey: lease.LeaseKey, Stopping: run.stopping, Checkpointed: s.recorder.checkpointed,
		},
	})
	switch {
	case err == nil && !s.answered:
		err = processor.ErrDaemonGone
	case err != nil && !s.connBroken.Load():
		s.fail(err)
	}
	if err != nil {
		lease.Fail() // before finish has KCL read the shard again
	}
	go s.finish(err)
	return err
}

// A sessionReader reads KCL's messages. After a failure it ends with the failure, not
// with the error of the closed connection.
type sessionReader struct{ s *session }

func (r sessionReader) Read(p []byte) (int, error) {
	n, err := r.s.lease.Read(p)
	if err != nil {
		r.s.connBroken.Store(true)
		r.s.mu.Lock()
		defer r.s.mu.Unlock()
		if r.s.failure != nil {
			err = r.s.failure
		}
	}
	return n, err
}

// A sessionWriter writes the answers.
type sessionWriter struct{ s *session }

func (w sessionWriter) Write(p []byte) (int, error) {
	n, err := w.s.lease.Write(p)
	if err != nil {
		w.s.connBroken.Store(true)
	}
	return n, err
}

// fail ends the conversation because its processor has failed. Later failures are
// ignored.
func (s *session) fail(err error) {
	s.mu.Lock()
	if s.failure != nil {
		s.mu.Unlock()
		return
	}
	s.failure = err
	s.failed.Store(true)
	s.lease.Fail() // first: after this KCL makes no checkpoint for the processor
	if !s.initializedAt.IsZero() {
		s.workedFor = time.Since(s.initializedAt)
	}
	s.mu.Unlock()
	s.recorder.failed(err)
	s.cancel(err)
	key := s.lease.LeaseKey
	failures := s.worker.recorder.failureCount(key)
	what := "a processor has failed"
	if failures >= manyFailures {
		what = "a shard fails repeatedly"
	}
	s.worker.logShard(slog.LevelError, key, what, "failures", failures, "error", err)
}

// Initialize makes the shard's processor after the previous one has returned.
func (s *session) Initialize(ctx context.Context, in processor.InitializeInput) error {
	return s.call(func() error {
		if in.Position.SequenceNumber == protocol.Latest {
			s.worker.warnLatest.Do(func() {
				s.worker.logShard(slog.LevelWarn, s.lease.LeaseKey, "a shard without a checkpoint starts at the newest record: "+
					"until its first checkpoint, each start, also after a failure, skips earlier records; InitialPosition TRIM_HORIZON skips none")
			})
		}
		if err := s.awaitPrevious(ctx); err != nil {
			return err
		}
		return s.limit("initialize", func() error {
			inner, err := s.worker.newProcessor(ShardInfo{
				Stream: s.lease.Stream, StreamARN: s.lease.StreamARN, ShardID: s.lease.ShardID, LeaseKey: s.lease.LeaseKey,
			})
			if err != nil {
				return fmt.Errorf("cannot make a processor: %w", err)
			}
			if inner == nil {
				return errors.New("the function that makes processors has returned nil")
			}
			s.worker.mu.Lock()
			s.observers = s.worker.observers
			s.worker.mu.Unlock()
			if p, ok := inner.(handle.Observable); ok {
				s.observable = true
				p.Observe(s.observer())
				for _, o := range s.observers {
					p.Observe(o)
				}
			}
			s.inner = inner
			if err := inner.Initialize(ctx, in); err != nil {
				return err
			}
			s.mu.Lock()
			s.initializedAt = time.Now()
			s.mu.Unlock()
			s.recorder.setState(ShardIdle)
			return nil
		})
	})
}

// awaitPrevious waits until no earlier processor of the shard runs.
func (s *session) awaitPrevious(ctx context.Context) error {
	if s.previous == nil {
		return nil
	}
	select {
	case <-s.previous.ended:
		return nil
	default:
	}
	s.recorder.setState(ShardWaiting)
	s.worker.logShard(slog.LevelWarn, s.lease.LeaseKey, "the previous processor of the shard has not returned: waiting for it")
	grace := s.worker.config.Processors.returnGrace()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-s.previous.ended:
		s.recorder.setState(ShardStarting)
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return fmt.Errorf("%w: the previous one of this shard, after %v", ErrHung, grace)
	}
}

// call calls a method of inner, unless processor.Run has returned.
func (s *session) call(method func() error) error {
	s.methods.Lock()
	defer s.methods.Unlock()
	if s.closed {
		return processor.ErrLeaseLost
	}
	return method()
}

// limit fails the session if a method does not return in time.
func (s *session) limit(action string, method func() error) error {
	if limit := s.run.messageTimeout; limit > 0 {
		timer := time.AfterFunc(limit, func() {
			s.fail(fmt.Errorf("%s has not returned within %v, the time limit for a message (timeoutInSeconds)", action, limit))
		})
		defer timer.Stop()
	}
	return method()
}

// observer records what only processors of package handle know.
func (s *session) observer() handle.Observer {
	return handle.Observer{
		Retry:        func(e handle.Retry) { s.recorder.retried(e.Records, e.Err) },
		Blocked:      func(e handle.Retry) { s.recorder.retried(e.Records, e.Err) },
		DeadLettered: func(e handle.DeadLettered) { s.recorder.deadLettered(e.Err) },
		InFlight:     func(e handle.InFlight) { s.recorder.setInFlight(e.Records) },
	}
}

// ProcessRecords passes a batch on. It tells the observers about it if inner does not.
func (s *session) ProcessRecords(ctx context.Context, in processor.ProcessRecordsInput) error {
	return s.call(func() error {
		var bytes int64
		for i := range in.Records {
			bytes += int64(len(in.Records[i].Data))
		}
		s.recorder.batchReceived(len(in.Records), bytes, in.MillisBehindLatest)
		s.recorder.setState(ShardProcessing)
		if s.observable {
			if err := s.limit("processRecords", func() error { return s.inner.ProcessRecords(ctx, in) }); err != nil {
				return err
			}
			s.recorder.setState(ShardIdle)
			return nil
		}
		s.recorder.setInFlight(len(in.Records))
		began := time.Now()
		shard := handle.Shard{ShardID: s.lease.ShardID, Stream: s.lease.Stream, Key: s.lease.LeaseKey}
		for _, o := range s.observers {
			if o.BatchReceived != nil {
				o.BatchReceived(handle.BatchReceived{Shard: shard, Records: len(in.Records), Bytes: bytes, MillisBehindLatest: in.MillisBehindLatest})
			}
		}
		if err := s.limit("processRecords", func() error { return s.inner.ProcessRecords(ctx, in) }); err != nil {
			return err
		}
		s.recorder.setInFlight(0)
		for _, o := range s.observers {
			if o.BatchFinished != nil {
				o.BatchFinished(handle.BatchFinished{Shard: shard, Records: len(in.Records), Duration: time.Since(began)})
			}
		}
		s.recorder.setState(ShardIdle)
		return nil
	})
}

// ShutdownRequested is passed on.
func (s *session) ShutdownRequested(ctx context.Context, in processor.ShutdownRequestedInput) error {
	return s.call(func() error {
		s.recorder.setState(ShardStopping)
		return s.limit("shutdownRequested", func() error { return s.inner.ShutdownRequested(ctx, in) })
	})
}

// LeaseLost is passed on.
func (s *session) LeaseLost(ctx context.Context, in processor.LeaseLostInput) error {
	return s.call(func() error {
		s.recorder.setState(ShardLost)
		err := s.limit("leaseLost", func() error { return s.inner.LeaseLost(ctx, in) })
		s.answered = err == nil || errors.Is(err, processor.ErrLeaseLost)
		return err
	})
}

// ShardEnded is passed on.
func (s *session) ShardEnded(ctx context.Context, in processor.ShardEndedInput) error {
	return s.call(func() error {
		err := s.limit("shardEnded", func() error { return s.inner.ShardEnded(ctx, in) })
		if err == nil {
			s.recorder.setState(ShardEnded)
		}
		s.answered = err == nil || errors.Is(err, processor.ErrLeaseLost)
		return err
	})
}
