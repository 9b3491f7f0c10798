// Package put puts records into a stream by PutRecords.
//
// Calls follow one another, and a call's failed records are put again, in their
// order, before the next call begins. So batches never overtake each other.
// Inside one call Kinesis promises no order: it may refuse a record of a
// partition key and take a later one of the same key, which then has the lower
// sequence number.
package put

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/producer/internal/record"
)

// What one call of PutRecords takes: records, and bytes of partition keys and data.
const (
	MaxRecords = 500
	MaxBytes   = 10 << 20
)

const (
	// maxFutile is the number of calls in a row that put nothing after which
	// Put gives up: half a minute or so of backing off.
	maxFutile = 10
	// maxAttempts is the number of times that the SDK sends a call which is
	// refused as a whole, throttled for example, with pauses of its own.
	maxAttempts = 10
	minPause    = 100 * time.Millisecond
	maxPause    = 5 * time.Second
)

// API is the part of *kinesis.Client that this package calls.
type API interface {
	PutRecords(context.Context, *kinesis.PutRecordsInput, ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error)
}

// Result says where a record went.
type Result struct {
	ShardID        string `json:"shardId"`
	SequenceNumber string `json:"sequenceNumber"`
	PartitionKey   string `json:"partitionKey"`
}

// Done tells whether the record was put.
func (r Result) Done() bool { return r.SequenceNumber != "" }

// RefusedError says that Kinesis went on refusing records.
type RefusedError struct {
	// Records is the number of records refused, Calls that of the calls in a
	// row that put none of them.
	Records, Calls int
	// Code and Message are Kinesis's for the last record refused.
	Code, Message string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("%d records refused %d times in a row, at last with %s: %s", e.Records, e.Calls, e.Code, e.Message)
}

// Putter puts records into one stream. Its methods are not to be called
// concurrently: that would lose the order of the records.
type Putter struct {
	api    API
	stream string
	// Retried is called with the number of records that a call refused and
	// Kinesis's code for the last of them, before they are put again.
	Retried func(records int, code string)
}

// NewPutter returns a Putter for the named stream.
func NewPutter(api API, stream string) *Putter {
	return &Putter{api: api, stream: stream, Retried: func(int, string) {}}
}

// Put puts a batch, of MaxRecords and MaxBytes at most, and puts again what
// Kinesis refused, with growing pauses. It returns one Result for each record
// in its place, with an error too: those that are Done have been put. When a
// call got no answer its other records may or may not have been put.
func (p *Putter) Put(ctx context.Context, batch []record.Record) ([]Result, error) {
	results := make([]Result, len(batch))
	waiting := make([]int, len(batch))
	for i := range batch {
		waiting[i] = i
	}
	for futile := 0; len(waiting) > 0; {
		out, err := p.call(ctx, batch, waiting)
		if err != nil {
			return results, err
		}
		var refused []int
		var last types.PutRecordsResultEntry
		for i, entry := range out.Records {
			at := waiting[i]
			if aws.ToString(entry.ErrorCode) != "" || aws.ToString(entry.SequenceNumber) == "" {
				refused, last = append(refused, at), entry
				continue
			}
			results[at] = Result{
				ShardID:        aws.ToString(entry.ShardId),
				SequenceNumber: *entry.SequenceNumber,
				PartitionKey:   batch[at].PartitionKey,
			}
		}
		if len(refused) == 0 {
			return results, nil
		}
		if len(refused) == len(waiting) {
			futile++
		} else {
			futile = 0
		}
		if futile >= maxFutile {
			return results, &RefusedError{
				Records: len(refused), Calls: futile,
				Code: aws.ToString(last.ErrorCode), Message: aws.ToString(last.ErrorMessage),
			}
		}
		p.Retried(len(refused), aws.ToString(last.ErrorCode))
		waiting = refused
		select {
		case <-ctx.Done():
			return results, ctx.Err()
		case <-time.After(pause(futile)):
		}
	}
	return results, nil
}

func (p *Putter) call(ctx context.Context, batch []record.Record, which []int) (*kinesis.PutRecordsOutput, error) {
	in := &kinesis.PutRecordsInput{
		StreamName: &p.stream,
		Records:    make([]types.PutRecordsRequestEntry, len(which)),
	}
	for i, at := range which {
		in.Records[i] = types.PutRecordsRequestEntry{
			PartitionKey: aws.String(batch[at].PartitionKey),
			Data:         batch[at].Data,
		}
	}
	out, err := p.api.PutRecords(ctx, in, func(o *kinesis.Options) { o.RetryMaxAttempts = maxAttempts })
	if err != nil {
		return nil, err
	}
	if len(out.Records) != len(which) {
		return nil, errors.New("PutRecords answered for another number of records than it was sent")
	}
	return out, nil
}

// pause is a random time between half and all of a limit that doubles with each
// call that put nothing: workers that were refused together come back apart.
func pause(futile int) time.Duration {
	limit := min(minPause<<futile, maxPause)
	return limit/2 + rand.N(limit/2+1)
}
