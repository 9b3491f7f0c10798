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

// A clock goes on when a test says so.
type clock struct{ at time.Time }

func (c *clock) now() time.Time          { return c.at }
func (c *clock) pass(d time.Duration)    { c.at = c.at.Add(d) }
func (c *clock) seconds(s time.Duration) { c.pass(s * time.Second) }

// testBoard begins at a multiple of sampleEvery.
func testBoard() (*board, *clock) {
	c := &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	b := newBoard(c.now)
	b.identify("app", []string{"stream"}, "us-east-1", "worker-1")
	b.begun()
	return b, c
}

func check(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}

// words puts spaces between.
func words(all ...any) string { return strings.TrimSpace(fmt.Sprintln(all...)) }

// one returns the only shard.
func one(t *testing.T, b *board) Shard {
	t.Helper()
	s := b.status().Shards
	if len(s) != 1 {
		t.Fatalf("%d shards, want 1", len(s))
	}
	return s[0]
}

func TestBoardOfTheDaemon(t *testing.T) {
	c := &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	b := newBoard(c.now)
	b.identify("app", []string{"stream"}, "us-east-1", "worker-1")
	steps := []struct {
		do   func()
		want string // state, age, PID, restarts, errors
	}{
		{func() {}, "new 0 0 0"},
		{func() { b.begun() }, "new 0 0 0"},
		{b.daemonPreparing, "preparing 0 0 0"},
		{func() { b.daemonStarted(11) }, "starting 11 0 0"},
		{b.daemonReady, "ready 11 0 0"},
		{b.daemonReady, "ready 11 0 0"},
		{func() { b.daemonEnded(errors.New("killed"), true) }, "restarting 0 0 1"},
		{func() { b.daemonStarted(12) }, "starting 12 1 1"},
		{b.daemonInitializing, "initializing 12 1 1"},
		{b.daemonReady, "ready 12 1 1"},
		{b.daemonStopping, "stopping 12 1 1"},
		{func() { b.daemonEnded(nil, false) }, "stopped 0 1 1"},
		{func() { b.begun() }, "new 0 0 0"}, // Run again
	}
	for i, step := range steps {
		before := b.status()
		c.seconds(5)
		step.do()
		s := b.status()
		check(t, fmt.Sprint("step ", i), words(s.Daemon.State, s.Daemon.PID, s.Daemon.Restarts, len(s.Errors)), step.want)
		if s.Daemon.State != before.Daemon.State && s.Daemon.State != DaemonNew {
			check(t, fmt.Sprint("since of step ", i), s.Daemon.Since, c.at)
		} else if i != len(steps)-1 {
			check(t, fmt.Sprint("since of step ", i), s.Daemon.Since, before.Daemon.Since)
		}
		check(t, "worker", s.Application+" "+s.Streams[0]+" "+s.Region+" "+s.WorkerID, "app stream us-east-1 worker-1")
	}
}

func TestBoardOfAShard(t *testing.T) {
	b, c := testBoard()
	s := b.shard("shardId-1")
	check(t, "lag before the first batch", one(t, b).MillisBehindLatest, processor.UnknownLag)
	c.seconds(1)
	s.state(ShardProcessing)
	c.seconds(1)
	s.state(ShardProcessing)
	s.batchReceived(10, 1000, 5000)
	s.inFlight(10)
	s.retried(3, errors.New("bad"))
	s.deadLettered(errors.New("worse"))
	s.checkpoint(processor.Position{SequenceNumber: "7"}, nil)
	c.seconds(1)
	s.checkpoint(processor.Position{}, &processor.CheckpointError{ShardID: "shardId-1", Err: processor.ErrThrottled})
	s.checkpoint(processor.Position{}, &processor.CheckpointError{ShardID: "shardId-1", Err: processor.ErrShutdown})
	got := one(t, b)
	check(t, "state", got.State, ShardProcessing)
	check(t, "its age", c.at.Sub(got.Since), 2*time.Second)
	check(t, "age of the batch", c.at.Sub(got.BatchTime), time.Second)
	check(t, "counts", []int64{got.Records, got.Bytes, got.MillisBehindLatest, int64(got.InFlight), got.Retries, got.DeadLetters, int64(got.Failures)}, "[10 1000 5000 10 3 1 0]")
	check(t, "checkpoint", got.Checkpoint, "7/0")
	check(t, "age of the checkpoint", c.at.Sub(got.CheckpointTime), time.Second)
	check(t, "errors, of which the loss of the lease is none", texts(b), "[processor: cannot checkpoint shardId-1 at the end: the lease table throttles dead-lettered: worse tried again: bad]")
}

func texts(b *board) (all []string) {
	for _, e := range b.status().Errors {
		all = append(all, e.Text)
	}
	return all
}

