// Command consumer-sample is the sample record processor of kinesis-client-go:
// it appends the records of each shard to a file of its own, one line of JSON
// each, and checkpoints what is synced to disk.
//
// The MultiLangDaemon starts it, once for each shard; see sample.properties.
//
// # Guarantees
//
//   - A record is on disk before the checkpoint that covers it
//     (TestCheckpointFollowsDisk).
//   - A file holds each record once, in the shard's order, also when the daemon
//     delivers it again after a crash (TestRestartAfterCrash, FuzzCrash).
//   - A line that a crash left incomplete is cut off at the next start
//     (TestTornLineIsCut); nothing else is ever removed, a file that ends in
//     something else is an error (TestForeignFileIsLeftAlone).
//   - On Unix two processes cannot write to one file (TestOneWriter).
//   - A throttled checkpoint is made up for, on an idle shard too
//     (TestThrottledCheckpointIsMadeUpFor).
//   - It prints nothing: what it does stands in application.log (TestLifeCycle).
package main
