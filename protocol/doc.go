// Package protocol reads and writes the messages of Amazon's MultiLangDaemon,
// the program that runs the Kinesis Client Library (KCL) for languages other
// than Java. Use it to play the daemon in a test, to record or replay a
// conversation, or to write a host for record processors. To write a record
// processor, use the processor module instead.
//
//	r, w := protocol.NewReader(os.Stdin, nil), protocol.NewWriter(os.Stdout)
//	m, err := r.Read() // io.EOF at the end of the conversation
//	switch m := m.(type) {
//	case protocol.ProcessRecords:
//		store(m.Records)
//		err = w.Write(protocol.Status{ResponseFor: m.Action()})
//	}
//
// The daemon starts one child process per shard. It writes lines of JSON to the
// child's standard input and reads lines from the child's standard output.
// [Reader] and [Writer] work over any [io.Reader] and [io.Writer], and serve both
// ends of the conversation.
//
// # The conversation
//
// The daemon sends one action and waits: [Initialize], [ProcessRecords],
// [LeaseLost], [ShardEnded] or [ShutdownRequested]. A daemon of KCL 1.x sends
// [Shutdown] instead of LeaseLost and ShardEnded. Except during Initialize and
// LeaseLost, the child may send [Checkpoint] messages before it answers, one at a
// time: it waits for the daemon's Checkpoint before it sends the next message. The
// child ends the action with a [Status] that names it. PROTOCOL.md has all rules.
//
// The messages are those of amazon-kinesis-client-multilang 3.1.3 (Java package
// software.amazon.kinesis.multilang.messages).
//
// # Memory
//
// A Reader does not run the garbage collector: memory policy belongs to the program.
// By default (GOGC=100) the heap grows to about twice what is alive, which is the
// line buffer and the batch. A program that reads batches of 10 MiB, in lines of 14
// to 16 MB, and drops each one takes up to 67 MiB of resident memory. GOMEMLIMIT is a
// soft limit: with 48MiB the program takes up to 55 MiB, and with 32MiB up to 37 MiB,
// but then it collects garbage with every batch, which costs up to a third of the
// throughput. The README has the measurement.
//
// # Guarantees
//
//   - Each message is written as newline, JSON, newline in one call of Write, so
//     that it is intact after output that did not end with a newline.
//   - The clean end of the input is io.EOF; an end within a line is
//     io.ErrUnexpectedEOF.
//   - A line that is not a message gives a *MalformedError, which says what is wrong
//     and where, and never what a record held.
//   - After a *MalformedError the next line can be read.
//   - A Reader reads whatever a Writer wrote, unchanged.
//   - Lines as the daemon writes them are decoded by a fast path.
//   - The fast path may decline a line, which encoding/json then decodes.
//   - A line that the fast path takes is decoded exactly as encoding/json decodes it.
//   - Positions are ordered as numbers, not as text.
//   - A line is the bytes between two newlines, however they arrive.
//   - A line longer than the limit is a *LineTooLongError, and memory beyond the limit
//     is not used for it.
//   - A message that Read returned does not change when more messages are read.
//   - The Data of different records does not overlap: appending to one changes no other.
//   - The fast path makes at most 4 allocations for a batch, whatever its size.
//   - A record that is kept keeps the memory of its whole batch; its clone does not.
//   - The sum of Record.Size over a batch is the memory that the batch takes.
//   - With GOGC=100, and one batch alive at a time, a Reader and its batches take at most
//     5 times the length of the longest line, plus 8 MiB, of heap.
//   - A Reader keeps the buffer of a line longer than 32 KiB for at most 16 more lines
//     of up to 32 KiB.
package protocol
