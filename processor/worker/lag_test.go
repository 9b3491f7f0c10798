package worker

import (
	"errors"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap/engine"
)

// The lag grows from its last value, however many sessions begin. Only an idle shard has
// the lag that Kinesis reported, and a shard of another worker has none.
//
// Guarantee: The lag of a shard that is not read grows, whatever keeps it from being
// read.
func TestLagOfAWorker(t *testing.T) {
	type steps struct {
		*recorder
		*clock
		s *sessionRecorder // of a, which has had a batch that was 5 s behind
	}
	causes := []engine.Cause{{Class: "x.ExpiredIteratorException"}}
	for name, c := range map[string]struct {
		do   func(steps)
		want string // greatest and sum, 7 s later
	}{
		"idle":                          {func(x steps) { x.s.setState(ShardIdle) }, "5000 5000"},
		"idle, clock set back":          {func(x steps) { x.s.setState(ShardIdle); x.pass(-time.Hour) }, "5000 5000"},
		"idle without a batch for long": {func(x steps) { x.s.setState(ShardIdle); x.seconds(53) }, "65000 65000"},
		"idle, and no empty batches come": {func(x steps) {
			x.s.setState(ShardIdle)
			x.setNoEmptyBatches(true)
			x.pass(time.Hour)
		}, "5000 5000"},
		"idle, and KCL cannot read it": {func(x steps) { x.s.setState(ShardIdle); x.addProblem("a", "GetRecords", causes) }, "12000 12000"},
		"KCL reads it again": {func(x steps) {
			x.s.setState(ShardIdle)
			x.addProblem("a", "GetRecords", causes)
			x.clearProblem("a")
		}, "5000 5000"},
		"a batch in work":       {func(steps) {}, "12000 12000"},
		"a lag that is unknown": {func(x steps) { x.seconds(2); x.s.batchReceived(1, 1, -1); x.s.setState(ShardIdle) }, "14000 14000"},
		"a lag that has fallen": {func(x steps) { x.s.batchReceived(1, 1, 0); x.s.setState(ShardIdle) }, "0 0"},
		"stopping":              {func(x steps) { x.s.setState(ShardStopping) }, "12000 12000"},
		"failed":                {func(x steps) { x.s.failed(errPlanted) }, "12000 12000"},
		"restarting, for long":  {func(x steps) { x.s.failed(errPlanted); x.s.setRestarting(time.Hour); x.pass(time.Hour) }, "3612000 3612000"},
		"hung":                  {func(x steps) { x.s.failed(errPlanted); x.s.setHung() }, "12000 12000"},
		"begun anew, and again": {func(x steps) {
			x.s.failed(errPlanted)
			x.seconds(1)
			x.beginSession("a")
			x.seconds(1)
			x.beginSession("a").setState(ShardIdle)
		}, "14000 14000"},
		"begun anew, and read": {func(x steps) {
			x.s.failed(errPlanted)
			n := x.beginSession("a")
			n.batchReceived(1, 1, 100)
			n.setState(ShardIdle)
		}, "100 100"},
		"another that waits":     {func(x steps) { x.setLeases([]string{"a", "b"}); x.setBlocked("b", true) }, "12000 19000"},
		"another that starts":    {func(x steps) { x.beginSession("b"); x.seconds(1) }, "13000 21000"},
		"lost":                   {func(x steps) { x.s.setState(ShardLost) }, "0 0"},
		"lost, and not told":     {func(x steps) { x.setLeases(nil) }, "0 0"},
		"lost while it was hung": {func(x steps) { x.s.failed(errPlanted); x.s.setHung(); x.setLeases(nil) }, "0 0"},
		"lost and taken again":   {func(x steps) { x.s.setState(ShardLost); x.s.end(); x.setLeases(nil); x.setLeases([]string{"a"}) }, "7000 7000"},
		"another at its end": {func(x steps) {
			x.setBlocked("b", false)
			x.pass(time.Hour)
			x.s.batchReceived(0, 0, 0)
			x.s.setState(ShardIdle)
		}, "0 0"},
		"ended": {func(x steps) { x.s.setState(ShardEnded); x.s.end() }, "0 0"},

		"Java has died":                 {func(x steps) { x.daemonEnded(errPlanted, true); x.s.end() }, "12000 12000"},
		"Java has died with a hung one": {func(x steps) { x.s.failed(errPlanted); x.s.setHung(); x.daemonEnded(errPlanted, true) }, "12000 12000"},
		"another Java has not told yet": {func(x steps) { x.daemonEnded(errPlanted, true); x.daemonStarted(2); x.setDaemonState(DaemonReady) }, "12000 12000"},
		"another Java has it": {func(x steps) {
			x.daemonEnded(errPlanted, true)
			x.setDaemonState(DaemonReady)
			x.setLeases([]string{"a"})
		}, "12000 12000"},
		"another worker has it": {func(x steps) {
			x.daemonEnded(errPlanted, true)
			x.setDaemonState(DaemonReady)
			x.setLeases([]string{"b"})
		}, "7000 7000"},
		"Java has died long ago":          {func(x steps) { x.daemonEnded(errPlanted, true); x.pass(takenOverAfter) }, "-1 0"},
		"Java is not started again":       {func(x steps) { x.daemonEnded(errPlanted, true); x.daemonEnded(errPlanted, false) }, "-1 0"},
		"Java has stopped":                {func(x steps) { x.setDaemonState(DaemonStopping); x.daemonEnded(nil, false); x.s.end() }, "-1 0"},
		"Java does not yet take leases":   {func(x steps) { x.beginRun(); x.daemonStarted(1) }, "-1 0"},
		"Java takes leases, and has none": {func(x steps) { x.beginRun(); x.setDaemonState(DaemonReady) }, "0 0"},
	} {
		rec, clock := testRecorder()
		rec.setDaemonState(DaemonReady)
		rec.setLeases([]string{"a"})
		clock.seconds(100)
		s := rec.beginSession("a")
		s.batchReceived(1, 1, 5000)
		s.setState(ShardProcessing)
		c.do(steps{rec, clock, s})
		clock.seconds(7)
		got := rec.snapshot()
		check(t, name, words(got.MaxMillisBehindLatest, got.SumMillisBehindLatest), c.want)
		w := &Worker{recorder: rec}
		if n := len(series(w, "kcl_worker_max_millis_behind_latest")); n != len(series(w, "kcl_worker_sum_millis_behind_latest")) || (n == 0) != (got.MaxMillisBehindLatest < 0) {
			t.Errorf("%s: %d series", name, n)
		}
	}
}

