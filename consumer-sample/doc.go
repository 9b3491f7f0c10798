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
//   - Every record is written at least once; after a crash those behind the
//     last checkpoint are written again (TestRestartAfterCrash).
//   - A line that a crash left incomplete is cut off at the next start
//     (TestTornLineIsCut).
//   - It prints nothing: what it does stands in application.log (TestLifeCycle).
package main
