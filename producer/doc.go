// Command producer is the sample producer. It puts records into a Kinesis data stream,
// and creates the stream if it does not exist.
//
//	producer --stream orders --records 5000 --rate 100
//	producer --stream orders --file orders.txt
//
// The records are readings of made-up sensors. With --file, each line of a file or of
// standard input is a record. For each record that was put, producer prints one line of
// JSON to standard output, in the order of the input:
//
//	{"shardId":"shardId-000000000000","sequenceNumber":"4965...","partitionKey":"sensor-4711"}
//
// Everything else goes to standard error. The exit status is 0 if all records were put,
// 1 if something failed or Ctrl-C ended it, and 2 for wrong usage.
//
// Records are put at least once. If a call of PutRecords gets no answer, the SDK sends it
// again, and its records may be in the stream twice.
package main
