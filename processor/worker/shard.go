package worker

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap/engine"
	"github.com/seed96110120/kinesis-client-go/processor"
)

// A shard is what its sessions share. Worker.mu guards it.
type shard struct {
	newest  *session // earlier ones follow by session.previous
	backoff engine.Backoff
}

// addSession makes s the newest session of its shard, and returns the previous one,
// nil if there is none.
func (w *Worker) addSession(s *session) (sh *shard, previous *session) {
	w.mu.Lock()
	defer w.mu.Unlock()
	sh = w.shards[s.lease.LeaseKey]
	if sh == nil {
		sh = &shard{}
		w.shards[s.lease.LeaseKey] = sh
	}
	previous, sh.newest = sh.newest, s
	return sh, previous
}

// dropSession drops the shard of a session that none follows. The shard's backoff
// starts from the beginning then.
func (w *Worker) dropSession(s *session) {
	s.recorder.end()
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.shard.newest == s {
		delete(w.shards, s.lease.LeaseKey)
	}
}

// dropShardsExcept drops the shards whose sessions have ended, except those whose
// leases are held.
func (w *Worker) dropShardsExcept(held []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, sh := range w.shards {
		select {
		case <-sh.newest.ended:
			if !slices.Contains(held, key) {
				delete(w.shards, key)
			}
		default:
		}
	}
}

// finish waits until the session's processor has returned. If the session has failed,
// KCL holds its shard back; finish then has KCL read it again, after the backoff. err
// is what processor.Run returned.
func (s *session) finish(err error) {
	w, key := s.worker, s.lease.LeaseKey
	s.mu.Lock()
	failure, workedFor := s.failure, s.workedFor
	s.mu.Unlock()
	grace := w.config.Processors.returnGrace()
	if errors.Is(failure, ErrHung) {
		grace = 0 // it has been waited for
	}
	late := time.AfterFunc(grace, s.reportHung)
	s.awaitReturn()
	late.Stop()
	w.mu.Lock()
	overtaken := s.shard.newest != s // by a session that takes care of the shard now
	w.mu.Unlock()
	failed := err != nil || failure != nil
	if failed && overtaken {
		// KCL holds the shard back for the newer session, which ends normally and
		// does not learn of this.
		s.run.engine.Resume(key)
	}
	if !failed || overtaken || s.run.ctx.Err() != nil {
		w.dropSession(s)
		return
	}
	if failure != nil && w.config.Processors.EvictFailing && w.recorder.failureCount(key) >= manyFailures {
		w.logShard(slog.LevelWarn, key, "the shard is given up to other workers")
		s.run.engine.Evict(key) // if that fails the shard is read again
	}
	w.mu.Lock()
	delay := s.shard.backoff.Next(workedFor)
	w.mu.Unlock()
	s.recorder.setRestarting(delay)
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		s.run.engine.Resume(key)
	case <-s.run.ctx.Done():
		w.dropSession(s)
	}
}

// awaitReturn waits until neither the session's processor nor an earlier one of the
// shard runs.
func (s *session) awaitReturn() {
	s.methods.Lock()
	s.closed = true
	s.methods.Unlock()
	s.mu.Lock()
	initialized := !s.initializedAt.IsZero()
	s.mu.Unlock()
	// If a processor that embeds handle's fails before it calls handle's Initialize,
	// Done is never closed.
	if p, ok := s.inner.(processor.AsyncProcessor); ok && initialized {
		<-p.Done()
	}
	if s.previous != nil {
		<-s.previous.ended
		s.previous = nil // to free its memory
	}
	s.mu.Lock()
	close(s.ended)
	s.mu.Unlock()
	select {
	case <-s.hung:
		s.worker.logShard(slog.LevelInfo, s.lease.LeaseKey, "the hung processor has returned")
	default:
	}
}

// reportHung reports that the processor has not returned.
func (s *session) reportHung() {
	s.mu.Lock()
	select {
	case <-s.ended:
		s.mu.Unlock()
		return
	default:
	}
	close(s.hung)
	s.mu.Unlock()
	s.recorder.setHung()
	s.worker.logShard(slog.LevelError, s.lease.LeaseKey,
		"a processor does not return: its shard is not read until it does; find what it waits for, or end the process")
}

// lastGrace is how long processors may take to return after the last Java process has
// ended, and their contexts with it. Tests set another.
var lastGrace = 5 * time.Second

// awaitProcessors waits until all processors have returned, but not for those that
// were reported as hung.
func (w *Worker) awaitProcessors() error {
	w.mu.Lock()
	var sessions []*session
	for _, sh := range w.shards {
		sessions = append(sessions, sh.newest)
	}
	w.mu.Unlock()
	timer := time.NewTimer(lastGrace)
	defer timer.Stop()
	for _, s := range sessions {
		select {
		case <-s.ended:
			continue
		case <-s.hung:
		case <-timer.C:
		}
		select {
		case <-s.ended: // both channels were closed
		default:
			return fmt.Errorf("%w: the one of %s", ErrHung, s.lease.LeaseKey)
		}
	}
	return nil
}
