package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// A clock is set by the test.
type clock struct{ at time.Time }

func (c *clock) now() time.Time          { return c.at }
func (c *clock) pass(d time.Duration)    { c.at = c.at.Add(d) }
func (c *clock) seconds(s time.Duration) { c.pass(s * time.Second) }

// testRecorder returns a recorder whose clock starts at a multiple of sampleEvery.
func testRecorder() (*recorder, *clock) {
	c := &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	rec := newRecorder(c.now)
	rec.setIdentity("app", []string{"stream"}, "us-east-1", "worker-1")
	rec.beginRun()
	return rec, c
}

func check(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}

// words returns all with spaces in between.
func words(all ...any) string { return strings.TrimSpace(fmt.Sprintln(all...)) }

// one returns the only shard.
func one(t *testing.T, rec *recorder) ShardStatus {
	t.Helper()
	s := rec.snapshot().Shards
	if len(s) != 1 {
		t.Fatalf("%d shards, want 1", len(s))
	}
	return s[0]
}

func TestRecorderOfTheDaemon(t *testing.T) {
	c := &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	rec := newRecorder(c.now)
	rec.setIdentity("app", []string{"stream"}, "us-east-1", "worker-1")
	steps := []struct {
		do   func()
		want string // state, age, PID, restarts, errors
	}{
		{func() {}, "new 0 0 0"},
		{func() { rec.beginRun() }, "new 0 0 0"},
		{func() { rec.setDaemonState(DaemonPreparing) }, "preparing 0 0 0"},
		{func() { rec.daemonStarted(11) }, "starting 11 0 0"},
		{func() { rec.setDaemonState(DaemonReady) }, "ready 11 0 0"},
		{func() { rec.setDaemonState(DaemonReady) }, "ready 11 0 0"},
		{func() { rec.daemonEnded(errors.New("killed"), true) }, "restarting 0 0 1"},
		{func() { rec.daemonStarted(12) }, "starting 12 1 1"},
		{func() { rec.setDaemonState(DaemonInitializing) }, "initializing 12 1 1"},
		{func() { rec.setDaemonState(DaemonReady) }, "ready 12 1 1"},
		{func() { rec.setDaemonState(DaemonStopping) }, "stopping 12 1 1"},
		{func() { rec.daemonEnded(nil, false) }, "stopped 0 1 1"},
		{func() { rec.beginRun() }, "new 0 0 0"}, // Run again
	}
	for i, step := range steps {
		before := rec.snapshot()
		c.seconds(5)
		step.do()
		s := rec.snapshot()
		check(t, fmt.Sprint("step ", i), words(s.Daemon.State, s.Daemon.PID, s.Daemon.Restarts, len(s.Errors)), step.want)
		if s.Daemon.State != before.Daemon.State && s.Daemon.State != DaemonNew {
			check(t, fmt.Sprint("since of step ", i), s.Daemon.Since, c.at)
		} else if i != len(steps)-1 {
			check(t, fmt.Sprint("since of step ", i), s.Daemon.Since, before.Daemon.Since)
		}
		check(t, "worker", s.Application+" "+s.Streams[0]+" "+s.Region+" "+s.WorkerID, "app stream us-east-1 worker-1")
	}
}

func TestRecorderOfAShard(t *testing.T) {
	rec, c := testRecorder()
	s := rec.beginSession("shardId-1")
	check(t, "lag before the first batch", one(t, rec).MillisBehindLatest, processor.UnknownLag)
	c.seconds(1)
	s.setState(ShardProcessing)
	c.seconds(1)
	s.setState(ShardProcessing)
	s.batchReceived(10, 1000, 5000)
	s.setInFlight(10)
	s.retried(3, errors.New("bad"))
	s.deadLettered(errors.New("worse"))
	s.checkpointed(processor.Position{SequenceNumber: "7"}, nil)
	c.seconds(1)
	s.checkpointed(processor.Position{}, &processor.CheckpointError{ShardID: "shardId-1", Err: processor.ErrThrottled})
	s.checkpointed(processor.Position{}, &processor.CheckpointError{ShardID: "shardId-1", Err: processor.ErrLeaseLost})
	got := one(t, rec)
	check(t, "state", got.State, ShardProcessing)
	check(t, "its age", c.at.Sub(got.Since), 2*time.Second)
	check(t, "age of the batch", c.at.Sub(got.BatchTime), time.Second)
	check(t, "counts", []int64{got.Records, got.Bytes, got.MillisBehindLatest, int64(got.InFlight), got.Retries, got.DeadLetters, int64(got.Failures)}, "[10 1000 5000 10 3 1 0]")
	check(t, "checkpoint", got.Checkpoint, "7/0")
	check(t, "age of the checkpoint", c.at.Sub(got.CheckpointTime), time.Second)
	check(t, "errors, of which the loss of the lease is none", texts(rec), "[processor: cannot checkpoint shardId-1 at the end: the lease table throttles dead-lettered: worse tried again: bad]")
}

func texts(rec *recorder) (all []string) {
	for _, e := range rec.snapshot().Errors {
		all = append(all, e.Text)
	}
	return all
}