// The old lease of a shard may write when the new one has begun.
func TestBoardOfALeaseAfterTheNext(t *testing.T) {
	b, _ := testBoard()
	before := b.shard("shardId-1")
	before.state(ShardProcessing)
	before.inFlight(5)
	next := b.shard("shardId-1")
	next.state(ShardWaiting)
	before.state(ShardIdle)
	before.restarting(time.Second)
	before.hung()
	before.inFlight(4)
	before.batchReceived(1, 10, 99)
	before.left()
	got := one(t, b)
	check(t, "shard", words(got.State, got.InFlight, got.Records, got.MillisBehindLatest, got.Left.IsZero()), "waiting 0 1 -1 true")
}

func TestShardsThatLeave(t *testing.T) {
	b, c := testBoard()
	for _, id := range []string{"c", "a", "d", "b"} {
		b.shard(id).batchReceived(1, 1, 0)
	}
	ended := b.entries["a"].lease
	ended.state(ShardEnded)
	ended.left()
	b.entries["b"].lease.inFlight(3)
	b.entries["b"].lease.left()
	list := func() (s string) {
		for _, shard := range b.status().Shards {
			s += fmt.Sprintf(" %s:%s%d", shard.ShardID, shard.State, shard.InFlight)
		}
		return s
	}
	check(t, "held, then left", list(), " c:starting0 d:starting0 a:ended0 b:lost0")
	c.pass(listedFor)
	check(t, "10 minutes later", list(), " c:starting0 d:starting0 a:ended0 b:lost0")
	b.shard("b").batchReceived(1, 1, 0)
	c.seconds(1)
	check(t, "and then", list(), " b:starting0 c:starting0 d:starting0")
	check(t, "records of two leases", b.status().Shards[0].Records, 2)
}

func TestRateAndHistory(t *testing.T) {
	b, c := testBoard()
	s := b.shard("shardId-1")
	s.batchReceived(100, 1, 7000)
	check(t, "at first, of a whole sample at least", one(t, b).RecordsPerSecond, 50)
	c.seconds(1)
	s.batchReceived(100, 1, 6000)
	c.seconds(3)
	check(t, "after 4 s", one(t, b).RecordsPerSecond, 50)
	got := one(t, b).History
	check(t, "samples", len(got), 2)
	check(t, "the first", words(got[0].Time.UTC().Format(time.TimeOnly), got[0].MillisBehindLatest, got[0].RecordsPerSecond), "12:00:02 6000 100")
	check(t, "the second", words(got[1].Time.UTC().Format(time.TimeOnly), got[1].MillisBehindLatest, got[1].RecordsPerSecond), "12:00:04 6000 0")
	c.seconds(9)
	check(t, "after 13 s", one(t, b).RecordsPerSecond, 0)
	c.pass(time.Hour)
	got = one(t, b).History
	check(t, "samples after an hour", len(got), samplesKept)
	for i, sample := range got {
		check(t, "time", sample.Time.UTC(), c.at.Add(-time.Second-time.Duration(samplesKept-1-i)*sampleEvery))
	}
	c.seconds(1)
	s.left()
	c.seconds(30)
	gone := one(t, b)
	check(t, "rate of a shard that left", gone.RecordsPerSecond, 0)
	check(t, "its samples of the last 2 minutes", len(gone.History), samplesKept-15)
	b.shard("shardId-1")
	c.seconds(4)
	got = one(t, b).History
	check(t, "samples, of 2 leases with a gap", len(got), samplesKept-15)
	check(t, "the gap", got[len(got)-2].Time.Sub(got[len(got)-3].Time), 32*time.Second)
	check(t, "the lag is not known again", got[len(got)-1].MillisBehindLatest, processor.UnknownLag)
}

func TestSteadyRate(t *testing.T) {
	b, c := testBoard()
	s := b.shard("shardId-1")
	for range 300 {
		c.pass(100 * time.Millisecond)
		s.batchReceived(25, 1, 0)
		if got := one(t, b); c.at.Second() > 10 && (got.RecordsPerSecond < 240 || got.RecordsPerSecond > 260) {
			t.Fatalf("at %s: %f records per second, want 250", c.at, got.RecordsPerSecond)
		}
	}
}

