// Package record makes the records to put: readings of made-up sensors, or the
// lines of a file.
package record

import "fmt"

// Record is one record to put.
type Record struct {
	// PartitionKey decides which shard the record goes to.
	PartitionKey string
	Data         []byte
}

// Size is what Kinesis counts against its limits, in bytes: partition key and
// data.
func (r Record) Size() int { return len(r.PartitionKey) + len(r.Data) }

// Source gives records one after another. Next returns io.EOF after the last;
// it is not to be called concurrently.
type Source interface {
	Next() (Record, error)
}

// TooLongError says that a line of the input is more than the stream takes.
type TooLongError struct {
	// Line counts from 1.
	Line int
	// Limit is what a record may have in bytes, partition key and data.
	Limit int
}

func (e *TooLongError) Error() string {
	return fmt.Sprintf("line %d is over the %d bytes that a record may have, its partition key included", e.Line, e.Limit)
}
