// Package differential has no code of its own: its tests send the same scripts
// of calls, through aws-sdk-go-v2, to kinesislocal and to kinesis-local from
// npm, an independent Kinesis, and compare every answer and error code.
//
// Where two implementations that were written apart agree, neither has a
// misunderstanding of its own. Where they differ, the table differences in the tests
// says which call, what each answers, and the page of the service's
// documentation that decides.
package differential
