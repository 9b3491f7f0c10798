// Package dynamolocal is a DynamoDB inside a Go process, for tests and local
// runs: what Amazon's Kinesis Client Library (KCL 2.5 to 3.5) keeps there, and
// what a program beside it does with items, works with it as it does with AWS.
//
// [New] starts a server for a test; [Start] does anywhere else. Give
// [Server.AWSConfig] to clients of the AWS SDK for Go, and [Server.URL] to all
// others as their endpoint. Tables live in memory until [Server.Close]. Any
// credentials do: signatures are not verified, and there is one set of tables
// for all of them and all regions.
//
// # What is as on AWS
//
// Tables and their secondary indexes; items with all types of attributes, up to
// 400 KB, numbers with 38 digits exactly; condition, update, projection, filter
// and key condition expressions, and the parameters that they replaced; reads in
// pages of 1 MB; batches; transactions with their reasons and tokens; what each
// call consumes of a table and its indexes; the exceptions with their names and
// the old item in them.
//
// # What is not as on AWS
//
// The operations are those that the README of the module lists. Any other is an
// UnknownOperationException, and a table with a stream, with replicas or with
// vectors is refused. Reads are always consistent. Nothing is throttled, unless
// a fault says so. Items do not expire, and no table can be restored: time to
// live and continuous backups are told back only. Encryption and warm
// throughput are accepted and dropped, and so is ReturnItemCollectionMetrics,
// which is of use with local indexes of many gigabytes.
package dynamolocal
