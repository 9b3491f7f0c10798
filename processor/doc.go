// Package processor runs a Kinesis record processor written in Go under Amazon's
// Kinesis Client Library (KCL):
//
//	func main() {
//		processor.Main(processor.Funcs{
//			ProcessRecords: func(ctx context.Context, in processor.ProcessRecordsInput) error {
//				for _, r := range in.Records {
//					fmt.Fprintf(os.Stderr, "%s: %s\n", r.PartitionKey, r.Data)
//				}
//				return in.Checkpointer.Checkpoint(ctx)
//			},
//		}.Processor())
//	}
//
// Name the program as executableName in a properties file, and run kcl-bootstrap -e -p
// FILE from the module bootstrap. That starts KCL in Java, which takes care of leases,
// load balancing, failover and resharding, and one process of the program for each
// shard whose lease this machine holds.
//
// "The daemon" is the Java side of the conversation with a processor. Under
// kcl-bootstrap -e and package worker it is KCL with this project's main class. With the
// option --stock or Java 8 to 16 it is Amazon's MultiLangDaemon, the part of KCL that
// serves other languages than Java.
//
// [Funcs] turns one to five functions into a [RecordProcessor]. Package handle turns a
// function for a single record into one: it retries, writes records that keep failing
// to a file of dead letters, and handles records in parallel but each partition key in
// order. A type of your own can implement the interface too. Package processortest
// plays the daemon in the tests of a processor.
//
// [Main] serves one shard on standard input and output. [Run] serves one shard over any
// reader and writer, for a host: a program that calls Run itself. The module
// processor/worker is such a host: it runs KCL and serves all shards in one process.
//
// # Guarantees
//
//   - If a method fails or panics, its action is not answered, so the daemon does not go
//     past records that were not processed.
//   - If a method returns ErrLeaseLost, its action is answered, so the loss of a lease
//     does not end the daemon.
//   - What was left undone when the lease was lost is never checkpointed.
//   - A checkpoint never covers more than was delivered when it was asked for.
//   - A shard does not end without its checkpoint.
//   - Throttled checkpoints are retried.
//   - The end of the input cancels the lease's context within milliseconds, also while
//     a method runs.
//   - Work that outlives its batch has a context that ends with the lease.
//   - Work that outlives its batch can end Run.
//   - A child ends within 5 seconds of its daemon, whatever its processor does.
//   - What the program or its child processes print cannot disturb the protocol.
//   - SIGTERM, SIGINT and SIGHUP do not end a child before its checkpoint.
//   - A child can still checkpoint when nobody reads its standard error any more.
//   - On Linux the pipe from the daemon holds 1 MiB where the kernel allows it, for
//     speed.
//   - Shards of several streams that have the same ID are told apart.
//   - LeaseFile never returns a path that leads out of the folder it is joined to.
//   - Records appear in no error and no log, with one exception: Main prints the value
//     of a panic, as Go does.
//
// # Concurrency
//
// The methods of a RecordProcessor are called one at a time, but not always by the same
// goroutine. [Lease] and [Checkpointer] may be used from any goroutine.
package processor
