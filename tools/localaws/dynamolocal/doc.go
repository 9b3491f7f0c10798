// Package dynamolocal runs a DynamoDB inside a Go process, for tests and local
// runs. The tables of Amazon's Kinesis Client Library (KCL 2.5 to 3.5), and the
// items of a program beside it, work with it as with AWS.
//
// In a test:
//
//	server := dynamolocal.StartTest(t, nil) // until the test ends
//	client := dynamodb.NewFromConfig(server.AWSConfig())
//
// Other programs call [Start] and [Server.Close]. Other clients use
// [Server.URL] as their endpoint. Tables are kept in memory until
// [Server.Close]. All credentials are accepted: signatures are not verified, and
// all credentials and regions share one set of tables.
//
// # What works as on AWS
//
//   - tables and their secondary indexes;
//   - items with all types of attributes, up to 400 KB; numbers are exact to 38
//     digits;
//   - condition, update, projection, filter and key condition expressions, and
//     the older parameters (Expected, AttributeUpdates, KeyConditions,
//     QueryFilter, ScanFilter, AttributesToGet);
//   - reads in pages of 1 MB, and batches;
//   - transactions, with cancellation reasons and client tokens;
//   - the capacity that each call consumes of a table and its indexes;
//   - the exceptions with their names, and the old item in them.
//
// # What differs from AWS
//
//   - Only the operations that the module's README lists exist. Any other
//     operation fails with UnknownOperationException. A table with a stream,
//     replicas or VectorIndexes is refused.
//   - Reads are always consistent.
//   - Nothing is throttled, unless a fault throttles it.
//   - Settings of time to live and continuous backups are stored and returned,
//     but items do not expire and no table can be restored.
//   - Encryption and warm throughput are accepted and ignored.
//     ReturnItemCollectionMetrics is ignored too; it matters only for local
//     indexes of many gigabytes.
package dynamolocal
