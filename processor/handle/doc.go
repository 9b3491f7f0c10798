// Package handle makes a dependable record processor of a function: retries,
// dead letters, order per key in parallel, and checkpoints that never cover a
// record that is not finished.
//
//	func main() {
//		processor.Main(handle.Record(func(ctx context.Context, r processor.Record) error {
//			return store(ctx, r.PartitionKey, r.Data)
//		}))
//	}
//
// [Record] takes a function for one record, [Batch] one for several. Without an
// option a shard is handled in its order, one record at a time; a record that
// fails is tried again until it passes, and everything behind it waits.
//
// # Guarantees
//
//   - A checkpoint is the greatest position at and below which every record is
//     finished (handled, or taken by the dead-letter sink), compared as numbers
//     and sent as explicit numbers (TestProperties, TestWatermark,
//     TestWatermarkComparesNumbers).
//   - Every record is finished at least once, over crashes, stops, lost leases
//     and checkpoint errors (TestProperties).
//   - Records of one partition key are handled in order, one at a time; with one
//     worker all records of the shard are (TestOrderPerKey, TestProperties).
//   - A key with many records, or one in retry, does not keep other keys waiting
//     (TestSkewedKeysDoNotStarveOthers).
//   - A record is not tried again before its last attempt has returned
//     (TestTimeouts).
//   - No record is passed over silently: one that is given up is safe in the sink
//     before anything passes it (TestLimits, TestSinkFails), and without a sink
//     the shard waits for it (TestBlocksWithoutSink) or the child ends
//     (TestEndOnFailure).
//   - A panic fails its record and no more (TestPanicIsAFailure).
//   - A batch that fails is halved down to the bad record (TestBatchIsHalved);
//     where the handler names the bad records no other is repeated
//     (TestPartialFailure), and where it names none, none is
//     (TestFailuresName, TestNoFailureNamedAfterAFailure).
//   - A batch is answered when it is finished and checkpointed
//     (TestBatchIsFinishedBeforeItsStatus) or, with [WithMaxInFlight], as soon as
//     there is room: what is held never reaches the limit and one batch more
//     (TestMaxInFlightHoldsTheAction, TestFinishedBatchesAreLetGo,
//     TestProperties).
//   - After SIGTERM or shutdownRequested nothing is begun or tried again, and the
//     watermark is checkpointed and the daemon answered within [WithStopGrace]
//     (TestStopNotice, TestShutdownRequestedInFlight).
//   - A shard does not end before all of it is finished (TestShardEnd,
//     TestShardEndWhileStopping).
//   - A lost lease cancels the handlers, is never checkpointed again, and makes
//     no record a failed one (TestLeaseLost, TestLeaseLostIsNoFailure,
//     TestProperties).
//   - A handler that hangs is found, and shown with all goroutines
//     (TestWatchdog).
//   - A dead letter is on disk before Put returns, and a torn line spoils no
//     other (TestFiles).
//   - Shards of several streams that have one ID are kept apart (in [ID], dead
//     letters and their files, observer and log), and no shard or stream gets a file
//     outside of the folder (TestShardsOfSeveralStreams, TestFiles, TestFilesFail).
//   - With one worker the layer allocates at most once per record
//     (TestAllocations).
//   - When [Processor.Done] is closed nothing of it runs (TestMain looks for
//     goroutines that are left behind).
//
// # How it works
//
// One goroutine per lease, the owner, has all the state: the batches in flight,
// a queue for each key, what is in retry, the stop. The processor's methods, the
// workers and a checkpoint in work send to it and share nothing else with it but
// a counter that a worker advances.
//
// A delivered batch goes into lanes: one per partition key, or a single one with
// one worker. A lane that has records and no worker is ready; ready lanes are
// taken in turn. A failure puts its lane to sleep until the retry. The watermark
// passes a record when it and all before it are finished.
//
// # Exactly once
//
// Records come again after a crash, and so may dead letters: the promise is at
// least once. [ID] names a record the same at every delivery. A handler whose
// effect is a write to a database has it exactly once by writing the ID in the
// same transaction under a unique key, and passing over what is there:
//
//	INSERT INTO events (id, ...) VALUES ($1, ...) ON CONFLICT (id) DO NOTHING
//
// With one worker it is enough to keep, per shard, the position of the last
// record written, in the same transaction as the effect, and to pass over what
// [processor.Position.Compare] says is not after it.
//
// # Concurrency
//
// Record handlers and sinks are called concurrently with more than one worker,
// observers always. A Processor's methods are for [processor.Run], but Done,
// which may be called from any goroutine.
package handle
