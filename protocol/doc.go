// Package protocol speaks the wire protocol of Amazon's MultiLangDaemon, the
// engine of the Kinesis Client Library for languages other than Java.
//
// The daemon starts one child process per shard and talks to it in lines of
// JSON: it writes to the child's standard input and reads the child's standard
// output. This package knows the messages and their framing and nothing else;
// what a record processor does with them is the processor module's business.
//
// [Reader] and [Writer] work over any [io.Reader] and [io.Writer] and serve
// both ends, so a test can play the daemon with the same two types that the
// child uses.
//
// # The conversation
//
// The daemon sends one action and waits: [Initialize], [ProcessRecords],
// [LeaseLost], [ShardEnded], [ShutdownRequested] (and [Shutdown], from a KCL
// 1.x daemon). While an action is in work the child may send any number of
// [Checkpoint] messages, each of which the daemon answers with a [Checkpoint]
// of its own. The child ends the action with a [Status] that names it.
//
// # Guarantees
//
//   - Every message is written as newline, JSON, newline in one call of Write,
//     so that unterminated output that came before cannot swallow it
//     (TestWriterSurvivesPollution).
//   - A clean end of input is io.EOF, a line cut short is io.ErrUnexpectedEOF
//     (TestReaderEnds).
//   - A line that is no message gives a [*MalformedError] that says what is
//     wrong and where, never what the record held (TestMalformedHidesData), and
//     the next line can still be read (TestReaderGoesOnAfterMalformed).
//   - Whatever the Writer writes the Reader reads back as it was
//     (FuzzRoundTrip).
//   - Lines of the daemon's usual form take a fast path (TestFastTakes). It may
//     decline a line, then encoding/json decodes it (TestFastDeclines), but what
//     it takes it decodes as encoding/json does (FuzzDecode, FuzzBase64).
//   - Positions are ordered as numbers, not as text
//     (TestPositionCompare, FuzzPositionCompare).
//   - A line is the bytes between two newlines, however they arrive (FuzzFrames);
//     one longer than the limit is a [*LineTooLongError], never more memory
//     (TestMaxLine).
//   - What Read returned stays as it is (TestReaderKeepsNothing), and no record's
//     Data reaches into another's (TestRecordsAreApart).
//
// # Memory
//
// A batch on the fast path is 4 allocations at most, whatever its size
// (TestAllocations): its Records lie in one piece of memory, their Data in
// another, their texts in a third. So one record that is kept keeps the data and
// texts of its batch; [Record.Clone] makes a copy that does not (TestClone), and
// the sum of [Record.Size] is what a batch takes (TestSize).
//
// With one batch alive at a time a Reader and its batches take 2.5 times the
// longest line at most, and 8 MiB, and give that back 16 lines after it
// (TestMemory). To that end Read runs the garbage collector before the batches
// since its last run take more than 8 MiB and more than all else that is alive.
// With batches of less than some MiB the collector runs by itself before that.
//
// The messages follow amazon-kinesis-client-multilang 3.1.3
// (software.amazon.kinesis.multilang.messages).
package protocol