// The busy time is the time with a batch in work, summed over the shards. It includes
// batches that are still in work, and never falls.
func TestBusyTime(t *testing.T) {
	rec, c := testRecorder()
	busy := func(what string, want float64) {
		t.Helper()
		check(t, what, rec.snapshot().BusySeconds, want)
	}
	busy("nothing", 0)
	s := rec.beginSession("a")
	c.seconds(10)
	s.setState(ShardIdle)
	c.seconds(10)
	busy("started and idle", 0)
	s.setState(ShardProcessing)
	c.seconds(2)
	busy("a batch in work", 2)
	c.seconds(1)
	busy("longer", 3)
	s.setInFlight(5)
	s.setState(ShardIdle)
	c.seconds(4)
	busy("records in work while no method is", 7)
	other := rec.beginSession("b")
	other.setState(ShardProcessing)
	c.seconds(5)
	busy("two shards", 17)
	c.seconds(-3)
	busy("a clock that is set back", 17)
	c.seconds(3)
	busy("and is right again", 17)
	s.setInFlight(0)
	c.seconds(5)
	busy("one again", 22)
	other.failed(errors.New("slow"))
	c.seconds(60)
	busy("failed", 22)
	other.setHung()
	c.seconds(6)
	busy("hung: its batch is in work", 28)
	other.end()
	c.pass(listedFor + time.Second)
	busy("the shard is no longer listed", 28)
	check(t, "shards", len(rec.snapshot().Shards), 1)
	s.setState(ShardProcessing)
	c.seconds(1)
	rec.daemonEnded(errPlanted, true)
	c.seconds(10)
	busy("Java has ended", 29)
	rec.beginSession("a").setState(ShardIdle)
	c.seconds(10)
	busy("begun anew", 29)
	rec.beginRun()
	busy("another Run", 0)
}

// Whether an idle shard gets batches depends on a property, which the user may set.
func TestEmptyBatchesAreExpected(t *testing.T) {
	for _, c := range []struct {
		config Config
		quiet  bool
	}{
		{Config{}, false},
		{Config{Retrieval: RetrievalOptions{NoEmptyBatches: true}}, true},
		{Config{Properties: map[string]string{"callProcessRecordsEvenForEmptyRecordList": "Yes"}}, false},
		{Config{Properties: map[string]string{"callProcessRecordsEvenForEmptyRecordList": "false"}}, true},
	} {
		r := newRig(t, "serves")
		c.config.Stream, c.config.Application, c.config.Region = "orders", "application", "us-east-1"
		c.config.Java = r.config.Java
		r.config = c.config
		w := r.worker(nil)
		if _, err := w.prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		check(t, "quiet", w.recorder.noEmptyBatches, c.quiet)
	}
}
