// Package worker serves all shards of a host in one process, under Amazon's real
// KCL.
//
// The MultiLangDaemon, KCL's engine for other languages, starts a child process
// for each shard. With this package the child is a shim: it hands its standard
// input and output over to your process, which serves every shard by a
// [processor.RecordProcessor] of its own, and waits. So connection pools, caches,
// metrics and the page are shared, and there is no second tool: [Run] fetches and
// verifies the daemon's jars, checks the configuration, starts Java, starts it
// again when it ends, and stops it gracefully when ctx ends.
//
//	func main() {
//		worker.Shim() // first: the daemon starts this program once more for each shard
//		err := worker.Run(ctx, worker.Config{Stream: "orders", Application: "billing", Region: "us-east-1"},
//			func(shardID string) processor.RecordProcessor { return handle.Record(bill) })
//		...
//	}
//
// Java must be installed, 8 or later.
//
// # Guarantees
//
// Those of package processor hold for each shard. Besides:
//
//   - Every shard is served in this process, by goroutines of its own, and what
//     the shims pass on is the daemon's own pipe: no byte is copied where
//     descriptors can be passed (TestWorkerServesAllShards in tools/e2e,
//     TestBytesPass, TestShimKeepsNothingOpen).
//   - When ctx ends every shard is told, checkpoints, and gives its lease back
//     (TestRunServesAndStops, TestWorkerServesAllShards).
//   - A worker that is killed leaves no shim and no Java: both are gone within 5
//     seconds (TestWorkerIsKilled in tools/e2e, TestDaemonEndsWithItsWorker). On
//     systems other than Linux, a Java that holds no shard yet goes when it has
//     started its first shim.
//   - A daemon that is killed is started again, under the same worker ID, by
//     Config.Restart (TestWorkersDaemonIsKilled in tools/e2e).
//   - Two processors of one shard are never at work in one process, whatever ends
//     the first: the next is made when it has returned
//     (TestNeverTwoProcessorsOfAShard); one that does not ends Run
//     (TestHungProcessorEndsRun).
//   - A processor that fails or panics takes no other shard's work with it: the
//     others stop as at any stop, with their checkpoints, then the daemon is
//     started again; nothing of the failed shard is passed over
//     (TestWorkersProcessorFails in tools/e2e, TestFailingShardIsNamed).
//   - A daemon that has never been ready is not started again: what is wrong
//     with its start is Run's error (TestFirstStartFails).
//   - Only processes of this user that have a random token get through to the
//     worker (TestStrangersAreRefused, TestOtherUsersAreRefused,
//     TestFolderIsPrivate).
//   - A shim outlives the signals that reach the daemon's process group
//     (TestShimOutlivesSignals), ends with the status that it is given
//     (TestStatusPasses), and fails with its worker (TestShimFailsWithItsWorker).
//   - Spaces in the path of the program or of the folder for temporary files do
//     no harm (TestExecutableInAFolderWithSpaces, TestListenElsewhere).
//   - Neither log, metrics nor page have a record's data.
//
// # How it works
//
// Run listens at a Unix socket in a folder of its own, which only this user may
// enter, and puts a link to this program there: the daemon's executableName. The
// daemon starts it for each shard with a hidden argument; [Shim] then passes the
// descriptors 0 and 1 over the socket (where the system has no such thing, or by
// Config.Relay, the bytes) and blocks until it is told the status to end with. If
// the socket ends without one, the worker has died, and the shim ends the daemon.
//
// A shim is small: about 2 MB of memory for a program with this package in it,
// 1 MB for kcl-shim, which Config.Shim can name.
//
// # Concurrency
//
// Processors of different shards are called concurrently, and so is the function
// that makes them. What the daemon and package processor promise of one shard
// holds: its methods are called one at a time.
package worker
