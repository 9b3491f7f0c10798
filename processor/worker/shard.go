package worker

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap/engine"
)

// A shard is what goes on from one conversation about it to the next. Worker.mu
// guards it.
type shard struct {
	newest  *session // earlier ones are behind it
	backoff engine.Backoff
}

// claim makes s the newest session of its shard, and returns the one before, nil
// for none.
func (w *Worker) claim(s *session) (h *shard, before *session) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h = w.shards[s.lease.LeaseKey]
	if h == nil {
		h = &shard{}
		w.shards[s.lease.LeaseKey] = h
	}
	before, h.newest = h.newest, s
	return h, before
}

// release forgets a session's shard: its next failure is a first one.
func (w *Worker) release(s *session) {
	s.board.left()
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.shard.newest == s {
		delete(w.shards, s.lease.LeaseKey)
	}
}

// forget releases the shards that are not held, but for those with a session.
func (w *Worker) forget(held []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, h := range w.shards {
		select {
		case <-h.newest.ended:
			if !slices.Contains(held, key) {
				delete(w.shards, key)
			}
		default:
		}
	}
}

// settle waits until nothing of a conversation's processor runs. If the
// conversation has failed, KCL holds its shard back, and is then told to read it
// again. err is what processor.Run has returned.
func (s *session) settle(err error) {
	w, key := s.worker, s.lease.LeaseKey
	s.mu.Lock()
	failure, worked := s.failure, s.worked
	s.mu.Unlock()
	grace := w.config.returnGrace()
	if errors.Is(failure, ErrHung) {
		grace = 0 // it has been waited for
	}
	late := time.AfterFunc(grace, s.report)
	s.finish()
	late.Stop()
	w.mu.Lock()
	overtaken := s.shard.newest != s // which sees to the shard now
	w.mu.Unlock()
	bad := err != nil || failure != nil
	if bad && overtaken {
		// The shard that is held back now is the newer conversation's, which ends
		// in order and sees nothing of that.
		s.run.engine.Read(key)
	}
	if !bad || overtaken || s.run.ctx.Err() != nil {
		w.release(s)
		return
	}
	if failure != nil && w.config.EvictFailing && w.board.failures(key) >= failsOften {
		w.logShard(slog.LevelWarn, key, "the shard is given up to other workers")
		s.run.engine.Evict(key) // if that fails the shard is read again
	}
	w.mu.Lock()
	delay := s.shard.backoff.Next(worked)
	w.mu.Unlock()
	s.board.restarting(delay)
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		s.run.engine.Read(key)
	case <-s.run.ctx.Done():
		w.release(s)
	}
}

// finish waits until nothing of the processor runs, nor of one before it.
func (s *session) finish() {
	s.work.Lock()
	s.over = true
	s.work.Unlock()
	s.mu.Lock()
	initialized := !s.since.IsZero()
	s.mu.Unlock()
	// Done of one that fails before it has called handle's Initialize never ends.
	if p, ok := s.inner.(interface{ Done() <-chan struct{} }); ok && initialized {
		<-p.Done()
	}
	if s.before != nil {
		<-s.before.ended
		s.before = nil // and what is behind it
	}
	s.mu.Lock()
	close(s.ended)
	s.mu.Unlock()
	select {
	case <-s.hung:
		s.worker.logShard(slog.LevelInfo, s.lease.LeaseKey, "the processor that did not return has returned")
	default:
	}
}

// report says that the processor has not returned.
func (s *session) report() {
	s.mu.Lock()
	select {
	case <-s.ended:
		s.mu.Unlock()
		return
	default:
	}
	close(s.hung)
	s.mu.Unlock()
	s.board.hung()
	s.worker.logShard(slog.LevelError, s.lease.LeaseKey,
		"a processor does not return: its shard is not read until it has; find what it waits for, or end the process")
}

// lastGrace is how long processors may take to return after the last Java has
// ended, and with it their contexts. Tests have another.
var lastGrace = 5 * time.Second

// awaitProcessors waits for them, but not for one that was reported.
func (w *Worker) awaitProcessors() error {
	w.mu.Lock()
	var left []*session
	for _, h := range w.shards {
		left = append(left, h.newest)
	}
	w.mu.Unlock()
	timer := time.NewTimer(lastGrace)
	defer timer.Stop()
	for _, s := range left {
		select {
		case <-s.ended:
			continue
		case <-s.hung:
		case <-timer.C:
		}
		select {
		case <-s.ended: // as well
		default:
			return fmt.Errorf("%w: that of %s", ErrHung, s.lease.LeaseKey)
		}
	}
	return nil
}
