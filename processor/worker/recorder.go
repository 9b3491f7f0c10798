package worker

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/seed96110120/kinesis-client-go/bootstrap/engine"
	"github.com/seed96110120/kinesis-client-go/processor"
)

const (
	// listedFor is how long a shard is listed after the worker has left it.
	listedFor = 10 * time.Minute
	// A shard with manyFailures failures within failureWindow fails repeatedly. At
	// most maxFailures are kept for each shard.
	manyFailures  = 3
	failureWindow = time.Hour
	maxFailures   = 100
	// maxErrors is how many errors are listed, and maxErrorText their length in bytes.
	maxErrors    = 20
	maxErrorText = 1000
	// An idle shard gets an empty batch every few seconds. One that has had no batch
	// for silentAfter is not being read.
	silentAfter = time.Minute
	// The leases of a Java process that died belong to other workers after
	// takenOverAfter.
	takenOverAfter = 150 * time.Second
)

// A recorder records what happens to a worker, and makes the snapshots that
// [Worker.Status] returns. Its methods may be called concurrently. It has no
// goroutine: what depends on the time is brought up to date by reads and writes.
type recorder struct {
	now func() time.Time

	mu             sync.Mutex              // is locked before that of a shardRecord
	general        Status                  // without shards and errors
	javaStarts     int                     // in this Run
	noEmptyBatches bool                    // an idle shard gets no batches
	droppedBusy    time.Duration           // of the shards that are no longer listed
	stream         string                  // name of the only stream; empty if there are several
	shards         map[string]*shardRecord // by lease key
	held           []string                // the lease keys of the last setLeases
	errors         []Failure               // newest first
	// failures has, by lease key, the times of the failures within failureWindow,
	// oldest first. It outlives the shardRecord, because a failing shard may be away
	// for long.
	failures map[string][]time.Time
}

func newRecorder(now func() time.Time) *recorder {
	r := &recorder{now: now}
	r.reset()
	return r
}

// reset forgets everything except the worker's identity.
func (r *recorder) reset() {
	r.general.Started = time.Time{}
	r.general.Daemon = DaemonStatus{State: DaemonNew}
	r.javaStarts, r.droppedBusy = 0, 0
	r.shards = make(map[string]*shardRecord)
	r.held, r.errors = nil, nil
	r.failures = make(map[string][]time.Time)
}

func (r *recorder) setIdentity(application string, streams []string, region, workerID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.general.Application, r.general.Region, r.general.WorkerID = validText(application), validText(region), validText(workerID)
	r.general.Streams = make([]string, len(streams))
	for i, s := range streams {
		r.general.Streams[i] = validText(s)
	}
	r.stream = ""
	if len(streams) == 1 { // of an ARN the name
		r.stream = r.general.Streams[0]
		r.stream = r.stream[strings.LastIndexByte(r.stream, '/')+1:]
	}
}

func (r *recorder) setNoEmptyBatches(none bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noEmptyBatches = none
}

// beginRun records that Run has begun, and forgets an earlier Run.
func (r *recorder) beginRun() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reset()
	r.general.Started = r.now()
}

func (r *recorder) setDaemonState(state DaemonState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.setDaemonStateLocked(state)
}

func (r *recorder) setDaemonStateLocked(state DaemonState) {
	if r.general.Daemon.State != state {
		r.general.Daemon.State, r.general.Daemon.Since = state, r.now()
	}
}

func (r *recorder) daemonStarted(pid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.setDaemonStateLocked(DaemonStarting)
	r.general.Daemon.PID = pid
	r.general.Daemon.Restarts = r.javaStarts
	r.javaStarts++
}

// daemonEnded records that Java has ended. err is nil after a stop as requested.
func (r *recorder) daemonEnded(err error, restarts bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if restarts {
		r.setDaemonStateLocked(DaemonRestarting)
	} else {
		r.setDaemonStateLocked(DaemonStopped)
	}
	r.general.Daemon.PID = 0
	r.addErrorLocked("", "", err)
	r.held = nil
	for _, shard := range r.shards {
		shard.daemonEnded(r.now(), restarts)
	}
}

