package worker

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// series lists the labels' values of a metric.
func series(t *testing.T, b *board, name string) (all []string) {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(collector{b})
	families, err := r.Gather()
	if err != nil {
		t.Error(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var values []string
			for _, l := range m.GetLabel() {
				values = append(values, l.GetValue())
			}
			all = append(all, strings.Join(values, " "))
		}
	}
	return all
}

// busyBoard has all metrics: a shard that is read, and one that left.
func busyBoard() (*board, *clock) {
	b, c := testBoard()
	b.daemonStarted(1)
	b.daemonReady()
	b.daemonEnded(errors.New("killed"), true)
	b.daemonStarted(2)
	b.daemonReady()
	b.leases([]string{"shardId-000000000000", "shardId-000000000001", "shardId-000000000002"})
	left := b.shard("shardId-000000000000")
	left.batchReceived(1, 10, 1000)
	left.inFlight(1)
	for range 3 {
		left.failed(errors.New("cannot"))
	}
	left.left()
	s := b.shard("shardId-000000000001")
	s.state(ShardProcessing)
	s.batchReceived(20, 2000, 1500)
	s.batchFinished(30 * time.Millisecond)
	s.recordFinished(2 * time.Millisecond)
	s.inFlight(7)
	s.retried(2, errors.New("bad"))
	s.deadLettered(errors.New("bad"))
	s.checkpoint(processor.Position{SequenceNumber: "5"}, nil)
	b.shard("shardId-000000000002") // has had no batch
	b.problem("shardId-000000000002", "GetRecords", nil)
	b.leases([]string{"shardId-000000000001", "shardId-000000000002"})
	c.seconds(4)
	return b, c
}

func TestMetrics(t *testing.T) {
	b, _ := busyBoard()
	want, err := os.ReadFile("testdata/metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	if err := testutil.CollectAndCompare(collector{b}, strings.NewReader(string(want))); err != nil {
		t.Error(err)
	}
}

func TestMetricsAreNamedByTheConventions(t *testing.T) {
	b, _ := busyBoard()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(collector{b})
	problems, err := testutil.GatherAndLint(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestMetricsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for line := range strings.Lines(string(page)) {
		if name, ok := strings.CutPrefix(line, "| `kcl_"); ok {
			name, _, _ = strings.Cut(name, "`")
			name, _, _ = strings.Cut(name, "{")
			documented = append(documented, "kcl_"+name)
		}
	}
	b, _ := busyBoard()
	r := prometheus.NewRegistry()
	r.MustRegister(collector{b})
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var there []string
	for _, f := range families {
		there = append(there, f.GetName())
	}
	slices.Sort(documented)
	if !slices.Equal(documented, there) {
		t.Errorf("METRICS.md has\n%s\nwant\n%s", strings.Join(documented, "\n"), strings.Join(there, "\n"))
	}
}

// A shard's metrics go when it does.
func TestMetricsOfAShardThatLeft(t *testing.T) {
	b, c := busyBoard()
	check(t, "at once", series(t, b, "kcl_shard_in_flight_records"), "[shardId-000000000001 stream shardId-000000000002 stream]")
	check(t, "later", len(series(t, b, "kcl_shard_records_total")), 3)
	check(t, "later", len(series(t, b, "kcl_shard_batch_duration_seconds")), 3)
	c.pass(listedFor)
	for _, name := range []string{"kcl_shard_records_total", "kcl_shard_batch_duration_seconds", "kcl_shard_record_duration_seconds"} {
		check(t, name, series(t, b, name), "[shardId-000000000001 stream shardId-000000000002 stream]")
	}
}

// Collector and Handler may both be used.
func TestCollectorIsForAnyRegistry(t *testing.T) {
	w := New(Config{}, nil)
	for range 2 {
		r := prometheus.NewPedanticRegistry()
		r.MustRegister(w.Collector())
		if n, err := testutil.GatherAndCount(r, "kcl_worker_info"); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	w.Handler()
	w.Handler()
}
