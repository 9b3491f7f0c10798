// Package metrics provides a worker's metrics to Prometheus. METRICS.md in the folder of
// package worker lists them.
//
//	w := worker.New(config, newProcessor)
//	prometheus.MustRegister(metrics.New(w))
//	err := w.Run(ctx)
//
// Package monitor serves them at /metrics and needs no other code.
package metrics

import (
	"cmp"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/handle"
	"github.com/seed96110120/kinesis-client-go/processor/worker"
)

const (
	metricPrefix = "kcl_"
	streamLabel  = "stream"
	shardLabel   = "shard"
)

// New returns a collector of the metrics of w. Call it before w.Run: the histograms
// have only what happens afterwards. The collector may be registered in several
// registries.
//
// The series of a shard end when the worker has been without it for 10 minutes. Its lag,
// checkpoint age and records in flight end at once, because they belong to another worker
// then.
func New(w *worker.Worker) prometheus.Collector {
	c := newCollector(w.Status)
	w.Observe(c.observer())
	return c
}

// A collector makes metrics of snapshots of a worker, and has histograms that an
// observer fills.
type collector struct {
	status           func() worker.Status
	batches, records *prometheus.HistogramVec // by shard

	mu     sync.RWMutex
	shards map[shardID]histograms // of batches and records
}

// A shardID is the stream of a shard, as in [worker.ShardStatus], and its ID.
type shardID struct{ stream, shard string }

// histograms are those of a shard.
type histograms struct{ batches, records prometheus.Observer }

func newCollector(status func() worker.Status) *collector {
	labels := []string{streamLabel, shardLabel}
	return &collector{
		status: status, shards: make(map[shardID]histograms),
		batches: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    metricPrefix + "shard_batch_duration_seconds",
			Help:    "Time from the delivery of a batch until all of its records were finished.",
			Buckets: []float64{.001, .005, .025, .1, .5, 2.5, 10, 60, 300},
		}, labels),
		records: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    metricPrefix + "shard_record_duration_seconds",
			Help:    "Duration of a handler's last attempt at a record; for a batch handler, of the call with the record. Only for processors of package handle.",
			Buckets: []float64{.0001, .001, .005, .025, .1, .5, 2.5, 10, 60},
		}, labels),
	}
}

func (c *collector) observer() handle.Observer {
	return handle.Observer{
		BatchFinished:  func(e handle.BatchFinished) { c.histograms(e.Shard).batches.Observe(e.Duration.Seconds()) },
		RecordFinished: func(e handle.RecordFinished) { c.histograms(e.Shard).records.Observe(e.Duration.Seconds()) },
	}
}

// histograms returns the histograms of a shard. It is called for each record.
func (c *collector) histograms(of handle.Shard) histograms {
	stream, shard := processor.SplitLeaseKey(of.Key)
	id := shardID{cmp.Or(stream, of.Stream), shard}
	c.mu.RLock()
	h, ok := c.shards[id]
	c.mu.RUnlock()
	if !ok {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.dropLeft(c.status()) // perhaps nobody collects
		h = c.add(id)
	}
	return h
}

// add returns the histograms of a shard, and makes them if there are none. The caller
// holds mu.
func (c *collector) add(id shardID) histograms {
	h, ok := c.shards[id]
	if !ok {
		h = histograms{c.batches.WithLabelValues(id.stream, id.shard), c.records.WithLabelValues(id.stream, id.shard)}
		c.shards[id] = h
	}
	return h
}

// dropLeft drops the histograms of the shards that s does not list. The caller holds mu,
// and took s while it held mu: a shard is listed before anything happens to it.
func (c *collector) dropLeft(s worker.Status) {
	listed := make(map[shardID]bool)
	for _, shard := range s.Shards {
		listed[shardID{shard.Stream, shard.ShardID}] = true
	}
	for id := range c.shards {
		if !listed[id] {
			delete(c.shards, id)
			c.batches.DeleteLabelValues(id.stream, id.shard)
			c.records.DeleteLabelValues(id.stream, id.shard)
		}
	}
}

func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range descs {
		out <- d
	}
	c.batches.Describe(out)
	c.records.Describe(out)
}

