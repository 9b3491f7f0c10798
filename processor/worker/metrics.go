package worker

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/seed96110120/kinesis-client-go/processor"
)

const (
	metricPrefix = "kcl_"
	streamLabel  = "stream"
	shardLabel   = "shard"
)

// Collector returns what the worker counts, for a Prometheus registry of your
// own; /metrics of [Worker.Handler] has it in one that is its own. METRICS.md
// lists the metrics. A shard's series end when the worker has been without it
// for 10 minutes; its lag, checkpoint age and records in flight at once, for
// they are another worker's then. It may be called before Run, and its result
// be registered in any number of registries.
func (w *Worker) Collector() prometheus.Collector { return collector{w.board} }

// registry is that of /metrics.
func (b *board) registry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collector{b},
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return r
}

func newBatchDurations() *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    metricPrefix + "shard_batch_duration_seconds",
		Help:    "Time from the delivery of a batch until every record of it was finished.",
		Buckets: []float64{.001, .005, .025, .1, .5, 2.5, 10, 60, 300},
	}, []string{streamLabel, shardLabel})
}

func newRecordDurations() *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    metricPrefix + "shard_record_duration_seconds",
		Help:    "Time of a handler's last attempt at a record; for a batch handler, of the call that it was part of. Processors of package handle alone.",
		Buckets: []float64{.0001, .001, .005, .025, .1, .5, 2.5, 10, 60},
	}, []string{streamLabel, shardLabel})
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(metricPrefix+name, help, labels, nil)
}

var (
	infoDesc = desc("worker_info",
		"Always 1; the labels say which worker of which application reads what; several streams are parted by commas.",
		"application", "streams", "region", "worker")
	startDesc = desc("worker_start_time_seconds",
		"When Run began, in seconds since 1970.")
	upDesc = desc("daemon_up",
		"1 while the daemon's Java process runs.")
	readyDesc = desc("daemon_ready",
		"1 while the daemon is initialised and takes leases.")
	restartsDesc = desc("daemon_restarts_total",
		"Times that the daemon was started again.")

	maxLagDesc = desc("worker_max_millis_behind_latest",
		"The greatest lag of this worker's shards, in milliseconds; of one that is not read it grows; absent while KCL takes no leases and there are none.")
	sumLagDesc = desc("worker_sum_millis_behind_latest",
		"The sum of the lags of this worker's shards, in milliseconds; absent as the greatest is.")
	busyDesc = desc("worker_busy_seconds_total",
		"Time in which a batch was in work, from its delivery until all of it was finished, summed over the shards.")

	lagDesc = desc("shard_millis_behind_latest",
		"How far the last batch was behind the tip of the shard, in milliseconds, as Kinesis says it; absent while it is not known.",
		streamLabel, shardLabel)
	recordsDesc = desc("shard_records_total",
		"Records delivered by the daemon.",
		streamLabel, shardLabel)
	bytesDesc = desc("shard_bytes_total",
		"Bytes of the data of the records delivered by the daemon.",
		streamLabel, shardLabel)
	inFlightDesc = desc("shard_in_flight_records",
		"Records delivered and not finished.",
		streamLabel, shardLabel)
	checkpointAgeDesc = desc("shard_checkpoint_age_seconds",
		"Time since the last checkpoint; absent before the first.",
		streamLabel, shardLabel)
	retriesDesc = desc("shard_retries_total",
		"Records that failed and were to be tried again, each time anew. Processors of package handle alone.",
		streamLabel, shardLabel)
	deadLettersDesc = desc("shard_dead_letters_total",
		"Records that the dead-letter sink took. Processors of package handle alone.",
		streamLabel, shardLabel)
	failuresDesc = desc("shard_failures_total",
		"Processors that failed.",
		streamLabel, shardLabel)
	failsRepeatedlyDesc = desc("shard_fails_repeatedly",
		"1 for a shard whose processors failed 3 times or more within the last hour.",
		streamLabel, shardLabel)
	takenDesc = desc("shard_leases_taken_total",
		"Times that this worker got the shard's lease.",
		streamLabel, shardLabel)
	lostDesc = desc("shard_leases_lost_total",
		"Times that this worker lost the shard's lease to another, or let it run out; not at a stop.",
		streamLabel, shardLabel)
	errorsDesc = desc("shard_errors_total",
		"What KCL could not do for the shard, by its operation; told once in 5 s at most.",
		streamLabel, shardLabel, "operation")
	stateDesc = desc("shard_state",
		"1 for the state that the shard is in, 0 for the others.",
		streamLabel, shardLabel, "state")

	descs = []*prometheus.Desc{
		infoDesc, startDesc, upDesc, readyDesc, restartsDesc, maxLagDesc, sumLagDesc, busyDesc,
		lagDesc, recordsDesc, bytesDesc, inFlightDesc, checkpointAgeDesc,
		retriesDesc, deadLettersDesc, failuresDesc, failsRepeatedlyDesc, takenDesc, lostDesc, errorsDesc, stateDesc,
	}
)

// A collector makes metrics of a board's status whenever it is asked.
type collector struct{ board *board }

func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range descs {
		out <- d
	}
	c.board.batches.Describe(out)
	c.board.records.Describe(out)
}

func (c collector) Collect(out chan<- prometheus.Metric) {
	s := c.board.status()
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
	gauge(readyDesc, number(s.Daemon.State == DaemonReady))
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
	c.board.batches.Collect(out)
	c.board.records.Collect(out)
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
