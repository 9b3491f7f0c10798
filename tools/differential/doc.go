// Package differential has no code of its own: its tests send the same scripts
// of calls, through aws-sdk-go-v2, to kinesislocal and to kinesis-local from
// npm, an independent Kinesis, to dynamolocal, to moto from PyPI and dynoxide from
// Cargo, independent DynamoDBs, and compare every answer and error code.
//
// Where two implementations that were written apart agree, neither has a
// misunderstanding of its own. Where they differ, the tables of differences in the
// tests say which call, what each answers, and the page of the service's
// documentation that decides.
//
// One test runs the real daemon on the services of others, with a restart and a
// reshard. A benchmark tells how the DynamoDBs start and perform.
package differential
