// Package processortest tests record processors in the test's own process, without
// Java and AWS. It plays the daemon, KCL's Java process, in memory, over the real
// protocol and the real [processor.Run].
//
//	func TestConsumer(t *testing.T) {
//		var shard processortest.Shard
//		shard.Put("sensor-17", "one", "two", "three")
//
//		d := shard.Start(t, handle.Record(store, nil), nil) // store is under test
//		d.Do(shard.Initialize())
//		d.Do(shard.Next(3))
//		d.Do(protocol.ShardEnded{})
//		if got := fmt.Sprint(shard.Checkpoints()); got != "[3/0 SHARD_END/0]" {
//			t.Errorf("checkpoints %s", got)
//		}
//	}
//
// A [Shard] has records and a checkpoint. [Shard.Start] starts a processor on it
// and returns the [Daemon] that the test plays. An action is a message of package
// protocol that the processor answers with a Status: Initialize, ProcessRecords,
// ShutdownRequested, LeaseLost, ShardEnded or Shutdown. [Daemon.Do] sends one, takes
// the checkpoints that the processor makes meanwhile and waits for the answer.
// [Shard.Next] returns the next batch, and [Shard.FailCheckpoint] makes a
// checkpoint fail. To test a restart after a crash, call [Daemon.Close] and start
// again: the records after the last checkpoint arrive again.
//
// To act during an action, use [Daemon.Begin], which does not wait, or send and
// receive single messages with [Daemon.Send] and [Daemon.Expect]. A [Recorder]
// records the conversation with a real daemon, and [Play] replays it.
//
// # Guarantees
//
//   - After a restart a processor gets every record after its last checkpoint
//     and none before.
//   - A checkpoint is taken where the real daemon takes one, and refused with
//     the same exception.
//   - Output of a processor that is not a message is skipped, as the real daemon
//     skips it.
//   - When a method of Daemon ends the test, the failure shows the last
//     messages that were exchanged.
//   - Play accepts what a Recorder wrote, including the conversation with a real
//     daemon.
//   - Nothing is left running when the test has ended, unless a method of the
//     processor is stuck.
//
// # testing/synctest
//
// A test may run in a bubble of [testing/synctest]; call Start inside it. Start
// uses goroutines, channels and [io.Pipe], which block durably, and all of them
// end with the test's cleanups. In a bubble backoff, timeouts and the 3 seconds
// that [processor.Run] gives a method at its end take no time, and synctest.Wait
// returns when the processor can do nothing more by itself.
//
// # Limits
//
// A crash is the end of the processor's input, as when the daemon dies.
// Goroutines cannot be killed: one that ignores its context continues after the
// crash, which a process would not. [Shard.Connect] plays the daemon of a
// process, which can be killed.
package processortest
