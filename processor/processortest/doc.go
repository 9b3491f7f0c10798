// Package processortest tests record processors: it plays the MultiLangDaemon
// in memory, over the protocol itself and the real [processor.Run].
//
// A [Shard] holds records and the checkpoint. [Shard.Start] starts a processor
// on it and returns the [Daemon] that the test plays: [Daemon.Do] sends one of
// protocol's messages, takes the checkpoints that the processor makes meanwhile
// and waits until the action is answered. [Shard.Next] is the next batch,
// [Shard.FailCheckpoint] chooses the checkpoint that fails, and starting again
// is the restart after a crash: what comes after the last checkpoint comes
// again.
//
// What happens within an action is reached by [Daemon.Begin], which does not
// wait, or message by message with [Daemon.Send] and [Daemon.Expect].
//
// A [Recorder] writes a real daemon's conversation down, [Play] holds a
// processor to it.
//
// # Guarantees
//
//   - After a restart a processor gets every record after its last checkpoint
//     and none before (TestRestartRedelivers).
//   - A checkpoint is taken where the real daemon takes one, and refused with
//     the same exception (TestCheckpointRange, TestOneLease,
//     TestNoCheckpointer).
//   - What a processor prints that is no message is skipped, as the real daemon
//     skips it (TestGarbageIsSkipped).
//   - A test that expects the wrong thing fails and says what was said
//     (TestFailures).
//   - Play takes what a Recorder wrote (TestRecordAndPlay), a real daemon's
//     conversation too (TestPlayRealTranscript).
//   - Nothing is left running when the test has ended (TestInBubble), unless a
//     method of the processor is stuck.
//
// # testing/synctest
//
// Start uses goroutines, channels and [io.Pipe] only, which block durably, and
// everything is gone when the test's cleanups have run. So a test may run in a
// bubble of [testing/synctest]: backoff, time-outs and the 3 seconds that a
// method gets at the end take no time, and synctest.Wait returns when the
// processor can do no more by itself. Call Start inside the bubble.
//
// # What it is not
//
// A crash here is the end of the processor's input, as when the daemon dies.
// Goroutines cannot be killed: one that does not heed its context goes on
// after it, as a process would not. [Shard.Connect] plays the daemon to a
// process, which can be.
package processortest
