// Package worker runs Amazon's KCL, and serves all shards of a host in one process.
//
//	func main() {
//		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
//		defer stop()
//		config := worker.Config{Stream: "orders", Application: "billing", Region: "us-east-1"}
//		err := worker.Run(ctx, config, func(worker.ShardInfo) (processor.RecordProcessor, error) {
//			return handle.Record(bill, nil), nil
//		})
//		...
//	}
//
// KCL, the Kinesis Client Library, is written in Java. [Run] fetches and verifies its
// jars, checks the configuration, starts Java, and gives each shard that KCL takes a
// [processor.RecordProcessor] of its own. It starts Java again if it ends by itself, and
// stops it gracefully when ctx ends. All shards share the process, and so its connection
// pools, caches and metrics.
//
// If no Java 17 or later is installed, Java 25 is fetched. Java with KCL is called the
// daemon in log, status and metrics. Package monitor serves a status page, metrics and
// health checks; package metrics is for a Prometheus registry of your own.
//
// # Guarantees
//
// The guarantees of package processor hold for each shard, and:
//
//   - Each shard is served in this process, by its own goroutines, and Java has no child
//     processes.
//   - When ctx ends, each shard is told, makes its checkpoint and gives its lease back.
//   - A stop that KCL does not complete is an error of Run.
//   - If the worker is killed, its Java process ends too.
//   - A processor that fails or panics, or that cannot be made, is replaced by a new one
//     at its shard's last checkpoint; other shards are not affected.
//   - A processor that exceeds MessageTimeout is replaced as well, and its late
//     checkpoints are refused.
//   - A processor that fails during the last stop is not replaced.
//   - No batch reaches a processor that has failed, and it never confirms the end of its
//     shard.
//   - A shard that fails repeatedly is tried again at growing intervals, up to a minute.
//   - A shard that fails repeatedly is reported, or given up if EvictFailing is set.
//   - Two processors of a shard never run at the same time in one process: the next one
//     is made after the previous one has returned, whatever ended it.
//   - While a processor does not return, its shard is not read and is reported as hung;
//     other shards continue. When ctx ends, Run returns ErrHung.
//   - If Java ends or is silent, it is started again with the same worker ID, as
//     Java.Restart allows.
//   - If Java ends before KCL was ever ready, it is not started again, and Run returns
//     the reason.
//   - Shards of several streams that have the same ID are kept apart, also in logs,
//     metrics and status.
//   - The streams of Config override those of a properties file.
//   - What keeps KCL from reading a shard is shown, with advice.
//   - No processor is told of the end of a shard that is still open.
//   - If a stream was deleted and created again, the shards that cannot be read are
//     shown.
//   - The shards of a worker that died are read again within 20 s, unless it was the
//     leader, the worker that assigns the leases.
//   - The lag of a shard that is not read grows, whatever keeps it from being read.
//   - The queries and the autoscaling configuration (KEDA) in METRICS.md do what their
//     comments say.
//   - Log, status, metrics and page contain no record's data, except what your code puts
//     into its errors.
//
// # How it works
//
// Package bootstrap/engine runs Java with a small entry class of this project, which
// uses Amazon's unchanged jars. Java connects to a Unix socket in a folder that only this
// user may enter: once for each shard that it reads, and once for everything else. The
// connection of a shard carries the messages of the MultiLangDaemon, which processor.Run
// serves.
//
// If a processor fails, KCL is told first: it then makes no checkpoint for the processor,
// ends the conversation, keeps the lease and reads nothing. After the processor has
// returned and the shard has waited for its backoff, KCL is told to read the shard again
// from its checkpoint.
//
// This works the same on all systems, Windows included. A stop is requested over the
// connection and needs no signal.
//
// # Concurrency
//
// Processors of different shards are called concurrently, and so is the function that
// makes them. For one shard the promises of package processor hold: its methods are
// called one at a time.
package worker
