package metrics

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/seed96110120/kinesis-client-go/processor/handle"
	"github.com/seed96110120/kinesis-client-go/processor/worker"
)

// busyWorker returns the collector of a worker with all metrics, whose status may be
// changed.
func busyWorker(t testing.TB) (*collector, *worker.Status) {
	t.Helper()
	// A test of package worker has written it.
	text, err := os.ReadFile("../testdata/busy.json")
	if err != nil {
		t.Fatal(err)
	}
	s := new(worker.Status)
	if err := json.Unmarshal(text, s); err != nil {
		t.Fatal(err)
	}
	c := newCollector(func() worker.Status { return *s })
	shard := handle.Shard{Stream: "stream", ShardID: "shardId-000000000001", Key: "shardId-000000000001"}
	o := c.observer()
	o.BatchFinished(handle.BatchFinished{Shard: shard, Duration: 30 * time.Millisecond})
	o.RecordFinished(handle.RecordFinished{Shard: shard, Duration: 2 * time.Millisecond})
	return c, s
}

func check(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}

// series lists the values of the labels of a metric.
func series(t *testing.T, c prometheus.Collector, name string) (all []string) {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(c)
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

func TestMetrics(t *testing.T) {
	c, _ := busyWorker(t)
	want, err := os.ReadFile("testdata/metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	if err := testutil.CollectAndCompare(c, strings.NewReader(string(want))); err != nil {
		t.Error(err)
	}
}

func TestMetricsAreNamedByTheConventions(t *testing.T) {
	c, _ := busyWorker(t)
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(c)
	problems, err := testutil.GatherAndLint(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestMetricsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../METRICS.md")
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
	c, _ := busyWorker(t)
	r := prometheus.NewRegistry()
	r.MustRegister(c)
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

// The series of a shard end when the worker no longer lists it.
func TestMetricsOfAShardThatLeft(t *testing.T) {
	c, s := busyWorker(t)
	c.observer().BatchFinished(handle.BatchFinished{Shard: handle.Shard{Stream: "stream", Key: "shardId-000000000000"}})
	check(t, "at once", series(t, c, "kcl_shard_in_flight_records"), "[shardId-000000000001 stream shardId-000000000002 stream]")
	check(t, "records", len(series(t, c, "kcl_shard_records_total")), 3)
	check(t, "batch durations", len(series(t, c, "kcl_shard_batch_duration_seconds")), 3)
	s.Shards = slices.DeleteFunc(s.Shards, func(s worker.ShardStatus) bool { return !s.Left.IsZero() })
	for _, name := range []string{"kcl_shard_records_total", "kcl_shard_batch_duration_seconds", "kcl_shard_record_duration_seconds"} {
		check(t, name, series(t, c, name), "[shardId-000000000001 stream shardId-000000000002 stream]")
	}
}

// The histograms of shards that left do not pile up, even if nobody collects.
func TestHistogramsDoNotGrow(t *testing.T) {
	var s worker.Status
	c := newCollector(func() worker.Status { return s })
	for i := range 200 {
		key := fmt.Sprintf("111122223333:orders:1700:shardId-%012d", i)
		s.Shards = append(s.Shards[max(0, len(s.Shards)-9):], worker.ShardStatus{Stream: "111122223333:orders:1700", ShardID: fmt.Sprintf("shardId-%012d", i)})
		c.observer().RecordFinished(handle.RecordFinished{Shard: handle.Shard{Stream: "orders", Key: key}})
	}
	check(t, "histograms", len(c.shards), 10)
	check(t, "series", len(series(t, c, "kcl_shard_record_duration_seconds")), 10)
	s.Shards = nil
	check(t, "later", len(series(t, c, "kcl_shard_batch_duration_seconds")), 0)
}

// The lags are absent while they are not known.
func TestUnknownLag(t *testing.T) {
	c, s := busyWorker(t)
	for _, name := range []string{"kcl_worker_max_millis_behind_latest", "kcl_worker_sum_millis_behind_latest"} {
		s.MaxMillisBehindLatest = 0
		check(t, name, len(series(t, c, name)), 1)
		s.MaxMillisBehindLatest = -1
		check(t, name, len(series(t, c, name)), 0)
	}
}

// Events and collections may come at once.
func TestCollectorIsConcurrent(t *testing.T) {
	w := worker.New(worker.Config{}, nil)
	c := newCollector(w.Status)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 200 {
				c.observer().RecordFinished(handle.RecordFinished{Shard: handle.Shard{Key: fmt.Sprint((i + j) % 5)}})
				if j%50 == 0 {
					series(t, c, "kcl_shard_records_total")
				}
			}
		})
	}
	wg.Wait()
}

// A worker may have several collectors, and a collector several registries.
func TestCollectorIsForAnyRegistry(t *testing.T) {
	w := worker.New(worker.Config{}, nil)
	same := New(w)
	for _, c := range []prometheus.Collector{same, same, New(w)} {
		r := prometheus.NewPedanticRegistry()
		r.MustRegister(c)
		if n, err := testutil.GatherAndCount(r, "kcl_worker_info"); n != 1 || err != nil {
			t.Errorf("%d metrics, error %v, want 1", n, err)
		}
	}
}

// What is called for each record.
func BenchmarkRecordFinished(b *testing.B) {
	c, _ := busyWorker(b)
	finished := c.observer().RecordFinished
	shard := handle.Shard{Stream: "stream", ShardID: "shardId-000000000001", Key: "shardId-000000000001"}
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			finished(handle.RecordFinished{Shard: shard, Duration: time.Millisecond})
		}
	})
}
