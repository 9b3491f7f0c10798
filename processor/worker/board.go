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

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed96110120/kinesis-client-go/bootstrap/engine"
	"github.com/seed96110120/kinesis-client-go/processor"
)

const (
	// listedFor is how long a shard is listed that the worker no longer has.
	listedFor = 10 * time.Minute
	// A shard with failsOften failures within failsWithin fails repeatedly; no
	// more than maxFailures are kept of each.
	failsOften  = 3
	failsWithin = time.Hour
	maxFailures = 100
	// maxErrors are listed, each with maxErrorText bytes.
	maxErrors    = 20
	maxErrorText = 1000
	// An idle shard gets an empty batch every few seconds. One that has got none for
	// silentAfter is not read.
	silentAfter = time.Minute
	// What a Java had that has died is another worker's after takenOver.
	takenOver = 150 * time.Second
)

// A board is where everybody writes what happens, and Status, metrics and page
// read it. Its methods may be called concurrently. It has no goroutine: time
// passes for it when it is written or read.
type board struct {
	now     func() time.Time
	batches *prometheus.HistogramVec // durations by shard
	records *prometheus.HistogramVec // durations by shard

	mu      sync.Mutex        // is locked before an entry's
	about   Status            // what concerns no shard
	daemons int               // that were started in this Run
	quiet   bool              // no empty batches come
	busy    time.Duration     // of the shards that are no longer listed
	stream  string            // the name of the only one; empty if there are several
	entries map[string]*entry // by lease key
	held    []string          // the lease keys that KCL told last
	errors  []Error           // newest first
	// failing has, by lease key, the times of the failures within failsWithin, oldest first.
	// They outlast the shard's entry, for a shard that fails may be away long.
	failing map[string][]time.Time
}

func newBoard(now func() time.Time) *board {
	b := &board{now: now, batches: newBatchDurations(), records: newRecordDurations()}
	b.clear()
	return b
}

// clear forgets all but the worker's identity.
func (b *board) clear() {
	b.about.Started = time.Time{}
	b.about.Daemon = Daemon{State: DaemonNew}
	b.daemons, b.busy = 0, 0
	b.entries = make(map[string]*entry)
	b.held, b.errors = nil, nil
	b.failing = make(map[string][]time.Time)
	b.batches.Reset()
	b.records.Reset()
}

// identify says what the worker is.
func (b *board) identify(application string, streams []string, region, workerID string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	valid := func(s string) string { return strings.ToValidUTF8(s, "\uFFFD") } // labels must be
	b.about.Application = valid(application)
	b.about.Region, b.about.WorkerID = valid(region), valid(workerID)
	b.about.Streams = make([]string, len(streams))
	for i, s := range streams {
		b.about.Streams[i] = valid(s)
	}
	b.stream = ""
	if len(streams) == 1 { // of an ARN the name
		b.stream = b.about.Streams[0]
		b.stream = b.stream[strings.LastIndexByte(b.stream, '/')+1:]
	}
}

// withoutEmptyBatches says whether an idle shard gets no batches.
func (b *board) withoutEmptyBatches(quiet bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.quiet = quiet
}

// begun says that Run has begun, and forgets the Run before.
func (b *board) begun() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clear()
	b.about.Started = b.now()
}

// The daemon's course.
func (b *board) daemonPreparing()    { b.daemon(DaemonPreparing) }
func (b *board) daemonInitializing() { b.daemon(DaemonInitializing) }
func (b *board) daemonReady()        { b.daemon(DaemonReady) }
func (b *board) daemonStopping()     { b.daemon(DaemonStopping) }

func (b *board) daemonStarted(pid int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.setDaemon(DaemonStarting)
	b.about.Daemon.PID = pid
	b.about.Daemon.Restarts = b.daemons
	b.daemons++
}

// daemonEnded: err is nil after a stop that was asked for.
func (b *board) daemonEnded(err error, restarts bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if restarts {
		b.setDaemon(DaemonRestarting)
	} else {
		b.setDaemon(DaemonStopped)
	}
	b.about.Daemon.PID = 0
	b.list("", "", err)
	b.held = nil
	for _, e := range b.entries {
		e.drop(b.now(), !restarts)
	}
}

