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

// A session is one conversation about a shard: from KCL's first message until
// nothing of its processor runs any more. It is the RecordProcessor that
// processor.Run has, and stands before the user's.
type session struct {
	worker *Worker
	run    *daemonRun
	lease  *engine.Lease
	board  *shardBoard
	shard  *shard
	before *session                // of the same shard; nil for none
	cancel context.CancelCauseFunc // of processor.Run
	broken atomic.Bool             // the connection, by KCL or by fail
	failed *atomic.Bool            // by fail; daemonRun.served has it too

	// work is held while one of inner's methods is at work.
	work  sync.Mutex
	inner processor.RecordProcessor // nil before Initialize
	own   bool                      // inner tells the board itself
	over  bool                      // processor.Run has returned: no more calls
	final bool                      // the end of the lease, or of the shard, was answered

	mu      sync.Mutex
	failure error         // the first one
	since   time.Time     // when Initialize returned, zero before
	worked  time.Duration // from then to the failure

	hung  chan struct{} // closed when the processor has not returned in time
	ended chan struct{} // closed when nothing of the processor, or of one before, runs
}

// serve serves a conversation. Its error says that the shard is not to be read
// on; settle sees to that.
func (w *Worker) serve(run *daemonRun, lease *engine.Lease) error {
	s := &session{worker: w, run: run, lease: lease, failed: new(atomic.Bool), hung: make(chan struct{}), ended: make(chan struct{})}
	run.served.Store(lease.ID, s.failed)
	s.shard, s.before = w.claim(s)
	s.board = w.board.shard(lease.LeaseKey)
	// A conversation ends with its input, not with run: that ends with a stop.
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(run.ctx))
	defer cancel(nil)
	s.cancel = cancel
	options := append(w.config.Options[:len(w.config.Options):len(w.config.Options)],
		processor.WithLease(lease.Stream, lease.LeaseKey), processor.WithStopNotice(run.stopping), processor.WithCheckpointNotice(s.board.checkpoint))
	err := processor.Run(ctx, s, input{s}, output{s}, options...)
	switch {
	case err == nil && !s.final:
		err = processor.ErrDaemonGone
	case err != nil && !s.broken.Load():
		s.fail(err)
	}
	if err != nil {
		lease.Fail() // before settle has KCL read the shard again
	}
	go s.settle(err)
	return err
}

// An input is what KCL says in a conversation. When that was failed, it ends with
// the failure, not because of the closed connection.
type input struct{ s *session }

func (in input) Read(p []byte) (int, error) {
	n, err := in.s.lease.Read(p)
	if err != nil {
		in.s.broken.Store(true)
		in.s.mu.Lock()
		defer in.s.mu.Unlock()
		if in.s.failure != nil {
			err = in.s.failure
		}
	}
	return n, err
}

// An output is what KCL is told in a conversation.
type output struct{ s *session }

func (out output) Write(p []byte) (int, error) {
	n, err := out.s.lease.Write(p)
	if err != nil {
		out.s.broken.Store(true)
	}
	return n, err
}

// fail ends the conversation because of its processor. The first failure counts.
func (s *session) fail(err error) {
	s.mu.Lock()
	if s.failure != nil {
		s.mu.Unlock()
		return
	}
	s.failure = err
	s.failed.Store(true)
	s.lease.Fail() // first: from here on KCL makes no checkpoint of it
	if !s.since.IsZero() {
		s.worked = time.Since(s.since)
	}
	s.mu.Unlock()
	s.board.failed(err)
	s.cancel(err)
	key := s.lease.LeaseKey
	failures := s.worker.board.failures(key)
	what := "a processor has failed"
	if failures >= failsOften {
		what = "a shard fails again and again"
	}
	s.worker.logShard(slog.LevelError, key, what, "failures", failures, "error", err)
}

// Initialize makes the shard's processor, once that of an earlier conversation
// has returned.
func (s *session) Initialize(ctx context.Context, in processor.InitializeInput) error {
	return s.call(func() error {
		if in.Position.SequenceNumber == protocol.Latest {
			s.worker.latest.Do(func() {
				s.worker.logShard(slog.LevelWarn, s.lease.LeaseKey, "a shard without a checkpoint starts at the newest record: until its first checkpoint "+
					"each start, also after a failure, skips what has come before it; with InitialPosition TRIM_HORIZON none does")
			})
		}
		if err := s.await(ctx); err != nil {
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
			if p, ok := inner.(interface{ Observe(handle.Observer) }); ok {
				p.Observe(s.observer())
				s.own = true
			}
			s.inner = inner
			if err := inner.Initialize(ctx, in); err != nil {
				return err
			}
			s.mu.Lock()
			s.since = time.Now()
			s.mu.Unlock()
			s.board.state(ShardIdle)
			return nil
		})
	})
}

