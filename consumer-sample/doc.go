// Command consumer-sample is the sample record processor of kinesis-client-go:
// it appends the records of each shard to a file of its own, one line of JSON
// each, and checkpoints what is synced to disk.
//
// "consumer-sample run" is a program that people start: it runs KCL and serves all
// shards (run.go, by processor/worker). Without run kcl-bootstrap starts it, once for
// each shard (child.go); see sample.properties. What it does with the records is the
// same (consumer.go).
//
// # Guarantees
//
//   - A record is on disk before the checkpoint that covers it
//     (TestCheckpointFollowsDisk).
//   - A file holds each record once, in the shard's order, also when the daemon
//     delivers it again after a crash (TestRestartAfterCrash, FuzzCrash).
//   - So has a shard of each of several streams, whose IDs repeat
//     (TestFilesOfStreams).
//   - A line that a crash left incomplete is cut off at the next start
//     (TestTornLineIsCut); nothing else is ever removed, a file that ends in
//     something else is an error (TestForeignFileIsLeftAlone).
//   - On Unix two processors cannot write to one file (TestOneWriter), and a
//     lease that ends without a word frees it (TestFileIsFreedWithItsLease).
//   - A throttled checkpoint is made up for, on an idle shard too
//     (TestThrottledCheckpointIsMadeUpFor).
//   - As a child it prints nothing: what it does stands in application.log
//     (TestLifeCycle).
//   - A second signal ends run at once, and with it all that it has started
//     (TestSampleRunSecondSignal of tools/e2e).
package main
