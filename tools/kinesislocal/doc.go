// Package kinesislocal is a Kinesis Data Streams service inside a Go process,
// for tests and local runs: Amazon's Kinesis Client Library (KCL 3.x, in
// POLLING mode), the AWS SDKs and the AWS CLI work with it as they do with AWS.
//
// [Start] listens on a port of this machine; give [Server.URL] to clients as
// their endpoint. Streams live in memory until [Server.Close]. Any credentials
// do: signatures are not verified.
//
// One port takes HTTP/1.1 and HTTP/2 with prior knowledge (which KCL speaks),
// and bodies in AWS JSON 1.1 and AWS CBOR 1.1.
//
// # What is as on AWS
//
// Hash keys, sequence numbers that rise within a shard and from parent to
// child, shard lineage with closed parents and ChildShards, iterators that
// expire after five minutes, 24 hours of retention, the sizes that a call may
// have, and the exceptions with their names.
//
// # What is not
//
// The operations are CreateStream, DeleteStream, DescribeStream,
// DescribeStreamSummary, ListStreams, ListShards, SplitShard, MergeShards,
// UpdateShardCount, PutRecord, PutRecords, GetShardIterator and GetRecords; any
// other is an UnknownOperationException. Nothing is ever throttled. There is
// one account ([Account]) and one set of streams: region and account of an ARN
// are not compared, and a new stream has the region that its creator signed
// for. Tags, a distribution strategy and warm throughput given to CreateStream
// are accepted and dropped.
package kinesislocal
