// Package processor runs a Kinesis record processor written in Go under
// Amazon's MultiLangDaemon, the engine of the Kinesis Client Library (KCL).
//
// Implement [RecordProcessor], hand it to [Main], name the program as
// executableName in the daemon's properties file. The daemon starts one process
// of it for each shard whose lease this worker holds, and sees to leases, load
// balancing, failover and resharding.
//
// Package handle, below this one, makes a RecordProcessor of a function for one
// record: with retries, dead letters and order per key in parallel.
//
// [Main] is for such a program; [Run] serves one shard over any reader and writer,
// for hosts of another kind. The module processor/worker is one: it runs KCL without
// the daemon, and serves all shards in one process. What is said here of the daemon
// holds of KCL there. Package processortest plays the daemon to a processor's tests.
//
// # Guarantees
//
//   - Nothing is passed over: a method that fails or panics is not answered, so
//     that the daemon does not go on (TestFailedMethodIsNotAnswered,
//     TestMainFails).
//   - The loss of a lease does not take the daemon down: a method that returns
//     [ErrShutdown] is answered (TestErrShutdownKeepsTheDaemonUp); and what it
//     left undone is never checkpointed (TestShardEndAfterErrShutdownFails).
//   - A checkpoint never covers more than was delivered when it was asked for
//     (TestCheckpointBetweenActions).
//   - A shard does not end without its checkpoint
//     (TestShardEndedNeedsItsCheckpoint).
//   - Throttled checkpoints are retried (TestThrottlingIsRetried).
//   - Work that outlives its batch has a context that ends with the lease
//     (TestLeaseContextOutlivesABatch), and can end Run ([Lease.Fail],
//     TestFail).
//   - A child is gone within 5 seconds of its daemon, whatever its processor
//     does (TestMainDoesNotOutliveItsDaemon).
//   - Whatever the program or its children print cannot disturb the protocol
//     (TestMainKeepsStdoutForTheProtocol).
//   - A signal does not end a child before its checkpoint
//     (TestMainCatchesSignals), nor does a daemon that dies first
//     (TestMainSurvivesDeadStderr).
//   - On Linux the pipe from the daemon holds 1 MiB where the kernel allows it,
//     for speed (TestMainWidensItsPipe).
//   - Shards of several streams that have one ID are kept apart, and no lease's key
//     becomes the name of a file outside of its folder (TestLeaseOfAStream,
//     TestMainLease, TestLeaseKeys, FuzzLeaseFile).
//   - Records appear in no error and no log (TestRecordsAreNotLogged). The one
//     exception is [Main], which prints the value of a panic as Go does.
//
// # Concurrency
//
// The methods of a RecordProcessor are called one at a time. [Lease] and
// [Checkpointer] may be used from any goroutine.
package processor
