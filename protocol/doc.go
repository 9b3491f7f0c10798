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
//   - Positions are ordered as numbers, not as text
//     (TestPositionCompare, FuzzPositionCompare).
//
// The messages follow amazon-kinesis-client-multilang 3.1.3
// (software.amazon.kinesis.multilang.messages).
package protocol
