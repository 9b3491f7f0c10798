package worker

import (
	"errors"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap/engine"
)

// A shard that is not read does not look as if it were: its lag grows from where it
// was, whatever keeps it from being read, and however often it is begun anew. Only an
// idle one has the lag that Kinesis said, and another worker's has none.
func TestLagOfAWorker(t *testing.T) {
	type steps struct {
		*board
		*clock
		s *shardBoard // of a, which has had a batch that was 5 s behind
	}
	causes := []engine.Cause{{Class: "x.ExpiredIteratorException"}}
	for name, c := range map[string]struct {
		do   func(steps)
		want string // greatest and sum, 7 s later
	}{
		"idle":                          {func(x steps) { x.s.state(ShardIdle) }, "5000 5000"},
		"idle, clock set back":          {func(x steps) { x.s.state(ShardIdle); x.pass(-time.Hour) }, "5000 5000"},
		"idle without a batch for long": {func(x steps) { x.s.state(ShardIdle); x.seconds(53) }, "65000 65000"},
		"idle, and no empty batches come": {func(x steps) {
			x.s.state(ShardIdle)
			x.withoutEmptyBatches(true)
			x.pass(time.Hour)
		}, "5000 5000"},
		"idle, and KCL cannot read it": {func(x steps) { x.s.state(ShardIdle); x.problem("a", "GetRecords", causes) }, "12000 12000"},
		"KCL reads it again": {func(x steps) {
			x.s.state(ShardIdle)
			x.problem("a", "GetRecords", causes)
			x.recovered("a")
		}, "5000 5000"},
		"a batch in work":       {func(steps) {}, "12000 12000"},
		"a lag that is unknown": {func(x steps) { x.seconds(2); x.s.batchReceived(1, 1, -1); x.s.state(ShardIdle) }, "14000 14000"},
		"a lag that has fallen": {func(x steps) { x.s.batchReceived(1, 1, 0); x.s.state(ShardIdle) }, "0 0"},
		"stopping":              {func(x steps) { x.s.state(ShardStopping) }, "12000 12000"},
		"failed":                {func(x steps) { x.s.failed(errPlanted) }, "12000 12000"},
		"restarting, for long":  {func(x steps) { x.s.failed(errPlanted); x.s.restarting(time.Hour); x.pass(time.Hour) }, "3612000 3612000"},
		"hung":                  {func(x steps) { x.s.failed(errPlanted); x.s.hung() }, "12000 12000"},
		"begun anew, and again": {func(x steps) {
			x.s.failed(errPlanted)
			x.seconds(1)
			x.shard("a")
			x.seconds(1)
			x.shard("a").state(ShardIdle)
		}, "14000 14000"},
		"begun anew, and read": {func(x steps) {
			x.s.failed(errPlanted)
			n := x.shard("a")
			n.batchReceived(1, 1, 100)
			n.state(ShardIdle)
		}, "100 100"},
		"another that waits":     {func(x steps) { x.leases([]string{"a", "b"}); x.blocked("b", true) }, "12000 19000"},
		"another that starts":    {func(x steps) { x.shard("b"); x.seconds(1) }, "13000 21000"},
		"lost":                   {func(x steps) { x.s.state(ShardLost) }, "0 0"},
		"lost, and not told":     {func(x steps) { x.leases(nil) }, "0 0"},
		"lost while it was hung": {func(x steps) { x.s.failed(errPlanted); x.s.hung(); x.leases(nil) }, "0 0"},
		"lost and taken again":   {func(x steps) { x.s.state(ShardLost); x.s.left(); x.leases(nil); x.leases([]string{"a"}) }, "7000 7000"},
		"another at its end": {func(x steps) {
			x.blocked("b", false)
			x.pass(time.Hour)
			x.s.batchReceived(0, 0, 0)
			x.s.state(ShardIdle)
		}, "0 0"},
		"ended": {func(x steps) { x.s.state(ShardEnded); x.s.left() }, "0 0"},

		"Java has died":                   {func(x steps) { x.daemonEnded(errPlanted, true); x.s.left() }, "12000 12000"},
		"Java has died with a hung one":   {func(x steps) { x.s.failed(errPlanted); x.s.hung(); x.daemonEnded(errPlanted, true) }, "12000 12000"},
		"another Java has not told yet":   {func(x steps) { x.daemonEnded(errPlanted, true); x.daemonStarted(2); x.daemonReady() }, "12000 12000"},
		"another Java has it":             {func(x steps) { x.daemonEnded(errPlanted, true); x.daemonReady(); x.leases([]string{"a"}) }, "12000 12000"},
		"another worker has it":           {func(x steps) { x.daemonEnded(errPlanted, true); x.daemonReady(); x.leases([]string{"b"}) }, "7000 7000"},
		"Java has died long ago":          {func(x steps) { x.daemonEnded(errPlanted, true); x.pass(takenOver) }, "-1 0"},
		"Java is not started again":       {func(x steps) { x.daemonEnded(errPlanted, true); x.daemonEnded(errPlanted, false) }, "-1 0"},
		"Java has stopped":                {func(x steps) { x.daemonStopping(); x.daemonEnded(nil, false); x.s.left() }, "-1 0"},
		"Java does not yet take leases":   {func(x steps) { x.begun(); x.daemonStarted(1) }, "-1 0"},
		"Java takes leases, and has none": {func(x steps) { x.begun(); x.daemonReady() }, "0 0"},
	} {
		b, clock := testBoard()
		b.daemonReady()
		b.leases([]string{"a"})
		clock.seconds(100)
		s := b.shard("a")
		s.batchReceived(1, 1, 5000)
		s.state(ShardProcessing)
		c.do(steps{b, clock, s})
		clock.seconds(7)
		got := b.status()
		check(t, name, words(got.MaxMillisBehindLatest, got.SumMillisBehindLatest), c.want)
		if n := len(series(t, b, "kcl_worker_max_millis_behind_latest")); n != len(series(t, b, "kcl_worker_sum_millis_behind_latest")) || (n == 0) != (got.MaxMillisBehindLatest < 0) {
			t.Errorf("%s: %d series", name, n)
		}
	}
}

