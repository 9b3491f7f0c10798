// Package put puts records into a stream with PutRecords:
//
//	batcher := put.NewBatcher(ctx, source, nil)
//	putter := put.NewPutter(client, "orders", nil)
//	batch, err := batcher.Next(ctx)
//	results, err := putter.Put(ctx, batch)
//
// One call follows another. Records that a call failed to put are put again, in their
// order, before the next call. So batches never overtake each other. Within a call
// Kinesis promises no order: it may refuse a record and accept a later one with the same
// partition key, which then has the lower sequence number.
package put

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/producer/internal/record"
)

// Limits of one call of PutRecords: records, and bytes of partition keys and data.
const (
	MaxRecords = 500
	MaxBytes   = 10 << 20
)

const (
	// maxCallsWithoutProgress is after how many calls in a row that put nothing Put
	// gives up. It has then waited for about half a minute.
	maxCallsWithoutProgress = 10
	// maxAttempts is how often the SDK sends a call that is refused as a whole, for
	// example because it is throttled. The SDK pauses between the attempts.
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

// WasPut reports whether the record was put.
func (r Result) WasPut() bool { return r.SequenceNumber != "" }

// RefusedError is the error of Put if Kinesis kept refusing records.
type RefusedError struct {
	// Records is how many records were refused. Calls is how many calls in a row put
	// none of them.
	Records, Calls int
	// Code and Message are Kinesis's, for the last record that was refused.
	Code, Message string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("%d records refused %d times in a row, last with %s: %s", e.Records, e.Calls, e.Code, e.Message)
}

// Putter puts records into one stream. Its methods must not be called concurrently: that
// would lose the order of the records.
type Putter struct {
	api    API
	stream string
	opts   PutterOptions
}

// PutterOptions are the optional settings of a Putter.
type PutterOptions struct {
	// OnRetry is called before records are put again, with the number of records that
	// a call refused and Kinesis's code for the last of them. Defaults to no call.
	OnRetry func(records int, code string)
}

// NewPutter returns a Putter for the named stream. A nil opts means the defaults.
func NewPutter(api API, stream string, opts *PutterOptions) *Putter {
	p := &Putter{api: api, stream: stream}
	if opts != nil {
		p.opts = *opts
	}
	if p.opts.OnRetry == nil {
		p.opts.OnRetry = func(int, string) {}
	}
	return p
}

// Put puts a batch of at most MaxRecords and MaxBytes. It puts refused records again,
// with growing pauses. It returns one Result for each record, at the record's index, even
// with an error. If a call got no answer, the records whose Result is not WasPut may or
// may not have been put.
func (p *Putter) Put(ctx context.Context, batch []record.Record) ([]Result, error) {
	results := make([]Result, len(batch))
	waiting := make([]int, len(batch))
	for i := range batch {
		waiting[i] = i
	}
	for withoutProgress := 0; len(waiting) > 0; {
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
			withoutProgress++
		} else {
			withoutProgress = 0
		}
		if withoutProgress >= maxCallsWithoutProgress {
			return results, &RefusedError{
				Records: len(refused), Calls: withoutProgress,
				Code: aws.ToString(last.ErrorCode), Message: aws.ToString(last.ErrorMessage),
			}
		}
		p.opts.OnRetry(len(refused), aws.ToString(last.ErrorCode))
		waiting = refused
		select {
		case <-ctx.Done():
			return results, ctx.Err()
		case <-time.After(pause(withoutProgress)):
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
		return nil, fmt.Errorf("PutRecords returned %d results for %d records", len(out.Records), len(which))
	}
	return out, nil
}

// pause returns a random time between half of a limit and the limit, which doubles with
// each call that put nothing. So producers that were refused together do not come back
// together.
func pause(withoutProgress int) time.Duration {
	limit := min(minPause<<withoutProgress, maxPause)
	return limit/2 + rand.N(limit/2+1)
}