// await waits until no other processor of the shard is at work.
func (s *session) await(ctx context.Context) error {
	if s.before == nil {
		return nil
	}
	select {
	case <-s.before.ended:
		return nil
	default:
	}
	s.board.state(ShardWaiting)
	s.worker.logShard(slog.LevelWarn, s.lease.LeaseKey, "the shard's processor of before has not returned: waiting for it")
	grace := s.worker.config.returnGrace()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-s.before.ended:
		s.board.state(ShardStarting)
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return fmt.Errorf("%w: that of before, %v after another was due", ErrHung, grace)
	}
}

// call calls one of inner's methods. None begins when processor.Run has returned.
func (s *session) call(method func() error) error {
	s.work.Lock()
	defer s.work.Unlock()
	if s.over {
		return processor.ErrShutdown
	}
	return method()
}

// limit fails the conversation when a method does not return in time.
func (s *session) limit(action string, method func() error) error {
	if limit := s.run.messageTimeout; limit > 0 {
		timer := time.AfterFunc(limit, func() {
			s.fail(fmt.Errorf("%s has not returned within %v, the time limit for a message (timeoutInSeconds)", action, limit))
		})
		defer timer.Stop()
	}
	return method()
}

// observer tells the board what package handle's processors alone know.
func (s *session) observer() handle.Observer {
	return handle.Observer{
		BatchFinished:  func(e handle.BatchFinished) { s.board.batchFinished(e.Duration) },
		RecordFinished: func(e handle.RecordFinished) { s.board.recordFinished(e.Duration) },
		Retry:          func(e handle.Retry) { s.board.retried(e.Records, e.Err) },
		Blocked:        func(e handle.Retry) { s.board.retried(e.Records, e.Err) },
		DeadLettered:   func(e handle.DeadLettered) { s.board.deadLettered(e.Err) },
		InFlight:       func(e handle.InFlight) { s.board.inFlight(e.Records) },
	}
}

// ProcessRecords passes a batch on.
func (s *session) ProcessRecords(ctx context.Context, in processor.ProcessRecordsInput) error {
	return s.call(func() error {
		var bytes int64
		for i := range in.Records {
			bytes += int64(len(in.Records[i].Data))
		}
		s.board.batchReceived(len(in.Records), bytes, in.MillisBehindLatest)
		s.board.state(ShardProcessing)
		began := time.Now()
		if !s.own {
			s.board.inFlight(len(in.Records))
		}
		if err := s.limit("processRecords", func() error { return s.inner.ProcessRecords(ctx, in) }); err != nil {
			return err
		}
		if !s.own {
			s.board.inFlight(0)
			s.board.batchFinished(time.Since(began))
		}
		s.board.state(ShardIdle)
		return nil
	})
}

// ShutdownRequested is passed on.
func (s *session) ShutdownRequested(ctx context.Context, in processor.ShutdownRequestedInput) error {
	return s.call(func() error {
		s.board.state(ShardStopping)
		return s.limit("shutdownRequested", func() error { return s.inner.ShutdownRequested(ctx, in) })
	})
}

// LeaseLost is passed on.
func (s *session) LeaseLost(ctx context.Context, in processor.LeaseLostInput) error {
	return s.call(func() error {
		s.board.state(ShardLost)
		err := s.limit("leaseLost", func() error { return s.inner.LeaseLost(ctx, in) })
		s.final = err == nil || errors.Is(err, processor.ErrShutdown)
		return err
	})
}

// ShardEnded is passed on.
func (s *session) ShardEnded(ctx context.Context, in processor.ShardEndedInput) error {
	return s.call(func() error {
		err := s.limit("shardEnded", func() error { return s.inner.ShardEnded(ctx, in) })
		if err == nil {
			s.board.state(ShardEnded)
		}
		s.final = err == nil || errors.Is(err, processor.ErrShutdown)
		return err
	})
}