// An old session of a shard may write after the next has begun.
func TestRecorderOfAnOldSession(t *testing.T) {
	rec, _ := testRecorder()
	before := rec.beginSession("shardId-1")
	before.setState(ShardProcessing)
	before.setInFlight(5)
	next := rec.beginSession("shardId-1")
	next.setState(ShardWaiting)
	before.setState(ShardIdle)
	before.setRestarting(time.Second)
	before.setHung()
	before.setInFlight(4)
	before.batchReceived(1, 10, 99)
	before.end()
	got := one(t, rec)
	check(t, "shard", words(got.State, got.InFlight, got.Records, got.MillisBehindLatest, got.Left.IsZero()), "waiting 0 1 -1 true")
}

func TestShardsThatLeave(t *testing.T) {
	rec, c := testRecorder()
	for _, id := range []string{"c", "a", "d", "b"} {
		rec.beginSession(id).batchReceived(1, 1, 0)
	}
	ended := rec.shards["a"].session
	ended.setState(ShardEnded)
	ended.end()
	rec.shards["b"].session.setInFlight(3)
	rec.shards["b"].session.end()
	list := func() (s string) {
		for _, shard := range rec.snapshot().Shards {
			s += fmt.Sprintf(" %s:%s%d", shard.ShardID, shard.State, shard.InFlight)
		}
		return s
	}
	check(t, "held, then left", list(), " c:starting0 d:starting0 a:ended0 b:lost0")
	c.pass(listedFor)
	check(t, "10 minutes later", list(), " c:starting0 d:starting0 a:ended0 b:lost0")
	rec.beginSession("b").batchReceived(1, 1, 0)
	c.seconds(1)
	check(t, "and then", list(), " b:starting0 c:starting0 d:starting0")
	check(t, "records of two leases", rec.snapshot().Shards[0].Records, 2)
}

func TestRateAndHistory(t *testing.T) {
	rec, c := testRecorder()
	s := rec.beginSession("shardId-1")
	s.batchReceived(100, 1, 7000)
	check(t, "at first, of a whole sample at least", one(t, rec).RecordsPerSecond, 50)
	c.seconds(1)
	s.batchReceived(100, 1, 6000)
	c.seconds(3)
	check(t, "after 4 s", one(t, rec).RecordsPerSecond, 50)
	got := one(t, rec).History
	check(t, "samples", len(got), 2)
	check(t, "the first", words(got[0].Time.UTC().Format(time.TimeOnly), got[0].MillisBehindLatest, got[0].RecordsPerSecond), "12:00:02 6000 100")
	check(t, "the second", words(got[1].Time.UTC().Format(time.TimeOnly), got[1].MillisBehindLatest, got[1].RecordsPerSecond), "12:00:04 6000 0")
	c.seconds(9)
	check(t, "after 13 s", one(t, rec).RecordsPerSecond, 0)
	c.pass(time.Hour)
	got = one(t, rec).History
	check(t, "samples after an hour", len(got), samplesKept)
	for i, sample := range got {
		check(t, "time", sample.Time.UTC(), c.at.Add(-time.Second-time.Duration(samplesKept-1-i)*sampleEvery))
	}
	c.seconds(1)
	s.end()
	c.seconds(30)
	gone := one(t, rec)
	check(t, "rate of a shard that left", gone.RecordsPerSecond, 0)
	check(t, "its samples of the last 2 minutes", len(gone.History), samplesKept-15)
	rec.beginSession("shardId-1")
	c.seconds(4)
	got = one(t, rec).History
	check(t, "samples, of 2 leases with a gap", len(got), samplesKept-15)
	check(t, "the gap", got[len(got)-2].Time.Sub(got[len(got)-3].Time), 32*time.Second)
	check(t, "the lag is not known again", got[len(got)-1].MillisBehindLatest, processor.UnknownLag)
}

func TestSteadyRate(t *testing.T) {
	rec, c := testRecorder()
	s := rec.beginSession("shardId-1")
	for range 300 {
		c.pass(100 * time.Millisecond)
		s.batchReceived(25, 1, 0)
		if got := one(t, rec); c.at.Second() > 10 && (got.RecordsPerSecond < 240 || got.RecordsPerSecond > 260) {
			t.Fatalf("at %s: %f records per second, want 250", c.at, got.RecordsPerSecond)
		}
	}
}