// setLeases records the leases that KCL holds now, and returns what has changed.
func (r *recorder) setLeases(keys []string) (taken, lost []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	for _, key := range keys {
		if !slices.Contains(r.held, key) {
			taken = append(taken, key)
			r.addShard(key).leaseTaken(now)
		}
	}
	for _, key := range r.held {
		if shard := r.shards[key]; shard != nil && !slices.Contains(keys, key) {
			lost = append(lost, key)
			shard.leaseLost(now)
		}
	}
	for key, shard := range r.shards {
		if !slices.Contains(keys, key) {
			shard.notTakenAgain()
		}
	}
	r.held = slices.Clone(keys)
	return taken, lost
}

// setBlocked records whether a shard waits until its parents have been read to their
// ends. KCL tells that of shards that were assigned after their end, too; those are
// not recorded.
func (r *recorder) setBlocked(key string, blocked bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	state := ShardStarting
	if blocked {
		state = ShardBlocked
	}
	if shard := r.shards[key]; shard != nil {
		shard.setStateWithoutSession(state, r.now())
	}
}

// addProblem records what keeps KCL from reading a shard.
func (r *recorder) addProblem(key, operation string, causes []engine.Cause) Problem {
	r.mu.Lock()
	defer r.mu.Unlock()
	stream, _ := r.splitKey(key)
	text, advice := explain(operation, r.general, stream, causes)
	r.addErrorLocked(key, "", errors.New(text))
	return r.addShard(key).addProblem(r.now(), operation, text, advice)
}

// clearProblem records that a shard is read again, and returns whether it had a
// problem.
func (r *recorder) clearProblem(key string) (cleared bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	shard := r.shards[key]
	if shard == nil {
		return false
	}
	shard.mu.Lock()
	defer shard.mu.Unlock()
	cleared, shard.status.Problem = shard.status.Problem != nil, nil
	return cleared
}

// addError adds an error to the list; key is empty for an error of the daemon. It
// does not count as a failure of the shard's processor.
func (r *recorder) addError(key string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.addErrorLocked(key, "", err)
}

// addErrorLocked puts an error first in the list. If the previous error of the same
// shard is the same, the new one replaces it and counts it: shards that fail in turn
// must not push everything else out.
func (r *recorder) addErrorLocked(key, prefix string, err error) {
	if err == nil {
		return
	}
	stream, shardID := r.splitKey(key)
	f := Failure{Time: r.now(), Stream: stream, ShardID: shardID, Text: truncate(prefix+err.Error(), maxErrorText), Times: 1}
	i := slices.IndexFunc(r.errors, func(other Failure) bool { return other.Stream == stream && other.ShardID == shardID })
	switch {
	case i >= 0 && r.errors[i].Text == f.Text:
		f.Times += r.errors[i].Times
		r.errors = slices.Delete(r.errors, i, i+1)
	case len(r.errors) == maxErrors:
		r.errors = r.errors[:maxErrors-1]
	}
	r.errors = slices.Insert(r.errors, 0, f)
}

// splitKey returns the stream, as in [ShardStatus], and the shard ID of a lease key,
// which has no stream in a worker of one stream.
func (r *recorder) splitKey(key string) (stream, shardID string) {
	stream, shardID = processor.SplitLeaseKey(key)
	if shardID != "" {
		stream = cmp.Or(stream, r.stream)
	}
	return stream, shardID
}

// validText returns text as valid UTF-8, as the labels of metrics must be.
func validText(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// truncate returns text as valid UTF-8, cut off with a mark after limit bytes.
func truncate(text string, limit int) string {
	text = validText(text)
	if len(text) <= limit {
		return text
	}
	for !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit] + "…"
}

// failureCount returns how many processors of a shard have failed within
// failureWindow, at most maxFailures.
func (r *recorder) failureCount(key string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failureCountLocked(key)
}

func (r *recorder) failureCountLocked(key string) int {
	times, oldest := r.failures[key], r.now().Add(-failureWindow)
	i := slices.IndexFunc(times, func(t time.Time) bool { return !t.Before(oldest) })
	if i < 0 {
		return 0
	}
	return len(times) - i
}

// dropOld drops old failures, and shards that the worker left long ago.
func (r *recorder) dropOld() {
	now := r.now()
	for key, times := range r.failures {
		times = slices.DeleteFunc(times, func(t time.Time) bool { return now.Sub(t) > failureWindow })
		if len(times) == 0 {
			delete(r.failures, key)
		} else {
			r.failures[key] = times
		}
	}
	for key, shard := range r.shards {
		if shard.leftBefore(now.Add(-listedFor)) {
			delete(r.shards, key)
			r.droppedBusy += shard.busyTime()
		}
	}
}