// leases says which leases KCL holds now.
func (b *board) leases(keys []string) (taken, lost []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	for _, key := range keys {
		if !slices.Contains(b.held, key) {
			taken = append(taken, key)
			b.entry(key).taken(now)
		}
	}
	for _, key := range b.held {
		if e := b.entries[key]; e != nil && !slices.Contains(keys, key) {
			lost = append(lost, key)
			e.lost(now)
		}
	}
	for key, e := range b.entries {
		if !slices.Contains(keys, key) {
			e.notBack()
		}
	}
	b.held = slices.Clone(keys)
	return taken, lost
}

// blocked says whether a shard waits for its parents to be read to their ends. KCL
// tells that of one which was dealt out at its end, too: the board has none of it.
func (b *board) blocked(key string, blocked bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	state := ShardStarting
	if blocked {
		state = ShardBlocked
	}
	if e := b.entries[key]; e != nil {
		e.await(state, b.now())
	}
}

// problem notes what keeps KCL from reading a shard, and returns it.
func (b *board) problem(key, operation string, causes []engine.Cause) Problem {
	b.mu.Lock()
	defer b.mu.Unlock()
	stream, _ := b.shardOf(key)
	text, advice := explain(operation, b.about, stream, causes)
	b.list(key, "", errors.New(text))
	return b.entry(key).problem(b.now(), operation, text, advice)
}

// recovered says that a shard is read again. It returns false if that is no news.
func (b *board) recovered(key string) (news bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[key]
	if e == nil {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	news, e.shard.Problem = e.shard.Problem != nil, nil
	return news
}

func (b *board) daemon(state DaemonState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.setDaemon(state)
}

func (b *board) setDaemon(state DaemonState) {
	if b.about.Daemon.State != state {
		b.about.Daemon.State, b.about.Daemon.Since = state, b.now()
	}
}

// failed lists an error; key is empty for what concerns the daemon. It is not
// counted as a failure of the shard's processor.
func (b *board) failed(key string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list(key, "", err)
}

// shardOf returns the stream, as Shard has it, and the ID of a lease's shard. In a
// worker of one stream the key says nothing of it.
func (b *board) shardOf(key string) (stream, shardID string) {
	stream, shardID = processor.SplitLeaseKey(key)
	if shardID != "" {
		stream = cmp.Or(stream, b.stream)
	}
	return stream, shardID
}

// list puts an error on top of the others. The one before it from the same
// shard, if it is the same, is taken up in it: shards that fail by turns must
// not push everything else out.
func (b *board) list(key, what string, err error) {
	if err == nil {
		return
	}
	stream, shardID := b.shardOf(key)
	e := Error{Time: b.now(), Stream: stream, ShardID: shardID, Text: cut(what+err.Error(), maxErrorText), Times: 1}
	i := slices.IndexFunc(b.errors, func(e Error) bool { return e.Stream == stream && e.ShardID == shardID })
	switch {
	case i >= 0 && b.errors[i].Text == e.Text:
		e.Times += b.errors[i].Times
		b.errors = slices.Delete(b.errors, i, i+1)
	case len(b.errors) == maxErrors:
		b.errors = b.errors[:maxErrors-1]
	}
	b.errors = slices.Insert(b.errors, 0, e)
}

// cut returns text as UTF-8 with at most limit bytes of it and a mark behind
// them.
func cut(text string, limit int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= limit {
		return text
	}
	for !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit] + "…"
}

// failures returns how often processors of a shard have failed within the last
// hour, as far as to 100.
func (b *board) failures(key string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.prune()
	return len(b.failing[key])
}

