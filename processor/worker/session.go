package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/handle"
	"github.com/seed96110120/kinesis-client-go/processor/worker/internal/handover"
)

// A session is a lease of a shard: from the shim that the daemon has started
// for it until nothing of its processor runs any more. It is the
// RecordProcessor that processor.Run has, and stands before the user's.
type session struct {
	worker *Worker
	run    *daemonRun

	inner processor.RecordProcessor // nil before Initialize
	own   bool                      // inner tells the board itself

	mu     sync.Mutex
	shard  string      // its ID; empty before Initialize
	board  *shardBoard // nil before Initialize
	failed bool
	calls  int  // of inner's methods that have not returned
	over   bool // processor.Run has returned: no more calls

	served chan struct{} // closed when processor.Run has returned
	idle   chan struct{} // closed when over, and no call is left
	ended  chan struct{} // closed when nothing of the processor runs
}

func newSession(w *Worker, run *daemonRun) *session {
	return &session{worker: w, run: run, served: make(chan struct{}), idle: make(chan struct{}), ended: make(chan struct{})}
}

// serve serves a shim until its lease has ended, and then waits until nothing
// of the processor runs.
func (s *session) serve(ctx context.Context, child *handover.Child) {
	defer close(s.ended)
	options := append(s.worker.config.Options[:len(s.worker.config.Options):len(s.worker.config.Options)],
		processor.WithStopNotice(s.run.stopping),
		processor.WithFailureNotice(s.fail),
		processor.WithCheckpointNotice(func(p processor.Position, err error) { s.board.checkpoint(p, err) }))
	err := processor.Run(ctx, s, child.In, child.Out, options...)
	status := 0
	if err != nil && !s.hasFailed() {
		// What the daemon says cannot be understood, or it has gone.
		status = 1
		if !errors.Is(err, processor.ErrDaemonGone) {
			s.fail(err)
		}
	}
	child.Exit(status)
	close(s.served)
	s.finish()
}

// fail says that the shard's processor has failed.
func (s *session) fail(err error) {
	s.mu.Lock()
	s.failed = true
	shard, board := s.shard, s.board
	s.mu.Unlock()
	if board != nil {
		board.failed(err)
	}
	s.run.shardFailed(shard, err)
}

func (s *session) hasFailed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// state tells the board, but for one that has failed: a call that was given up
// may return later.
func (s *session) state(state ShardState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.failed {
		s.board.state(state)
	}
}

// finish waits until nothing of the processor runs.
func (s *session) finish() {
	s.mu.Lock()
	s.over = true
	if s.calls == 0 {
		close(s.idle)
	}
	s.mu.Unlock()
	<-s.idle
	if p, ok := s.inner.(interface{ Done() <-chan struct{} }); ok {
		<-p.Done()
	}
	if s.board != nil {
		s.board.left()
	}
	s.worker.shards.release(s.shard, s)
}

// call calls one of inner's methods, unless the lease is over.
func (s *session) call(method func() error) error {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return processor.ErrShutdown
	}
	s.calls++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.calls--
		if s.over && s.calls == 0 {
			close(s.idle)
		}
		s.mu.Unlock()
	}()
	return method()
}

// Initialize makes the shard's processor, once that of an earlier lease has
// returned.
func (s *session) Initialize(ctx context.Context, in processor.InitializeInput) error {
	return s.call(func() error { return s.initialize(ctx, in) })
}

func (s *session) initialize(ctx context.Context, in processor.InitializeInput) error {
	shard := in.Lease.ShardID()
	s.mu.Lock()
	s.shard, s.board = shard, s.worker.board.shard(shard)
	s.mu.Unlock()
	if err := s.await(ctx, shard); err != nil {
		return err
	}
	inner := s.worker.newProcessor(shard)
	if inner == nil {
		return errors.New("there is no processor: the function that makes them has returned nil")
	}
	if p, ok := inner.(interface{ Observe(handle.Observer) }); ok {
		p.Observe(s.observer())
		s.own = true
	}
	s.inner = inner
	if err := inner.Initialize(ctx, in); err != nil {
		return err
	}
	s.state(ShardIdle)
	return nil
}

// await takes the shard over from the session before.
func (s *session) await(ctx context.Context, shard string) error {
	before := s.worker.shards.claim(shard, s)
	if before == nil {
		return nil
	}
	select {
	case <-before.ended:
		return nil
	default:
	}
	s.state(ShardWaiting)
	s.worker.log.Warn("the shard's processor of before has not returned: waiting for it", "shardId", shard)
	grace := s.worker.config.ReturnGrace
	if grace == 0 {
		grace = defaultReturnGrace
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-before.ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		err := fmt.Errorf("%w: that of %s, %v after another was due; end the process, and find what it waits for", ErrHung, shard, grace)
		s.run.giveUp(err)
		return err
	}
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
		s.state(ShardProcessing)
		began := time.Now()
		if !s.own {
			s.board.inFlight(len(in.Records))
		}
		err := s.inner.ProcessRecords(ctx, in)
		if err != nil {
			return err
		}
		if !s.own {
			s.board.inFlight(0)
			s.board.batchFinished(time.Since(began))
		}
		s.state(ShardIdle)
		return nil
	})
}

// ShutdownRequested is passed on.
func (s *session) ShutdownRequested(ctx context.Context, in processor.ShutdownRequestedInput) error {
	return s.call(func() error {
		s.state(ShardStopping)
		return s.inner.ShutdownRequested(ctx, in)
	})
}

// LeaseLost is passed on.
func (s *session) LeaseLost(ctx context.Context, in processor.LeaseLostInput) error {
	return s.call(func() error {
		s.state(ShardLost)
		return s.inner.LeaseLost(ctx, in)
	})
}

// ShardEnded is passed on.
func (s *session) ShardEnded(ctx context.Context, in processor.ShardEndedInput) error {
	return s.call(func() error {
		err := s.inner.ShardEnded(ctx, in)
		if err == nil {
			s.state(ShardEnded)
		}
		return err
	})
}

// shards knows the newest session of each shard.
type shards struct {
	mu     sync.Mutex
	newest map[string]*session
}

// claim makes s the shard's session, and returns the one before, nil for none.
func (h *shards) claim(shard string, s *session) (before *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.newest == nil {
		h.newest = make(map[string]*session)
	}
	before = h.newest[shard]
	h.newest[shard] = s
	return before
}

// release forgets a session that has ended.
func (h *shards) release(shard string, s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.newest[shard] == s {
		delete(h.newest, shard)
	}
}