func TestErrorsAreListed(t *testing.T) {
	rec, c := testRecorder()
	for i := range maxErrors + 5 {
		rec.addError("a", fmt.Errorf("error %d", i))
	}
	got := rec.snapshot().Errors
	check(t, "errors", words(len(got), got[0].Text, got[maxErrors-1].Text), "20 error 24 error 5")

	rec.beginRun()
	for range 4 { // by turns
		c.seconds(1)
		rec.addError("a", errors.New("down"))
		rec.addError("b", errors.New("down"))
	}
	c.seconds(1)
	rec.addError("", errors.New("down"))
	rec.addError("a", errors.New("up"))
	rec.addError("a", errors.New("down"))
	rec.addError("a", nil)
	var all []string
	for _, e := range rec.snapshot().Errors {
		all = append(all, words(e.ShardID, e.Text, e.Times, c.at.Sub(e.Time)))
	}
	check(t, "errors", all, "[a down 1 0s a up 1 0s down 1 0s b down 4 1s a down 4 1s]")

	rec.addError("a", errors.New(strings.Repeat("ä", maxErrorText)+"\xff"))
	text := rec.snapshot().Errors[0].Text
	if len(text) > maxErrorText+len("…") || !utf8.ValidString(text) || !strings.HasSuffix(text, "ä…") {
		t.Errorf("a long error is %d bytes: %q", len(text), text)
	}
}

func TestShardThatFailsRepeatedly(t *testing.T) {
	rec, c := testRecorder()
	fail := func() {
		s := rec.beginSession("a")
		s.failed(errors.New("cannot"))
		s.end()
	}
	fail()
	c.pass(30 * time.Minute) // and is no longer listed
	fail()
	check(t, "twice", words(rec.failureCount("a"), one(t, rec).FailsRepeatedly, one(t, rec).State), "2 false failed")
	c.pass(20 * time.Minute)
	fail()
	check(t, "three times within an hour", words(rec.failureCount("a"), one(t, rec).FailsRepeatedly), "3 true")
	c.pass(9 * time.Minute)
	check(t, "a little later", words(rec.failureCount("a"), one(t, rec).FailsRepeatedly), "3 true")
	rec.beginSession("a")
	c.pass(2 * time.Minute)
	check(t, "when the first is an hour ago", words(rec.failureCount("a"), one(t, rec).FailsRepeatedly), "2 false")
	check(t, "of another", rec.failureCount("b"), 0)
}

// A stream that is resharded for months while its processors fail does not fill the memory.
func TestRecorderDoesNotGrow(t *testing.T) {
	rec, c := testRecorder()
	for i := range 200 {
		s := rec.beginSession(fmt.Sprintf("shardId-%012d", i))
		s.batchReceived(1, 1, 1)
		for range maxFailures + 1 {
			s.failed(errors.New("cannot"))
		}
		s.end()
		c.pass(time.Minute)
	}
	if n := len(rec.shards); n > 11 {
		t.Errorf("%d shards are kept, want 11 at most", n)
	}
	if n := len(rec.failures); n > 61 {
		t.Errorf("the failures of %d shards are kept, want 61 at most", n)
	}
	for id, times := range rec.failures {
		if cap(times) > 4*maxFailures {
			t.Errorf("%s: room for %d failures", id, cap(times))
		}
	}
	c.pass(2 * time.Hour)
	rec.snapshot()
	check(t, "later", words(len(rec.shards), len(rec.failures)), "0 0")
}

func TestRecorderIsConcurrent(t *testing.T) {
	rec := newRecorder(time.Now)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 200 {
				s := rec.beginSession(fmt.Sprint("shard ", (i+j)%5))
				s.setState(ShardProcessing)
				s.batchReceived(1, 1, 1)
				s.setInFlight(1)
				s.retried(1, errors.New("bad"))
				s.deadLettered(errors.New("bad"))
				s.checkpointed(processor.Position{}, nil)
				s.failed(errors.New("bad"))
				s.end()
				rec.setDaemonState(DaemonReady)
				rec.daemonStarted(1)
				rec.failureCount("shard 1")
				rec.snapshot()
				if j%50 == 0 {
					series(&Worker{recorder: rec}, "kcl_shard_records_total")
				}
			}
		})
	}
	wg.Wait()
	var records int64
	for _, s := range rec.snapshot().Shards {
		records += s.Records
	}
	check(t, "records", records, 8*200)
}

func TestStatusInJSON(t *testing.T) {
	rec, c := testRecorder()
	s := rec.beginSession("a")
	empty, err := json.Marshal(rec.snapshot())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"errors":[]`, `"history":[]`, `"millisBehindLatest":-1`} {
		if !strings.Contains(string(empty), want) {
			t.Errorf("%s is not in %s", want, empty)
		}
	}
	if strings.Contains(string(empty), "heckpoint") {
		t.Errorf("a checkpoint is in %s", empty)
	}
	s.batchReceived(4, 1, 50)
	s.checkpointed(processor.Position{SequenceNumber: "49", SubSequenceNumber: 2}, nil)
	s.failed(errors.New("cannot"))
	c.seconds(10)
	want := rec.snapshot()
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if part := `"checkpoint":{"sequenceNumber":"49","subSequenceNumber":2}`; !strings.Contains(string(data), part) {
		t.Errorf("%s is not in %s", part, data)
	}
	var got Status
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	for i := range got.Shards[0].History { // the same moment, in another zone
		got.Shards[0].History[i].Time = want.Shards[0].History[i].Time
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func BenchmarkBatchReceived(b *testing.B) {
	s := newRecorder(time.Now).beginSession("a")
	b.ReportAllocs()
	for b.Loop() {
		s.batchReceived(100, 10000, 0)
	}
}
