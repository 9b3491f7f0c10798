// Package worker serves all shards of a host in one process, under Amazon's real
// KCL.
//
// KCL, the Kinesis Client Library, is written in Java. [Run] fetches and verifies
// its jars, checks the configuration, starts Java, and serves every shard that it
// takes by a [processor.RecordProcessor] of its own. It starts Java again when
// that ends, and stops it gracefully when ctx ends. Connection pools, caches,
// metrics and the page are shared by all shards.
//
//	func main() {
//		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
//		defer stop()
//		config := worker.Config{Stream: "orders", Application: "billing", Region: "us-east-1"}
//		err := worker.Run(ctx, config, func(worker.ShardInfo) (processor.RecordProcessor, error) {
//			return handle.Record(bill), nil
//		})
//		...
//	}
//
// Java must be installed, 17 or later.
//
// # Guarantees
//
// Those of package processor hold for each shard. Besides:
//
//   - Every shard is served in this process, by goroutines of its own, and Java
//     has no child process (TestWorkerServesAllShards in tools/e2e).
//   - When ctx ends every shard is told, checkpoints, and gives its lease back
//     (TestRunServesAndStops, TestWorkerServesAllShards). A stop that KCL does not
//     complete is Run's error (TestStopIsNotComplete).
//   - A worker that is killed leaves no Java (TestWorkerIsKilled in tools/e2e).
//   - A processor that fails or panics, or that cannot be made, is replaced by a
//     new one at its shard's last checkpoint; other shards hear nothing of it
//     (TestFailureRestartsTheShardAlone). So is one that exceeds
//     Config.MessageTimeout; its late checkpoints are refused
//     (TestMessageTimeout). What fails in the last stop is not started again
//     (TestFailureInTheLastStop).
//   - No batch reaches a processor that has failed, and it never answers for the
//     end of its shard (TestNoBatchReachesAFailedProcessor).
//   - A shard that fails again and again waits ever longer, up to a minute
//     (TestBackoff), and is reported, or given up where Config.EvictFailing says
//     so (TestShardThatFailsAgainAndAgain).
//   - Two processors of one shard are never at work in one process, whatever ends
//     the first: the next is made when it has returned
//     (TestNeverTwoProcessorsOfAShard). While one does not return its shard is not
//     read, which is reported, and the others go on; it ends no Run but the one
//     that is stopped (TestHungProcessor).
//   - A Java that ends or is silent is started again, under the same worker ID, by
//     Config.Restart (TestNeverTwoProcessorsOfAShard, TestWorkersDaemonIsKilled in
//     tools/e2e). One in which KCL has never been ready is not: what is wrong with
//     its start is Run's error (TestFirstStartFails).
//   - Shards of several streams that have one ID are kept apart, in whatever is told
//     of them too (TestStreamsDoNotMix, TestBoardOfSeveralStreams). What is said of
//     the streams here puts out of force what a properties file says
//     (TestPropertiesOfStreams).
//   - What keeps KCL from reading a shard is shown, with what to do
//     (TestProblemsAreShown).
//   - No processor is told of the end of a shard that is open, and what is not read
//     of a stream that was made anew is shown (TestConsumerDeleted and
//     TestStreamMadeAnew in tools/e2e).
//   - The shards of a worker that died are read again within 20 s by the leader
//     (TestFailover in tools/e2e).
//   - The lag of a shard that is not read grows, whatever keeps it from being read
//     (TestLagOfAWorker); the queries and the KEDA configuration of METRICS.md do what
//     it says (TestScaling in tools/e2e).
//   - Neither log, metrics nor page have a record's data. At a loopback address
//     Config.HTTP answers no web page of a foreign name (TestForeignHosts), and
//     whatever shards and errors are called, page and metrics stay whole (FuzzHandler).
//
// # How it works
//
// Package bootstrap/engine runs Java with a small entry of this project into
// Amazon's unchanged jars. Java connects to a Unix socket in a folder that only
// this user may enter: once for each shard that it reads, and once for all that
// concerns none. A shard's connection has the messages of the MultiLangDaemon,
// which processor.Run serves.
//
// When a processor has failed, KCL is told so first: from then on it makes no
// checkpoint for it, ends the conversation, and keeps the lease but reads nothing.
// When nothing of the processor runs any more, and the shard has waited for its
// turn, KCL is told to read it again from its checkpoint.
//
// It is the same on all systems, Windows included. A stop is asked for over the
// connection, so it needs no signal.
//
// # Concurrency
//
// Processors of different shards are called concurrently, and so is the function
// that makes them. What the daemon and package processor promise of one shard
// holds: its methods are called one at a time.
package worker
