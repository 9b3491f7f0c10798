// Package record makes the records to put. NewSensors makes readings of made-up sensors,
// NewLines reads the lines of a file.
package record

import "fmt"

// Record is a record to put.
type Record struct {
	// PartitionKey determines the shard that the record goes to.
	PartitionKey string
	Data         []byte
}

// Size returns the size in bytes that counts against the limits of Kinesis: partition
// key and data.
func (r Record) Size() int { return len(r.PartitionKey) + len(r.Data) }

// Source returns records one after another. Next returns io.EOF after the last one. It
// must not be called concurrently.
type Source interface {
	Next() (Record, error)
}

// TooLongError is the error for a line that makes a larger record than the stream allows.
type TooLongError struct {
	// Line counts from 1.
	Line int
	// Limit is the maximum size of a record in bytes, partition key and data.
	Limit int
}

func (e *TooLongError) Error() string {
	return fmt.Sprintf("line %d is over the %d bytes that a record may have, including its partition key", e.Line, e.Limit)
}