// beginSession records that a session of a shard begins. Its counts are added to
// those of earlier sessions.
func (r *recorder) beginSession(key string) *sessionRecorder {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropOld()
	s := &sessionRecorder{recorder: r, shard: r.addShard(key)}
	s.shard.beginSession(s, r.now())
	return s
}

// addShard returns the record of a shard, and makes it if there is none.
func (r *recorder) addShard(key string) *shardRecord {
	shard := r.shards[key]
	if shard == nil {
		now := r.now()
		stream, shardID := r.splitKey(key)
		shard = &shardRecord{
			key:          key,
			status:       ShardStatus{Stream: stream, ShardID: shardID, State: ShardStarting, Since: now, MillisBehindLatest: processor.UnknownLag},
			countedUntil: now,
		}
		shard.history.begin(now)
		r.shards[key] = shard
	}
	return shard
}

// snapshot returns the present status.
func (r *recorder) snapshot() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropOld()
	s := r.general
	s.Now = r.now()
	s.Streams = append([]string{}, s.Streams...)
	s.Errors = slices.Clone(r.errors)
	if s.Errors == nil {
		s.Errors = []Failure{}
	}
	s.Shards = make([]ShardStatus, 0, len(r.shards))
	s.MaxMillisBehindLatest = processor.UnknownLag
	if s.Daemon.State == DaemonReady {
		s.MaxMillisBehindLatest = 0 // of no shards
	}
	busy := r.droppedBusy
	for key, shard := range r.shards {
		status := shard.snapshot(s.Now)
		if millis, ours := shard.lagAt(s.Now, r.noEmptyBatches); ours {
			s.MaxMillisBehindLatest = max(s.MaxMillisBehindLatest, millis)
			s.SumMillisBehindLatest += millis
		}
		busy += shard.busyTime()
		status.FailsRepeatedly = r.failureCountLocked(key) >= manyFailures
		s.Shards = append(s.Shards, status)
	}
	s.BusySeconds = busy.Seconds()
	slices.SortFunc(s.Shards, func(x, y ShardStatus) int {
		switch {
		case x.Left.IsZero() && !y.Left.IsZero():
			return -1
		case !x.Left.IsZero() && y.Left.IsZero():
			return 1
		}
		return cmp.Or(cmp.Compare(x.Stream, y.Stream), cmp.Compare(x.ShardID, y.ShardID))
	})
	return s
}

// A shardRecord is what the recorder knows of a shard, over all its sessions.
type shardRecord struct {
	key string // of the lease

	mu           sync.Mutex
	session      *sessionRecorder // the newest; nil if there is none
	status       ShardStatus      // without what is made of history
	history      history
	lag          int64         // at lagTime, in milliseconds
	lagTime      time.Time     // zero while the shard is another worker's
	busy         time.Duration // time spent processing batches, until countedUntil
	countedUntil time.Time
}

// lock locks the record, and adds the time until now to busy.
func (shard *shardRecord) lock(now time.Time) {
	shard.mu.Lock()
	if now.Before(shard.countedUntil) {
		return
	}
	// With handle's MaxInFlight options records are processed while no method is called.
	if shard.status.State == ShardProcessing || shard.status.State == ShardHung || shard.status.InFlight > 0 {
		shard.busy += now.Sub(shard.countedUntil)
	}
	shard.countedUntil = now
}

func (shard *shardRecord) busyTime() time.Duration {
	shard.mu.Lock()
	defer shard.mu.Unlock()
	return shard.busy
}

// lagAt returns the shard's lag in milliseconds: the lag of its last batch, plus the
// time since then unless the shard is being read and idle. Before the first batch it
// is the time for which this worker has the shard. If ours is false, the worker does
// not have it.
func (shard *shardRecord) lagAt(now time.Time, noEmptyBatches bool) (millis int64, ours bool) {
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.lagTime.IsZero() || !shard.status.Left.IsZero() && now.Sub(shard.status.Left) > takenOverAfter {
		return 0, false
	}
	since := now.Sub(shard.lagTime)
	read := !shard.status.BatchTime.IsZero() && now.Sub(shard.status.BatchTime) < silentAfter
	if shard.status.State == ShardIdle && shard.status.Problem == nil && (noEmptyBatches || read && shard.lagTime.Equal(shard.status.BatchTime)) {
		since = 0
	}
	return shard.lag + max(since, 0).Milliseconds(), true
}