// What a worker is busy with is the time of all batches in work: it grows by a second
// in each for each shard, is counted while it is asked for, and never falls.
func TestBusyTime(t *testing.T) {
	b, c := testBoard()
	busy := func(what string, want float64) {
		t.Helper()
		check(t, what, b.status().BusySeconds, want)
	}
	busy("nothing", 0)
	s := b.shard("a")
	c.seconds(10)
	s.state(ShardIdle)
	c.seconds(10)
	busy("started and idle", 0)
	s.state(ShardProcessing)
	c.seconds(2)
	busy("a batch in work", 2)
	c.seconds(1)
	busy("longer", 3)
	s.inFlight(5)
	s.state(ShardIdle)
	c.seconds(4)
	busy("records in work while no method is", 7)
	other := b.shard("b")
	other.state(ShardProcessing)
	c.seconds(5)
	busy("two shards", 17)
	c.seconds(-3)
	busy("a clock that is set back", 17)
	c.seconds(3)
	busy("and is right again", 17)
	s.inFlight(0)
	c.seconds(5)
	busy("one again", 22)
	other.failed(errors.New("slow"))
	c.seconds(60)
	busy("failed", 22)
	other.hung()
	c.seconds(6)
	busy("hung: its batch is in work", 28)
	other.left()
	c.pass(listedFor + time.Second)
	busy("the shard is no longer listed", 28)
	check(t, "shards", len(b.status().Shards), 1)
	s.state(ShardProcessing)
	c.seconds(1)
	b.daemonEnded(errPlanted, true)
	c.seconds(10)
	busy("Java has ended", 29)
	b.shard("a").state(ShardIdle)
	c.seconds(10)
	busy("begun anew", 29)
	b.begun()
	busy("another Run", 0)
}

// Whether an idle shard gets batches is a property, and the user's counts.
func TestEmptyBatchesAreExpected(t *testing.T) {
	for _, c := range []struct {
		config Config
		quiet  bool
	}{
		{Config{}, false},
		{Config{NoEmptyBatches: true}, true},
		{Config{Properties: map[string]string{"callProcessRecordsEvenForEmptyRecordList": "Yes"}}, false},
		{Config{Properties: map[string]string{"callProcessRecordsEvenForEmptyRecordList": "false"}}, true},
	} {
		r := newRig(t, "serves")
		c.config.Stream, c.config.Application, c.config.Region = "orders", "application", "us-east-1"
		c.config.Java, c.config.Fetch = r.config.Java, r.config.Fetch
		r.config = c.config
		w := r.worker(nil)
		if _, err := w.prepare(t.Context(), t.TempDir()); err != nil {
			t.Fatal(err)
		}
		check(t, "quiet", w.board.quiet, c.quiet)
	}
}
