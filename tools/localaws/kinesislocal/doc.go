// Package kinesislocal is a Kinesis Data Streams service inside a Go process,
// for tests and local runs: Amazon's Kinesis Client Library (KCL 3.x, polling
// and with enhanced fan-out), the AWS SDKs and the AWS CLI work with it as they
// do with AWS.
//
// [New] starts a server for a test; [Start] does anywhere else. Give
// [Server.AWSConfig] to clients of the AWS SDK for Go, and [Server.URL] to all
// others as their endpoint. Streams live in memory until [Server.Close]. Any
// credentials do: signatures are not verified.
//
// One port takes HTTP/1.1 and HTTP/2 with prior knowledge (which KCL speaks),
// and bodies in AWS JSON 1.1 and AWS CBOR 1.1.
//
// # What is as on AWS
//
// Hash keys, sequence numbers that rise within a shard and from parent to
// child, shard lineage with closed parents and ChildShards, iterators that
// expire after five minutes, retention, the sizes that a call may have, and the
// exceptions with their names. Consumers subscribe to shards for five minutes;
// a second subscription within five seconds is a ResourceInUseException, a
// later one takes the place of the first.
//
// With [RealLimits] the shards have the throughput of real ones.
//
// # Accounts
//
// A client whose access key is 12 digits is of the account of that ID
// ([Server.AWSConfigOf]); every other is of [Account]. A stream's name means that
// of the client's own account. PutResourcePolicy opens streams and consumers to
// others, for the operations that AWS shares: DescribeStreamSummary,
// DescribeStream, ListShards, GetShardIterator, GetRecords, PutRecord and
// PutRecords on a stream, DescribeStreamConsumer and SubscribeToShard on a
// consumer. All else is an AccessDeniedException.
//
// # What is guaranteed
//
//   - Every record that was put is read once and in its order, children after
//     their parents, whatever is resharded meanwhile: TestEveryRecordIsReadOnceInOrder
//     (GetRecords), TestSubscriptionsBringEveryRecordOnce (SubscribeToShard).
//   - A subscription learns of a record, of the end of its shard and of the end
//     of its consumer when they happen: TestSubscriptionWaitsAndBeats,
//     TestSubscriptionEndsWithItsShard, TestSubscriptionEndsWithItsConsumerAndStream.
//   - A stream of another account is reached by its ARN alone, and only as its
//     policy or its consumer's allows: TestOperationsAcrossAccounts.
//   - Records take at most Config.MaxBytes; the oldest go first:
//     TestMaxBytesDropsTheOldest, TestMaxBytesSparesNewRecords.
//   - An injected fault hits exactly its share of the calls:
//     TestFaultsFailTheirShareOfCalls.
//   - Close takes less than two seconds, with connections and subscriptions
//     open: TestCloseCutsOpenConnections, TestCloseEndsSubscriptions.
//
// # What is not as on AWS
//
// The operations are those that KCL, the SDKs and the CLI use on streams; the
// README lists them. Any other is an UnknownOperationException. An account has
// one set of streams: the region of an ARN is not compared, and a new stream has
// the region that its creator signed for. A user or role in a policy stands for
// its whole account, and a Condition is refused; there are no policies of users,
// so an account may do with its own streams what it likes, and with those of
// others what their policies allow.
// Encryption is told back and not done. A distribution strategy and warm
// throughput are accepted and dropped. Operations that do not touch records are
// never throttled, unless a fault says so.
package kinesislocal