// prune drops what is too old.
func (b *board) prune() {
	now := b.now()
	for key, times := range b.failing {
		times = slices.DeleteFunc(times, func(t time.Time) bool { return now.Sub(t) > failsWithin })
		if len(times) == 0 {
			delete(b.failing, key)
		} else {
			b.failing[key] = times
		}
	}
	for key, e := range b.entries {
		if e.leftBefore(now.Add(-listedFor)) {
			delete(b.entries, key)
			b.busy += e.busy
			b.batches.DeleteLabelValues(e.shard.Stream, e.shard.ShardID)
			b.records.DeleteLabelValues(e.shard.Stream, e.shard.ShardID)
		}
	}
}

// shard begins a conversation. The counters of an earlier one about the same
// shard go on.
func (b *board) shard(key string) *shardBoard {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.prune()
	s := &shardBoard{board: b, entry: b.entry(key)}
	s.entry.begin(s, b.now())
	return s
}

// entry returns that of a shard, made if there is none.
func (b *board) entry(key string) *entry {
	e := b.entries[key]
	if e == nil {
		now := b.now()
		stream, shardID := b.shardOf(key)
		e = &entry{
			key:     key,
			batches: b.batches.WithLabelValues(stream, shardID),
			records: b.records.WithLabelValues(stream, shardID),
			shard:   Shard{Stream: stream, ShardID: shardID, State: ShardStarting, Since: now, MillisBehindLatest: processor.UnknownLag},
			counted: now,
		}
		e.history.begin(now)
		b.entries[key] = e
	}
	return e
}

func (b *board) status() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.prune()
	s := b.about
	s.Now = b.now()
	s.Streams = append([]string{}, s.Streams...)
	s.Errors = slices.Clone(b.errors)
	if s.Errors == nil {
		s.Errors = []Error{}
	}
	s.Shards = make([]Shard, 0, len(b.entries))
	s.MaxMillisBehindLatest = processor.UnknownLag
	if s.Daemon.State == DaemonReady {
		s.MaxMillisBehindLatest = 0 // of no shards
	}
	busy := b.busy
	for key, e := range b.entries {
		shard := e.status(s.Now)
		if millis, ours := e.behind(s.Now, b.quiet); ours {
			s.MaxMillisBehindLatest = max(s.MaxMillisBehindLatest, millis)
			s.SumMillisBehindLatest += millis
		}
		busy += e.busyTime()
		shard.FailsRepeatedly = len(b.failing[key]) >= failsOften
		s.Shards = append(s.Shards, shard)
	}
	s.BusySeconds = busy.Seconds()
	slices.SortFunc(s.Shards, func(x, y Shard) int {
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

// An entry is what the board has of a shard, over all its conversations.
type entry struct {
	key              string // of the lease
	batches, records prometheus.Observer

	mu      sync.Mutex
	lease   *shardBoard // the newest conversation; nil when there is none
	shard   Shard       // without what history tells
	history history
	lag     int64         // as it was at lagTime, in milliseconds
	lagTime time.Time     // zero while the shard is another worker's
	busy    time.Duration // in which a batch was in work, until counted
	counted time.Time
}

// lock locks the entry, and counts the time until now.
func (e *entry) lock(now time.Time) {
	e.mu.Lock()
	if now.Before(e.counted) {
		return
	}
	// With handle.WithMaxInFlight records are in work while no method is.
	if e.shard.State == ShardProcessing || e.shard.State == ShardHung || e.shard.InFlight > 0 {
		e.busy += now.Sub(e.counted)
	}
	e.counted = now
}

func (e *entry) busyTime() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.busy
}

// behind returns how far the shard is behind in milliseconds: what Kinesis said with
// the last batch, and the time that has passed since then in which it was not read as
// an idle one is. Without a batch the time counts for which the shard is this
// worker's. It is not if ours is false.
func (e *entry) behind(now time.Time, quiet bool) (millis int64, ours bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.lagTime.IsZero() || !e.shard.Left.IsZero() && now.Sub(e.shard.Left) > takenOver {
		return 0, false
	}
	since := now.Sub(e.lagTime)
	read := !e.shard.BatchTime.IsZero() && now.Sub(e.shard.BatchTime) < silentAfter
	if e.shard.State == ShardIdle && e.shard.Problem == nil && (quiet || read && e.lagTime.Equal(e.shard.BatchTime)) {
		since = 0
	}
	return e.lag + max(since, 0).Milliseconds(), true
}

// ours says that the shard is this worker's. Nothing of it may have been read yet.
func (e *entry) ours(now time.Time) {
	if e.lagTime.IsZero() {
		e.lag, e.lagTime = 0, now
	}
}

// notBack says that a shard that Java had when it ended has not come back.
func (e *entry) notBack() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.shard.Left.IsZero() {
		e.lagTime = time.Time{}
	}
}