// startLag has the lag grow from now on, unless it does already.
func (shard *shardRecord) startLag(now time.Time) {
	if shard.lagTime.IsZero() {
		shard.lag, shard.lagTime = 0, now
	}
}

// notTakenAgain records that a Java process has not taken the lease; an earlier one
// may have held it when it ended.
func (shard *shardRecord) notTakenAgain() {
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if !shard.status.Left.IsZero() {
		shard.lagTime = time.Time{}
	}
}

func (shard *shardRecord) setState(state ShardState, now time.Time) {
	if shard.status.State != state {
		shard.status.State, shard.status.Since = state, now
	}
	shard.status.NextTry = time.Time{}
}

func (shard *shardRecord) beginSession(s *sessionRecorder, now time.Time) {
	shard.lock(now)
	defer shard.mu.Unlock()
	shard.session = s
	shard.setState(ShardStarting, now)
	shard.startLag(now)
	shard.status.Left = time.Time{}
	shard.status.InFlight, shard.status.MillisBehindLatest = 0, processor.UnknownLag
	shard.status.BatchTime = time.Time{}
	shard.history.begin(now)
}

// leaseTaken may be called after the session has begun.
func (shard *shardRecord) leaseTaken(now time.Time) {
	shard.lock(now)
	defer shard.mu.Unlock()
	shard.status.LeasesTaken++
	shard.startLag(now)
	if shard.session == nil {
		shard.setState(ShardStarting, now)
		shard.status.Left = time.Time{}
	}
}

// leaseLost does not end a session: that learns of it by itself. The lease of a shard
// that has ended is not lost but finished.
func (shard *shardRecord) leaseLost(now time.Time) {
	shard.lock(now)
	defer shard.mu.Unlock()
	if shard.status.State != ShardEnded {
		shard.status.LeasesLost++
	}
	shard.lagTime = time.Time{}
	if shard.session == nil || shard.session.hasFailed {
		shard.leave(now)
	}
}

func (shard *shardRecord) setStateWithoutSession(state ShardState, now time.Time) {
	shard.lock(now)
	defer shard.mu.Unlock()
	if shard.session == nil && shard.status.Left.IsZero() {
		shard.setState(state, now)
	}
}

func (shard *shardRecord) addProblem(now time.Time, operation, text, advice string) Problem {
	shard.lock(now)
	defer shard.mu.Unlock()
	if shard.status.Errors == nil {
		shard.status.Errors = make(map[string]int64)
	}
	shard.status.Errors[operation]++
	p := &Problem{Text: text, Advice: advice, Since: now, Times: 1}
	if previous := shard.status.Problem; previous != nil {
		p.Since = previous.Since
		if previous.Text == text {
			p.Times += previous.Times
		}
	}
	shard.status.Problem = p // not changed in place: a Status may have the previous one
	return *p
}

// daemonEnded records that Java has ended. A processor that does not return still has
// the shard. If Java restarts, the lag grows on.
func (shard *shardRecord) daemonEnded(now time.Time, restarts bool) {
	shard.lock(now)
	defer shard.mu.Unlock()
	shard.leave(now)
	if !restarts {
		shard.lagTime = time.Time{}
	}
}

func (shard *shardRecord) leave(now time.Time) {
	if shard.status.State == ShardHung || !shard.status.Left.IsZero() {
		return
	}
	switch shard.status.State {
	case ShardFailed, ShardEnded, ShardLost:
	default:
		shard.setState(ShardLost, now)
	}
	shard.history.advance(now)
	shard.session = nil
	shard.status.Left, shard.status.InFlight, shard.status.Problem = now, 0, nil
}

func (shard *shardRecord) leftBefore(t time.Time) bool {
	shard.mu.Lock()
	defer shard.mu.Unlock()
	return !shard.status.Left.IsZero() && shard.status.Left.Before(t)
}

func (shard *shardRecord) snapshot(now time.Time) ShardStatus {
	shard.lock(now)
	defer shard.mu.Unlock()
	s := shard.status
	s.Errors = maps.Clone(s.Errors)
	if s.Left.IsZero() {
		shard.history.advance(now)
		s.RecordsPerSecond = shard.history.rate(now)
	}
	s.History = shard.history.samples(now)
	return s
}

