// Package kinesislocal runs a Kinesis Data Streams service inside a Go process,
// for tests and local runs. Amazon's Kinesis Client Library (KCL 2.5 to 3.5,
// polling and with enhanced fan-out), the AWS SDKs and the AWS CLI work with it as with
// AWS.
//
// In a test:
//
//	server := kinesislocal.StartTest(t, nil) // until the test ends
//	client := kinesis.NewFromConfig(server.AWSConfig())
//
// Other programs call [Start] and [Server.Close]. Other clients use
// [Server.URL] as their endpoint. Streams are kept in memory until
// [Server.Close]. All credentials are accepted: signatures are not verified.
//
// One port accepts HTTP/1.1 and HTTP/2 with prior knowledge, which KCL uses,
// and bodies in AWS JSON 1.1 and AWS CBOR 1.1.
//
// # What works as on AWS
//
//   - hash keys;
//   - sequence numbers, which rise within a shard and from parent to child;
//   - shard lineage with closed parents and ChildShards;
//   - iterators, which expire after five minutes;
//   - retention;
//   - the limits on the size of a call;
//   - the exceptions and their names;
//   - subscriptions to shards, which last five minutes. A second subscription
//     within five seconds fails with ResourceInUseException; a later one
//     replaces the first.
//
// With Options.ThroughputLimits shards have the throughput of shards on AWS.
//
// # Accounts
//
// A client whose access key is 12 digits belongs to the account with that ID
// ([Server.AWSConfigForAccount]). All other clients belong to [DefaultAccount].
// The name of a stream means the stream of the client's own account.
// PutResourcePolicy gives other accounts access to a stream or consumer, for the
// operations that AWS lets accounts share: DescribeStreamSummary,
// DescribeStream, ListShards, GetShardIterator, GetRecords, PutRecord and
// PutRecords on a stream; DescribeStreamConsumer and SubscribeToShard on a
// consumer. All other operations on a stream of another account fail with
// AccessDeniedException.
//
// # Guarantees
//
//   - GetRecords returns every record exactly once and in order, children after
//     their parents, even while the stream is resharded.
//   - Subscriptions deliver every record exactly once and in order, children
//     after their parents, even while the stream is resharded.
//   - A subscription delivers a record as soon as it is put.
//   - A subscription ends as soon as its shard ends, and names the children.
//   - A subscription ends as soon as its consumer or its stream is gone.
//   - A stream of another account can be used only by its ARN, and only as the
//     policy of the stream or of its consumer allows.
//   - Records take at most Options.MaxMemory; the oldest records of all streams
//     are dropped first.
//   - An injected fault hits exactly its share of the calls.
//   - Close takes less than two seconds, even with open connections and
//     subscriptions.
//
// # What differs from AWS
//
//   - Only the operations that KCL, the SDKs and the CLI use on streams exist;
//     the README lists them. Any other operation fails with
//     UnknownOperationException.
//   - An account has one set of streams: the region of an ARN is not compared. A
//     new stream has the region that its creator signed for.
//   - A user or role in a policy stands for its whole account, and a policy with
//     a Condition is refused. Users have no policies: an account may do anything
//     with its own streams, and with streams of other accounts whatever their
//     policies allow.
//   - Encryption settings are stored and returned, but nothing is encrypted. A
//     distribution strategy and warm throughput are accepted and ignored.
//   - Operations that do not touch records are never throttled, unless a fault
//     throttles them.
package kinesislocal
