// Package engine runs the Kinesis Client Library (KCL) in a Java process, and
// talks to it. Java runs Amazon's jars with an entry of this package, which is
// embedded: it connects to a Unix socket, once for control and once for each
// lease, of one stream or of several (the properties streams, streamArn or
// streamName). A lease's connection carries the messages of the MultiLangDaemon, for
// Config.Serve; the control connection carries events, commands and heartbeats.
// It needs Java 17.
//
// What the package guarantees, and the tests that prove it:
//
//   - The socket lies in a folder that only this user may enter, with a path that
//     every system takes, whatever TMPDIR is (TestFolder, TestFolderElsewhere).
//   - A connection that does not present the token within 5 s is closed, and no
//     other one waits for it (TestRefused, TestSilentConnection). There is one
//     control connection (TestSecondControl).
//   - The names of leases, shards and streams that Java says are printable ASCII, or
//     are refused (TestRefused, FuzzHello, FuzzParseEvent).
//   - The token is in no argument, environment, log or error (TestTokenIsSecret).
//   - A conversation has every byte after its hello (TestWhatFollowsTheHello). One
//     that is not read holds up no event and no command (TestLargeMessage), and who
//     serves it hears that Java has ended (TestDone).
//   - Events and commands keep their order (TestEvents, TestCommands).
//   - A Java that is silent, or does not read, is killed (TestSilentJava,
//     TestDeafJava). One that lives is not, and hears that this process does,
//     also while Config.Event blocks (TestHeartbeats). The events that wait then
//     are bounded (TestQueue).
//   - Each of several streams begins at its own position, and a stream that is known
//     by its ARN is asked for by that alone, so never one of that name in another
//     account (TestStreams, TestStreamByARN in tools/e2e).
//   - One stream by its ARN has the leases that it has by its name (TestStreamByARN).
//     Beside leases of the other form, of one stream or of several, nothing is read:
//     the start fails, and Java ends when some appear (TestStreamsRefused, TestStreams
//     in tools/e2e). So does a start with a stream that cannot be read
//     (TestStreamsRefused).
//   - Leases of a stream that is not read are kept, unread (TestStreams).
//   - Run returns when Java, and all that is served, has ended, and leaves no file
//     (TestConversation). nil means that the stop was complete, or came before
//     there was anything to stop (TestStop). Other ends say why (TestEnds).
//   - Java ends with this process, however that ends; on Linux even a Java that
//     hears nothing (TestDeath).
package engine
