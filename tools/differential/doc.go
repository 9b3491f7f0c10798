// Package differential has only tests. They send the same calls, with aws-sdk-go-v2, to
// localaws and to independent emulators: kinesislocal is compared with kinesis-local of
// npm, dynamolocal with moto of PyPI and dynoxide of Cargo. They compare all answers and
// error codes.
//
// If independent implementations agree, they are probably right. If they differ, the tables
// of differences in the tests have the call, both answers, and the page of the service's
// documentation that decides.
//
// One test runs the real daemon on the other emulators, with a restart and a reshard. A
// benchmark measures the start and the performance of the DynamoDBs.
package differential