func TestErrorsAreListed(t *testing.T) {
	b, c := testBoard()
	for i := range maxErrors + 5 {
		b.failed("a", fmt.Errorf("error %d", i))
	}
	got := b.status().Errors
	check(t, "errors", words(len(got), got[0].Text, got[maxErrors-1].Text), "20 error 24 error 5")

	b.begun()
	for range 4 { // by turns
		c.seconds(1)
		b.failed("a", errors.New("down"))
		b.failed("b", errors.New("down"))
	}
	c.seconds(1)
	b.failed("", errors.New("down"))
	b.failed("a", errors.New("up"))
	b.failed("a", errors.New("down"))
	b.failed("a", nil)
	var all []string
	for _, e := range b.status().Errors {
		all = append(all, words(e.ShardID, e.Text, e.Times, c.at.Sub(e.Time)))
	}
	check(t, "errors", all, "[a down 1 0s a up 1 0s down 1 0s b down 4 1s a down 4 1s]")

	b.failed("a", errors.New(strings.Repeat("ä", maxErrorText)+"\xff"))
	text := b.status().Errors[0].Text
	if len(text) > maxErrorText+len("…") || !utf8.ValidString(text) || !strings.HasSuffix(text, "ä…") {
		t.Errorf("a long error is %d bytes: %q", len(text), text)
	}
}

func TestShardThatFailsRepeatedly(t *testing.T) {
	b, c := testBoard()
	fail := func() {
		s := b.shard("a")
		s.failed(errors.New("cannot"))
		s.left()
	}
	fail()
	c.pass(30 * time.Minute) // and is no longer listed
	fail()
	check(t, "twice", words(b.failures("a"), one(t, b).FailsRepeatedly, one(t, b).State), "2 false failed")
	c.pass(20 * time.Minute)
	fail()
	check(t, "three times within an hour", words(b.failures("a"), one(t, b).FailsRepeatedly), "3 true")
	c.pass(9 * time.Minute)
	check(t, "a little later", words(b.failures("a"), one(t, b).FailsRepeatedly), "3 true")
	b.shard("a")
	c.pass(2 * time.Minute)
	check(t, "when the first is an hour ago", words(b.failures("a"), one(t, b).FailsRepeatedly), "2 false")
	check(t, "of another", b.failures("b"), 0)
}

// A stream that is resharded for months, whose processors fail, leaves nothing.
func TestBoardDoesNotGrow(t *testing.T) {
	b, c := testBoard()
	for i := range 200 {
		s := b.shard(fmt.Sprintf("shardId-%012d", i))
		s.batchReceived(1, 1, 1)
		s.batchFinished(time.Second)
		s.recordFinished(time.Second)
		for range maxFailures + 1 {
			s.failed(errors.New("cannot"))
		}
		s.left()
		c.pass(time.Minute)
	}
	if n := len(b.entries); n > 11 {
		t.Errorf("%d shards are kept, want 11 at most", n)
	}
	if n := len(b.failing); n > 61 {
		t.Errorf("the failures of %d shards are kept, want 61 at most", n)
	}
	for id, times := range b.failing {
		if cap(times) > 4*maxFailures {
			t.Errorf("%s: room for %d failures", id, cap(times))
		}
	}
	if n := len(series(t, b, "kcl_shard_batch_duration_seconds")); n > 11 {
		t.Errorf("%d histograms are kept", n)
	}
	c.pass(2 * time.Hour)
	b.status()
	check(t, "later", words(len(b.entries), len(b.failing), len(series(t, b, "kcl_shard_record_duration_seconds"))), "0 0 0")
}

func TestBoardIsConcurrent(t *testing.T) {
	b := newBoard(time.Now)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 200 {
				s := b.shard(fmt.Sprint("shard ", (i+j)%5))
				s.state(ShardProcessing)
				s.batchReceived(1, 1, 1)
				s.inFlight(1)
				s.recordFinished(1)
				s.batchFinished(1)
				s.retried(1, errors.New("bad"))
				s.deadLettered(errors.New("bad"))
				s.checkpoint(processor.Position{}, nil)
				s.failed(errors.New("bad"))
				s.left()
				b.daemonReady()
				b.daemonStarted(1)
				b.failures("shard 1")
				b.status()
				if j%50 == 0 {
					series(t, b, "kcl_shard_records_total")
				}
			}
		})
	}
	wg.Wait()
	var records int64
	for _, s := range b.status().Shards {
		records += s.Records
	}
	check(t, "records", records, 8*200)
}

func TestStatusInJSON(t *testing.T) {
	b, c := testBoard()
	s := b.shard("a")
	empty, err := json.Marshal(b.status())
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
	s.checkpoint(processor.Position{SequenceNumber: "49", SubSequenceNumber: 2}, nil)
	s.failed(errors.New("cannot"))
	c.seconds(10)
	want := b.status()
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

// What is called for each record, in the place of a benchmark of all.
func BenchmarkRecordFinished(b *testing.B) {
	s := newBoard(time.Now).shard("a")
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			s.recordFinished(time.Millisecond)
		}
	})
}

func BenchmarkBatchReceived(b *testing.B) {
	s := newBoard(time.Now).shard("a")
	b.ReportAllocs()
	for b.Loop() {
		s.batchReceived(100, 10000, 0)
	}
}