// set changes the state.
func (e *entry) set(state ShardState, now time.Time) {
	if e.shard.State != state {
		e.shard.State, e.shard.Since = state, now
	}
	e.shard.NextTry = time.Time{}
}

func (e *entry) begin(lease *shardBoard, now time.Time) {
	e.lock(now)
	defer e.mu.Unlock()
	e.lease = lease
	e.set(ShardStarting, now)
	e.ours(now)
	e.shard.Left = time.Time{}
	e.shard.InFlight, e.shard.MillisBehindLatest = 0, processor.UnknownLag
	e.shard.BatchTime = time.Time{}
	e.history.begin(now)
}

// taken: the conversation may have begun before this was told.
func (e *entry) taken(now time.Time) {
	e.lock(now)
	defer e.mu.Unlock()
	e.shard.LeasesTaken++
	e.ours(now)
	if e.lease == nil {
		e.set(ShardStarting, now)
		e.shard.Left = time.Time{}
	}
}

// lost: a conversation that goes on will be told. The lease of a shard that has
// ended is not lost, it is done with.
func (e *entry) lost(now time.Time) {
	e.lock(now)
	defer e.mu.Unlock()
	if e.shard.State != ShardEnded {
		e.shard.LeasesLost++
	}
	e.lagTime = time.Time{}
	if e.lease == nil || e.lease.over {
		e.leave(now)
	}
}

// await is the state of a shard without a conversation.
func (e *entry) await(state ShardState, now time.Time) {
	e.lock(now)
	defer e.mu.Unlock()
	if e.lease == nil && e.shard.Left.IsZero() {
		e.set(state, now)
	}
}

func (e *entry) problem(now time.Time, operation, text, advice string) Problem {
	e.lock(now)
	defer e.mu.Unlock()
	if e.shard.Errors == nil {
		e.shard.Errors = make(map[string]int64)
	}
	e.shard.Errors[operation]++
	p := &Problem{Text: text, Advice: advice, Since: now, Times: 1}
	if before := e.shard.Problem; before != nil {
		p.Since = before.Since
		if before.Text == text {
			p.Times += before.Times
		}
	}
	e.shard.Problem = p // a copy of the one before may be in a Status
	return *p
}

// drop ends what the shard has, but for a processor that does not return. Unless it
// is for good, the shard is not read until there is another Java.
func (e *entry) drop(now time.Time, forGood bool) {
	e.lock(now)
	defer e.mu.Unlock()
	e.leave(now)
	if forGood {
		e.lagTime = time.Time{}
	}
}

func (e *entry) leave(now time.Time) {
	if e.shard.State == ShardHung || !e.shard.Left.IsZero() {
		return
	}
	switch e.shard.State {
	case ShardFailed, ShardEnded, ShardLost:
	default:
		e.set(ShardLost, now)
	}
	e.history.advance(now)
	e.lease = nil
	e.shard.Left, e.shard.InFlight, e.shard.Problem = now, 0, nil
}

func (e *entry) leftBefore(t time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.shard.Left.IsZero() && e.shard.Left.Before(t)
}

func (e *entry) status(now time.Time) Shard {
	e.lock(now)
	defer e.mu.Unlock()
	s := e.shard
	s.Errors = maps.Clone(s.Errors)
	if s.Left.IsZero() {
		e.history.advance(now)
		s.RecordsPerSecond = e.history.rate(now)
	}
	s.History = e.history.samples(now)
	return s
}

// A shardBoard is where a conversation writes. What the processor of an earlier
// one of the shard counts after the next has begun is counted, but changes no
// state.
type shardBoard struct {
	board *board
	entry *entry
	over  bool // it has failed; guarded by entry.mu
}

