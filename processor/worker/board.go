package worker

import (
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// A board is where everybody writes what happens, and Status, metrics and page
// read it. Its methods may be called concurrently.
type board struct {
	now func() time.Time
}

func newBoard(now func() time.Time) *board { return &board{now: now} }

// identify says what the worker is; begun that Run has begun.
func (b *board) identify(application, stream, region, workerID string) {}
func (b *board) begun()                                                {}

// The daemon's course.
func (b *board) daemonPreparing()      {}
func (b *board) daemonStarted(pid int) {}
func (b *board) daemonReady()          {}
func (b *board) daemonStopping()       {}

// daemonEnded: err is nil after a stop that was asked for.
func (b *board) daemonEnded(err error, restarts bool) {}

func (b *board) failed(shardID string, err error) {}

// shard begins a lease. The counters of an earlier lease of the same shard go
// on.
func (b *board) shard(shardID string) *shardBoard { return &shardBoard{} }

func (b *board) status() Status { return Status{} }

// A shardBoard is where a lease writes.
type shardBoard struct{}

func (s *shardBoard) state(state ShardState)                               {}
func (s *shardBoard) batchReceived(records int, bytes int64, millis int64) {}
func (s *shardBoard) batchFinished(d time.Duration)                        {}
func (s *shardBoard) recordFinished(d time.Duration)                       {}
func (s *shardBoard) retried(records int, err error)                       {}
func (s *shardBoard) deadLettered(err error)                               {}
func (s *shardBoard) inFlight(records int)                                 {}
func (s *shardBoard) checkpoint(p processor.Position, err error)           {}
func (s *shardBoard) failed(err error)                                     {}

// left ends the lease; what the board has of it stays for a while.
func (s *shardBoard) left() {}