// A sessionRecorder records what happens in one session. What the processor of an
// earlier session counts after the next has begun is counted, but changes no state.
type sessionRecorder struct {
	recorder  *recorder
	shard     *shardRecord
	hasFailed bool // guarded by shard.mu
}

// update calls f with the shard locked.
func (s *sessionRecorder) update(f func(shard *shardRecord, now time.Time)) {
	now := s.recorder.now()
	s.shard.lock(now)
	defer s.shard.mu.Unlock()
	f(s.shard, now)
}

// setState records what the processor does. A processor that has failed may return
// late; that is ignored.
func (s *sessionRecorder) setState(state ShardState) {
	s.update(func(shard *shardRecord, now time.Time) {
		if shard.session == s && !s.hasFailed {
			shard.setState(state, now)
			if state == ShardLost || state == ShardEnded {
				shard.lagTime = time.Time{}
			}
		}
	})
}

// setRestarting records that the shard is read again after a delay.
func (s *sessionRecorder) setRestarting(delay time.Duration) {
	s.update(func(shard *shardRecord, now time.Time) {
		if shard.session == s {
			s.hasFailed = true
			shard.setState(ShardRestarting, now)
			shard.status.NextTry = now.Add(delay)
		}
	})
}

// setHung records that the processor does not return and so keeps the next one from
// starting, even after Java has ended.
func (s *sessionRecorder) setHung() {
	s.update(func(shard *shardRecord, now time.Time) {
		if shard.session == s || shard.session == nil {
			shard.session, s.hasFailed = s, true
			shard.setState(ShardHung, now)
			shard.status.Left = time.Time{}
		}
	})
}

func (s *sessionRecorder) batchReceived(records int, bytes int64, millis int64) {
	s.update(func(shard *shardRecord, now time.Time) {
		shard.status.Records += int64(records)
		shard.status.Bytes += bytes
		if shard.session != s {
			return
		}
		shard.status.MillisBehindLatest, shard.status.BatchTime = millis, now
		if millis != processor.UnknownLag {
			shard.lag, shard.lagTime = millis, now
		}
		shard.history.add(now, records, millis)
	})
}

func (s *sessionRecorder) retried(records int, err error) {
	s.update(func(shard *shardRecord, _ time.Time) { shard.status.Retries += int64(records) })
	s.addError("tried again: ", err)
}

func (s *sessionRecorder) deadLettered(err error) {
	s.update(func(shard *shardRecord, _ time.Time) { shard.status.DeadLetters++ })
	s.addError("dead-lettered: ", err)
}

func (s *sessionRecorder) setInFlight(records int) {
	s.update(func(shard *shardRecord, _ time.Time) {
		if shard.session == s {
			shard.status.InFlight = records
		}
	})
}

// checkpointed records a checkpoint, made or refused. A lost lease is no error.
func (s *sessionRecorder) checkpointed(p processor.Position, err error) {
	if err == nil {
		s.update(func(shard *shardRecord, now time.Time) { shard.status.Checkpoint, shard.status.CheckpointTime = p, now })
	} else if !errors.Is(err, processor.ErrLeaseLost) {
		s.addError("", err)
	}
}

// failed counts a failure of the processor.
func (s *sessionRecorder) failed(err error) {
	s.update(func(shard *shardRecord, now time.Time) {
		shard.status.Failures++
		if shard.session == s {
			s.hasFailed = true
			shard.setState(ShardFailed, now)
			shard.status.InFlight = 0
		}
	})
	r := s.recorder
	r.mu.Lock()
	defer r.mu.Unlock()
	key := s.shard.key
	times := append(r.failures[key], r.now())
	r.failures[key] = times[max(0, len(times)-maxFailures):]
	r.addErrorLocked(key, "", err)
}

func (s *sessionRecorder) addError(prefix string, err error) {
	s.recorder.mu.Lock()
	defer s.recorder.mu.Unlock()
	s.recorder.addErrorLocked(s.shard.key, prefix, err)
}

// end records that the session has ended and none follows it.
func (s *sessionRecorder) end() {
	s.update(func(shard *shardRecord, now time.Time) {
		if shard.session != s {
			return
		}
		if shard.status.State == ShardHung {
			shard.setState(ShardLost, now)
		}
		shard.leave(now)
	})
}
