// Producer is the sample producer: it puts records into a Kinesis data stream,
// and creates the stream when it is not there.
//
// Without --file the records are readings of made-up sensors; with it each line
// of a file, or of standard input, is one record. For each record that was put
// one line of JSON goes to standard output, in the order of the input:
//
//	{"shardId":"shardId-000000000000","sequenceNumber":"4965...","partitionKey":"sensor-4711"}
//
// Everything else goes to standard error. The exit status is 0 when all records
// were put, 1 when something failed or Ctrl-C ended it, 2 for a command line that
// makes no sense.
//
// Records are put at least once: a call of PutRecords that got no answer is tried
// again by the SDK and may then have put its records twice.
package main
