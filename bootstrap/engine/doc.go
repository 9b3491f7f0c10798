// Package engine runs the Kinesis Client Library (KCL) in a Java process and
// exchanges messages with it. Package processor/worker and the command
// kcl-bootstrap are built on it, and most programs need only those. Use this
// package to build another kind of host for record processors.
//
//	e := engine.New(engine.Config{
//		Command:   command, // Java, the jars and the properties
//		StopGrace: 10 * time.Second,
//		Serve:     serve, // answers the messages of one lease
//	})
//	err := e.Run(ctx)
//
// Java runs Amazon's jars with a main class that is embedded in this package. It
// opens a connection to a Unix socket for control, and one for each lease that it
// takes; the property streams, streamArn or streamName says of which streams. The
// first line of a connection, the hello, says what it is for, and has a random
// token that Java got on its standard input. A lease's connection carries the
// messages of the MultiLangDaemon (see the protocol module), which Config.Serve
// answers. The control connection carries events, commands and heartbeats. The
// package needs Java 17 or later.
//
// # Guarantees
//
//   - The socket is in a folder that only this user may enter, and has a path that
//     every system accepts, whatever TMPDIR is.
//   - A connection that does not present the token within 5 s is closed, and no other
//     connection waits for it.
//   - There is only one control connection.
//   - The names of leases, shards and streams that Java sends are printable ASCII
//     without spaces, or are rejected.
//   - The token is in no argument, environment variable, log or error.
//   - Lease.Read returns every byte that Java sends after the hello.
//   - A conversation that is not read delays no event and no command.
//   - A call of Serve that does not read can learn from Engine.Done that Java has ended.
//   - Events and commands keep their order.
//   - A Java process that is silent, or does not read, is killed.
//   - A Java process that sends heartbeats is not killed, and receives heartbeats, even
//     while Config.Event blocks.
//   - The number of events that wait for Config.Event is bounded.
//   - Each of several streams begins at its own initial position.
//   - A stream that is named by its ARN is requested by the ARN alone, and so never
//     confused with a stream of that name in another account.
//   - A single stream has the same leases whether it is named by its ARN or by its name.
//   - Applications of one stream and of several have lease keys of different forms.
//     While the lease table has keys of the other form, nothing is read: the start
//     fails, and Java ends if such keys appear later.
//   - A start fails if one of its streams cannot be read.
//   - Leases of a stream that is not read are kept.
//   - Run returns after Java and all calls of Serve have ended, and leaves no file.
//   - Run returns nil if the stop was complete, or came before there was anything to stop.
//   - After any other end the error of Run says why Java has ended.
//   - Java ends when this process ends, even by SIGKILL. On Linux this is true even of a
//     Java process that hangs.
package engine