// write calls f with the entry locked, now as its time.
func (s *shardBoard) write(f func(e *entry, now time.Time)) {
	now := s.board.now()
	s.entry.lock(now)
	defer s.entry.mu.Unlock()
	f(s.entry, now)
}

// state is told of what the processor is at. One that has failed may return
// late: that is no news.
func (s *shardBoard) state(state ShardState) {
	s.write(func(e *entry, now time.Time) {
		if e.lease == s && !s.over {
			e.set(state, now)
			if state == ShardLost || state == ShardEnded {
				e.lagTime = time.Time{}
			}
		}
	})
}

// restarting says that the shard is read again after a while.
func (s *shardBoard) restarting(delay time.Duration) {
	s.write(func(e *entry, now time.Time) {
		if e.lease == s {
			s.over = true
			e.set(ShardRestarting, now)
			e.shard.NextTry = now.Add(delay)
		}
	})
}

// hung says that the processor does not return, and so keeps all others off, also
// when Java has ended meanwhile.
func (s *shardBoard) hung() {
	s.write(func(e *entry, now time.Time) {
		if e.lease == s || e.lease == nil {
			e.lease, s.over = s, true
			e.set(ShardHung, now)
			e.shard.Left = time.Time{}
		}
	})
}

func (s *shardBoard) batchReceived(records int, bytes int64, millis int64) {
	s.write(func(e *entry, now time.Time) {
		e.shard.Records += int64(records)
		e.shard.Bytes += bytes
		if e.lease != s {
			return
		}
		e.shard.MillisBehindLatest, e.shard.BatchTime = millis, now
		if millis != processor.UnknownLag {
			e.lag, e.lagTime = millis, now
		}
		e.history.add(now, records, millis)
	})
}

func (s *shardBoard) batchFinished(d time.Duration) { s.entry.batches.Observe(d.Seconds()) }

// recordFinished is called for each record: it takes no lock.
func (s *shardBoard) recordFinished(d time.Duration) { s.entry.records.Observe(d.Seconds()) }

func (s *shardBoard) retried(records int, err error) {
	s.write(func(e *entry, _ time.Time) { e.shard.Retries += int64(records) })
	s.list("tried again: ", err)
}

func (s *shardBoard) deadLettered(err error) {
	s.write(func(e *entry, _ time.Time) { e.shard.DeadLetters++ })
	s.list("dead-lettered: ", err)
}

func (s *shardBoard) inFlight(records int) {
	s.write(func(e *entry, _ time.Time) {
		if e.lease == s {
			e.shard.InFlight = records
		}
	})
}

// checkpoint: that the lease has gone is no error.
func (s *shardBoard) checkpoint(p processor.Position, err error) {
	if err == nil {
		s.write(func(e *entry, now time.Time) { e.shard.Checkpoint, e.shard.CheckpointTime = p, now })
	} else if !errors.Is(err, processor.ErrShutdown) {
		s.list("", err)
	}
}

// failed counts a processor that failed.
func (s *shardBoard) failed(err error) {
	s.write(func(e *entry, now time.Time) {
		e.shard.Failures++
		if e.lease == s {
			s.over = true
			e.set(ShardFailed, now)
			e.shard.InFlight = 0
		}
	})
	b := s.board
	b.mu.Lock()
	defer b.mu.Unlock()
	key := s.entry.key
	times := append(b.failing[key], b.now())
	b.failing[key] = times[max(0, len(times)-maxFailures):]
	b.list(key, "", err)
}

func (s *shardBoard) list(what string, err error) {
	s.board.mu.Lock()
	defer s.board.mu.Unlock()
	s.board.list(s.entry.key, what, err)
}

// left ends the conversation and nothing follows; what the board has of the shard
// stays for a while.
func (s *shardBoard) left() {
	s.write(func(e *entry, now time.Time) {
		if e.lease != s {
			return
		}
		if e.shard.State == ShardHung {
			e.set(ShardLost, now)
		}
		e.leave(now)
	})
}
