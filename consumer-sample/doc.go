// Command consumer-sample is the sample consumer of kinesis-client-go. It appends
// the records of each shard to a file, one line of JSON per record, and checkpoints
// them once they are synced to disk.
//
//	consumer-sample run
//
// starts KCL and processes all shards in one process (run.go, with package worker).
// Without run it is a record processor that kcl-bootstrap starts once for each shard
// (child.go). Both use the same record processor: read consumer.go first.
//
// # Guarantees
//
//   - A record is on disk before the checkpoint that covers it.
//   - A file holds each record once, in the order of the shard, even if the daemon
//     delivers records again after a crash.
//   - Each shard has its own file, even if several streams have shards with the same ID.
//   - A line that a crash left incomplete is removed at the next start.
//   - Nothing else is ever removed. A file that ends in anything else is an error.
//   - On Unix, two processors cannot write to one file.
//   - A file is closed and unlocked when its lease ends, even if the daemon dies and
//     calls no method.
//   - If a checkpoint is throttled, the next batch checkpoints, even if it is empty.
//   - A child process that does not fail prints nothing to standard error. It logs to
//     application.log.
//   - A second signal ends consumer-sample run and all that it started at once.
package main
