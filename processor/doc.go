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
// FILE from the module bootstrap. That starts the MultiLangDaemon, the part of KCL that
// serves other languages than Java. The daemon starts one process of the program for
// each shard whose lease this host holds, and takes care of leases, load balancing,
// failover and resharding.
//
// [Funcs] makes a [RecordProcessor] of one to five functions. Package handle makes one
// of a function for one record, with retries, dead letters, and order per key in
// parallel. A type of your own can implement the interface too. Package processortest
// plays the daemon in the tests of a processor.
//
// [Main] serves one shard on standard input and output. [Run] serves one shard over any
// reader and writer, for programs that host processors themselves. The module
// processor/worker is such a host: it runs KCL without the daemon and serves all shards
// in one process. There, what this package says about the daemon is true of KCL.
//
// # Guarantees
//
//   - A method that fails or panics is not answered, so the daemon does not go past
//     records that were not processed.
//   - A method that returns ErrLeaseLost is answered, so the loss of a lease does not
//     end the daemon.
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
//   - A signal does not end a child before its checkpoint.
//   - A child can still checkpoint when nobody reads its standard error any more.
//   - On Linux the pipe from the daemon holds 1 MiB where the kernel allows it, for
//     speed.
//   - Shards of several streams that have the same ID are told apart.
//   - The key of a lease never becomes the name of a file outside its folder.
//   - Records appear in no error and no log, with one exception: Main prints the value
//     of a panic, as Go does.
//
// # Concurrency
//
// The methods of a RecordProcessor are called one at a time, but not always by the same
// goroutine. [Lease] and [Checkpointer] may be used from any goroutine.
package processor
