// Package bootstrap fetches Amazon's MultiLangDaemon, the part of the Kinesis
// Client Library (KCL) that runs record processors written in any language,
// and runs it. The command kcl-bootstrap is a cover of it and of package engine,
// below this one, which runs KCL without the daemon's main class.
//
// The steps, each a function that can be used alone:
//
//   - ReadProperties and Properties.Check find what is wrong with the daemon's
//     properties file before anything is started; Properties.CheckEndpoints
//     looks whether somebody answers at the endpoints that it names.
//     Properties.Streams says which streams it names; ParseStreams and FormatStreams
//     read and write the property for several.
//   - FindJava finds the java command, and JavaVersion tells which it is. FetchJava
//     brings one into the cache, where there is none.
//   - Fetch brings the files of a Lock from a Maven repository into a cache and
//     verifies each of them, at each call. DaemonLock is the daemon's own lock,
//     DaemonFullLock that with the Glue Schema Registry; ParseLock reads one for
//     anything else that is published as jars.
//   - Command makes the daemon's command line; its Run runs it in a process
//     group of its own, and stops it gracefully. With an Entry it runs another main
//     class, as package engine does.
//   - RestartPolicy brings a daemon back that ended by itself, and ClaimWorker
//     gives it the same worker ID each time, and no other daemon meanwhile.
//
// What all these guarantee, and the tests that prove it:
//
//   - A properties file is read as java.util.Properties does (TestParseAsJava).
//   - Properties.Check refuses what the daemon's own classes throw an exception
//     for or silently do not take over, and warns of what makes no difference to
//     them (TestCheckIsTheDaemons, in tools/cmd/knownkeys).
//   - What FormatStreams writes is what ParseStreams reads, and nothing else becomes
//     a stream by being written (TestParseStreams, FuzzParseStreams,
//     TestFormatStreamsHidesNothing). Amazon's own main class, which knows one stream
//     by its name, is not started with the property streams (TestStock).
//   - DaemonKeys are what these classes have (TestKeysAreTheDaemons, there too).
//   - Behind a proxy Java goes as Go does, as far as it can (TestNoProxyIsGos,
//     TestJavaProxy; TestJavaTakesTheWayOfGo in tools/e2e, with the AWS SDK).
//   - No finding repeats what may be a secret: the value of an unknown property,
//     an endpoint, or a provider's arguments (TestCheckHidesUnknownValues,
//     TestCheckProviders).
//   - A finding is one line that no terminal obeys, whatever the file says (FuzzCheck).
//   - Fetch returns only files that have the lock's size and SHA-256 at that
//     moment, whatever the repository sends, and leaves no other under a file's
//     name (TestFetchFaults, TestFetchRepairsTheCache, TestFetchBroken).
//   - A download that is killed at any moment is repaired by the next one, and
//     of two at once one waits for the other (TestFetchKilled,
//     TestFetchTwoProcesses).
//   - Nothing is written outside the cache, whatever coordinates and symbolic
//     links say (TestParseLockErrors, TestFetchLinkForAFile,
//     TestFetchLinkOutOfTheCache).
//   - FetchJava returns only a folder in which each file has at that moment the hash
//     that follows from its lock, and in which no other file is but a file manager's,
//     whatever the index sends and whatever has become of the folder (TestFetchJavaFaults,
//     TestFetchJavaBadWheels, TestFetchJavaRepairs, TestFetchJavaLinksAndModes); also
//     after a kill, and with two at once (TestFetchJavaKilled,
//     TestFetchJavaTwoProcesses).
//   - A cache in which others can replace files is refused (TestTrust,
//     TestTrustLinkBelowLink, TestTrustInTheCache, TestFetchJavaTrust).
//   - Credentials go to the repository's scheme, host and port alone, and into
//     no error (TestFetchRedirectedCredentials, TestFetchErrorsHaveNoCredentials,
//     TestFetchJavaCredentials).
//   - The class path of the jars is exactly the lock's, sorted
//     (TestStrayFilesAreNotOnTheClassPath).
//   - The daemon gets one SIGTERM when ctx ends, and nothing outside its process
//     group is signalled (TestRunStops; end to end TestPipelineSurvivesAKill).
//   - nil means that the daemon ended as Java does of a SIGTERM (TestRunKnowsTheEnd).
//   - No process of the group is left when Run returns, however it ended
//     (TestRunOrphanIsKilled), or the error is ErrSurvivors.
//   - A RestartPolicy starts nothing before that (TestRestart), and not without
//     end (TestRestartLimit).
//   - No two daemons have the worker ID of a claim at once, also when the
//     process that claimed it is killed (TestClaimOutlivesItsProcess,
//     TestKilledBootstrapLeavesOneDaemon), and the next one has it again
//     (TestClaimWorker, TestRestartTakesItsLeasesOver).
//   - The daemon's log shows no record's data and no property's value, and a record
//     processor's standard error once (TestLogConfiguration).
//
// What kcl-bootstrap --execute guarantees of the children:
//
//   - Each gets what Java writes, and Java its messages, byte for byte, of any
//     length; what else it prints is shown and does no harm (TestConversation,
//     TestLargeMessage, TestNoise, FuzzToJava; end to end TestClients with Amazon's
//     clients for Node.js and Python, TestPollutionDoesNoHarm, TestDaemonLog).
//   - One that fails in any way is replaced alone, after it and all processes of its
//     group have gone, ever more seldom (TestFailures, TestWaits, TestTimeLimit;
//     end to end TestClients, TestKilledChildWritesOnce).
//   - A shard has one child at a time (TestOneChildForAShard).
//   - A stop lets each end its conversation, whatever reaches the terminal's group
//     (TestCtrlC, TestSIGTERMToEachProcess), and leaves no process (TestDoesNotLeave,
//     TestKillsChildren).
//
// The package touches no signal handlers and no global state. Its errors are
// one line each. It logs to the *slog.Logger it is given, and prints nothing.
package bootstrap
