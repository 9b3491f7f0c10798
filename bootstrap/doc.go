// Package bootstrap fetches and runs Amazon's MultiLangDaemon, the part of the Kinesis
// Client Library (KCL) that runs record processors written in any language. Without the
// error handling, for Amazon's own main class:
//
//	properties, err := bootstrap.ReadProperties("sample.properties")
//	warnings, err := properties.Check(nil)
//	stockWarnings, err := properties.CheckStock()
//	java, err := bootstrap.FindOrFetchJava(ctx, "", 17, nil)
//	jars, err := bootstrap.Fetch(ctx, bootstrap.DaemonLock(), nil)
//	command := bootstrap.Command{Java: java, Jars: jars.Files, Properties: properties}
//	err = command.Run(ctx, nil)
//
// The command kcl-bootstrap is built on this package, and on its package engine, which
// runs KCL without the daemon's main class.
//
// Each step is a function that can be used alone:
//
//   - [ReadProperties] and [Properties.Check] find the mistakes in the daemon's
//     properties before anything is started. [Properties.CheckEndpoints] finds the
//     endpoints at which nobody answers. [Properties.Streams] returns the streams that
//     the properties name.
//   - [FindOrFetchJava] finds the java command, or brings a Java into the cache.
//   - [Fetch] brings the files of a [Lock] from a Maven repository into a cache, and
//     verifies each of them at every call. [DaemonLock] is the daemon's own lock,
//     [DaemonFullLock] the one with the Glue Schema Registry. [ParseLock] reads a lock of
//     anything else that is published as jars.
//   - [Command] builds the daemon's command line. [Command.Run] runs it in its own process
//     group, and stops it gracefully. With an [Entry] it runs another main class.
//   - [RestartPolicy] restarts a daemon that ended by itself. [ClaimWorkerID] gives it the
//     same worker ID each time, and no other daemon at the same time.
//
// The package has no signal handlers and no global state, and prints nothing. All its
// errors are one line each.
//
// # Guarantees
//
//   - A properties file is read as java.util.Properties reads it.
//   - Check refuses what the daemon's own classes throw an exception for or silently
//     ignore, and warns of what makes no difference to them.
//   - The properties that Check knows are those that the daemon's classes have.
//   - ParseStreams returns the streams that FormatStreams was given, or an error if one of
//     them is invalid.
//   - Amazon's own main class, which knows one stream by its name, is not started with the
//     property streams.
//   - Behind a proxy Java takes the same way as Go, as far as it can.
//   - No finding repeats what may be a secret: the value of an unknown property, an
//     endpoint, or the arguments of a credentials provider.
//   - A finding is one line without control characters, whatever the file contains.
//   - Fetch returns only files that have the lock's size and SHA-256 at that moment,
//     whatever the repository sends, and leaves no other file under the name of one of
//     them.
//   - A download that is killed at any moment is repaired by the next one.
//   - Of two downloads into one cache one waits for the other.
//   - Nothing is written outside the cache, whatever coordinates and symbolic links say.
//   - FetchJava returns only a folder in which each file has at that moment the hash that
//     follows from its lock, and which has no other files except .DS_Store and Thumbs.db,
//     whatever the index sends and whatever has happened to the folder.
//   - FetchJava repairs what a process left that was killed at any moment, and two
//     processes may call it at once.
//   - A cache in which other users can replace files is refused.
//   - Credentials are sent only to the scheme, host and port that they are for, and are in
//     no error.
//   - The class path has exactly the jars of the lock, sorted.
//   - The daemon gets one SIGTERM when ctx ends.
//   - Nothing outside the daemon's process group is signalled.
//   - Run returns nil only if ctx has ended and Java's status is 0, 143 or 130.
//   - No process of the group is left when Run returns, however it ended, or the error is
//     ErrSurvivors.
//   - A RestartPolicy starts nothing before all processes of the last run have gone.
//   - A RestartPolicy gives up after its limit of restarts within an hour.
//   - No two daemons have the worker ID of a claim at once, even if the process that
//     claimed it is killed.
//   - A claim gets the first worker ID that is free: one daemon after another gets the
//     same.
//   - The daemon's log shows no record's data and no property's value, and a record
//     processor's standard error once.
package bootstrap