func (c *collector) Collect(out chan<- prometheus.Metric) {
	c.mu.Lock()
	s := c.status()
	c.dropLeft(s)
	for _, shard := range s.Shards {
		c.add(shardID{shard.Stream, shard.ShardID}) // before its first batch has finished
	}
	c.mu.Unlock()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	counter := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, labels...)
	}
	gauge(infoDesc, 1, s.Application, strings.Join(s.Streams, ","), s.Region, s.WorkerID)
	if !s.Started.IsZero() {
		gauge(startDesc, float64(s.Started.UnixMilli())/1000)
	}
	gauge(upDesc, number(s.Daemon.PID != 0))
	gauge(readyDesc, number(s.Daemon.State == worker.DaemonReady))
	counter(restartsDesc, float64(s.Daemon.Restarts))
	if s.MaxMillisBehindLatest != processor.UnknownLag {
		gauge(maxLagDesc, float64(s.MaxMillisBehindLatest))
		gauge(sumLagDesc, float64(s.SumMillisBehindLatest))
	}
	counter(busyDesc, s.BusySeconds)
	for _, shard := range s.Shards {
		stream, id := shard.Stream, shard.ShardID
		if shard.Left.IsZero() {
			if shard.MillisBehindLatest != processor.UnknownLag {
				gauge(lagDesc, float64(shard.MillisBehindLatest), stream, id)
			}
			if !shard.CheckpointTime.IsZero() {
				gauge(checkpointAgeDesc, s.Now.Sub(shard.CheckpointTime).Seconds(), stream, id)
			}
			gauge(inFlightDesc, float64(shard.InFlight), stream, id)
		}
		counter(recordsDesc, float64(shard.Records), stream, id)
		counter(bytesDesc, float64(shard.Bytes), stream, id)
		counter(retriesDesc, float64(shard.Retries), stream, id)
		counter(deadLettersDesc, float64(shard.DeadLetters), stream, id)
		counter(failuresDesc, float64(shard.Failures), stream, id)
		gauge(failsRepeatedlyDesc, number(shard.FailsRepeatedly), stream, id)
		counter(takenDesc, float64(shard.LeasesTaken), stream, id)
		counter(lostDesc, float64(shard.LeasesLost), stream, id)
		for operation, n := range shard.Errors {
			counter(errorsDesc, float64(n), stream, id, operation)
		}
		for _, state := range shardStates {
			gauge(stateDesc, number(state == shard.State), stream, id, string(state))
		}
	}
	c.batches.Collect(out)
	c.records.Collect(out)
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(metricPrefix+name, help, labels, nil)
}

var (
	infoDesc = desc("worker_info",
		"Always 1. The labels name the application, its streams, separated by commas, the region and the worker.",
		"application", "streams", "region", "worker")
	startDesc = desc("worker_start_time_seconds",
		"When Run began, in seconds since 1970.")
	upDesc = desc("daemon_up",
		"1 while the Java process runs.")
	readyDesc = desc("daemon_ready",
		"1 while KCL is initialized and takes leases.")
	restartsDesc = desc("daemon_restarts_total",
		"How often Java has been started again.")

	maxLagDesc = desc("worker_max_millis_behind_latest",
		"The greatest lag of this worker's shards, in milliseconds. The lag of a shard that is not being read grows. Absent while KCL takes no leases and the worker has no shards.")
	sumLagDesc = desc("worker_sum_millis_behind_latest",
		"The sum of the lags of this worker's shards, in milliseconds. Absent when the greatest lag is.")
	busyDesc = desc("worker_busy_seconds_total",
		"Time spent processing batches, each from its delivery until all of it was finished, summed over the shards.")

	lagDesc = desc("shard_millis_behind_latest",
		"How far the last batch was behind the tip of the shard, in milliseconds, as reported by Kinesis. Absent while it is not known.",
		streamLabel, shardLabel)
	recordsDesc = desc("shard_records_total",
		"Records delivered.",
		streamLabel, shardLabel)
	bytesDesc = desc("shard_bytes_total",
		"Bytes of data in the records delivered.",
		streamLabel, shardLabel)
	inFlightDesc = desc("shard_in_flight_records",
		"Records delivered and not finished.",
		streamLabel, shardLabel)
	checkpointAgeDesc = desc("shard_checkpoint_age_seconds",
		"Time since the last checkpoint. Absent before the first one.",
		streamLabel, shardLabel)
	retriesDesc = desc("shard_retries_total",
		"Failed attempts after which a record was to be tried again. Only for processors of package handle.",
		streamLabel, shardLabel)
	deadLettersDesc = desc("shard_dead_letters_total",
		"Records that the dead-letter sink took. Only for processors of package handle.",
		streamLabel, shardLabel)
	failuresDesc = desc("shard_failures_total",
		"Processors that failed.",
		streamLabel, shardLabel)
	failsRepeatedlyDesc = desc("shard_fails_repeatedly",
		"1 for a shard with 3 or more failed processors within the last hour.",
		streamLabel, shardLabel)
	takenDesc = desc("shard_leases_taken_total",
		"How often this worker got the shard's lease.",
		streamLabel, shardLabel)
	lostDesc = desc("shard_leases_lost_total",
		"How often another worker took the shard's lease, or it expired; not at a stop.",
		streamLabel, shardLabel)
	errorsDesc = desc("shard_errors_total",
		"Failures of KCL to read the shard, by operation. Reported once in 5 s at most.",
		streamLabel, shardLabel, "operation")
	stateDesc = desc("shard_state",
		"1 for the state of the shard, 0 for the other states.",
		streamLabel, shardLabel, "state")

	descs = []*prometheus.Desc{
		infoDesc, startDesc, upDesc, readyDesc, restartsDesc, maxLagDesc, sumLagDesc, busyDesc,
		lagDesc, recordsDesc, bytesDesc, inFlightDesc, checkpointAgeDesc,
		retriesDesc, deadLettersDesc, failuresDesc, failsRepeatedlyDesc, takenDesc, lostDesc, errorsDesc, stateDesc,
	}

	shardStates = []worker.ShardState{
		worker.ShardStarting, worker.ShardBlocked, worker.ShardWaiting, worker.ShardIdle, worker.ShardProcessing, worker.ShardStopping,
		worker.ShardFailed, worker.ShardRestarting, worker.ShardHung, worker.ShardLost, worker.ShardEnded,
	}
)
