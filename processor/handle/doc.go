// Package handle turns a function into a dependable record processor, with
// retries, dead letters, order per key in parallel, and checkpoints that never
// pass an unfinished record.
//
//	func main() {
//		processor.Main(handle.Record(func(ctx context.Context, r processor.Record) error {
//			return store(ctx, r.PartitionKey, r.Data)
//		}, nil))
//	}
//
// [Record] takes a function for one record, [Batch] a function for several.
// By default a shard's records are handled in order, one at a time; a record that
// fails is tried again until it succeeds, and the records behind it wait. A nil
// [Options] means these defaults. A service in production sets more options:
//
//	handle.Record(store, &handle.Options{
//		Logger:        log,
//		Concurrency:   16, // keys in parallel
//		RecordTimeout: 10 * time.Second,
//		MaxAttempts:   8, // then it is a dead letter
//		DeadLetters:   handle.NewFiles("dead"),
//		HangTimeout:   time.Minute,
//		HangAction:    handle.EndProcessor,
//	})
//
// The daemon is KCL's Java process, which delivers the records of a shard in
// batches and stores its checkpoints. A call is one call of the handler; for Batch
// it has several records, of one or more batches. A record is past its limits when
// it fails at MaxAttempts, MaxRetryTime or MaxRecordAge, or with a [Permanent]
// error. It is finished when its handler has succeeded or the dead-letter sink has
// taken it. The watermark is the greatest position up to which every record is
// finished.
//
// # Guarantees
//
//   - A checkpoint is the watermark: it never passes an unfinished record.
//   - Positions are compared as numbers.
//   - Every checkpoint names its position, except the one at the end of the
//     shard.
//   - Every record is finished at least once, despite crashes, stops, lost
//     leases and checkpoint errors.
//   - Records of one partition key are handled in order, one at a time.
//     With a concurrency of 1 this holds for all records of the shard.
//   - With a concurrency of more than 1, a key with many records, or with a
//     record in retry, does not hold up other keys.
//   - A record is not tried again before its last attempt has returned.
//   - No record is skipped silently: one that is given up is in the dead-letter
//     sink before any checkpoint passes it.
//   - By default a record past its limits is tried again, and no checkpoint
//     passes it.
//   - With Options.EndOnFailure a record past its limits ends the
//     processor.
//   - A panic fails its record and nothing else.
//   - When a call of a Batch handler fails, its records are halved, down to
//     the bad record.
//   - If a Batch handler names the records that failed, no other is
//     repeated.
//   - A Failures that names no record counts as success.
//   - By default the daemon gets its answer to a batch when the batch is
//     finished and its checkpoint was tried.
//   - With Options.MaxInFlightRecords the daemon gets its answer as soon as there
//     is room: the records held stay below the limit plus one batch.
//   - After SIGTERM or shutdownRequested no attempt begins. Within
//     Options.StopGrace the watermark is checkpointed and the daemon gets its
//     answer.
//   - A shard does not end before all its records are finished.
//   - When the lease is lost, the handlers' contexts are cancelled, no
//     checkpoint is made, and no record counts as failed.
//   - A call that hangs for Options.HangTimeout is reported with the stacks of
//     all goroutines.
//   - A dead letter in Files is on disk before Put returns.
//   - A line of Files that a crash has cut short spoils no other line.
//   - Shards of several streams that have the same ID are kept apart: in IDs,
//     dead letters and their files, observers and logs.
//   - No shard or stream gets a file outside of the folder of Files.
//   - With the default options the package allocates at most once per
//     record.
//   - When Processor.Done is closed, nothing of the Processor runs.
//
// # How it works
//
// One goroutine per lease, the loop, has all the state: the batches in flight, a
// queue for each key, the records in retry, the stop. The processor's methods,
// the goroutines that call the handler and a checkpoint in progress send to it;
// they share nothing else with it except a counter of finished records and the
// flag of a stop.
//
// The records of a batch go into queues: one for each partition key, or a single
// one with a concurrency of 1. Queues with records take turns. A failure suspends
// its queue until the retry.
//
// # Exactly once
//
// Records arrive again after a crash, and so may dead letters: the promise is at
// least once. [ID] returns the same ID for a record at every delivery. A handler
// that writes to a database has its effect exactly once if it writes the ID in the
// same transaction under a unique key, and skips a record whose ID is there:
//
//	INSERT INTO events (id, ...) VALUES ($1, ...) ON CONFLICT (id) DO NOTHING
//
// With a concurrency of 1 it is enough to store, per shard, the position of the
// last record in the same transaction as the effect, and to skip records that are
// not after it by [processor.Position.Compare].
//
// # Concurrency
//
// With an Options.Concurrency of more than 1, handlers and sinks are called
// concurrently. Observers always are. The methods of a Processor are for
// [processor.Run] to call, except Done, which may be called from any goroutine.
package handle
