package resources

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
	"github.com/seed96110120/kinesis-client-go/infra/internal/rewind"
)

// readEvery keeps within the five calls a second that AWS takes for a shard; tests read
// more often.
var readEvery = 200 * time.Millisecond

const (
	// atOnce is how many shards are read at the same time.
	atOnce = 16
	// oldest is how far back records may be.
	oldest = 366 * 24 * time.Hour
	// slack is for clocks and for what AWS rounds.
	slack = 10 * time.Second
)

// shardReader reads a shard, within the limits of AWS.
type shardReader struct {
	app    *App
	stream kcl.Stream
	shard  kinesistypes.Shard
	last   time.Time // a call
}

// read calls each with the records of each page from a position on, and how old the
// place is that it has come to, until each returns false or nothing is left now.
func (r *shardReader) read(ctx context.Context, from kinesis.GetShardIteratorInput, limit int32, each func(records []kinesistypes.Record, behind time.Duration) bool) error {
	from.StreamName, from.StreamARN = nameOrARN(r.stream)
	from.ShardId = r.shard.ShardId
	did := fmt.Sprintf("read shard %s of stream %s", *r.shard.ShardId, r.stream)
	at, err := r.app.Kinesis.GetShardIterator(ctx, &from)
	if err != nil {
		return r.app.kinesisError(did, err)
	}
	for iterator := at.ShardIterator; iterator != nil; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(r.last.Add(readEvery))):
		}
		page, err := r.app.Kinesis.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: iterator, StreamARN: from.StreamARN, Limit: &limit})
		r.last = time.Now()
		if err != nil {
			return r.app.kinesisError(did, err)
		}
		behind := time.Duration(aws.ToInt64(page.MillisBehindLatest)) * time.Millisecond
		if !each(page.Records, behind) || len(page.Records) == 0 && behind == 0 {
			return nil
		}
		iterator = page.NextShardIterator
	}
	return nil
}

// first returns the first record from a position on, nil if there is none. It may
// stop behind a time.
func (r *shardReader) first(ctx context.Context, from kinesis.GetShardIteratorInput, until time.Time) (first *kinesistypes.Record, err error) {
	err = r.read(ctx, from, 1, func(records []kinesistypes.Record, behind time.Duration) bool {
		if len(records) > 0 {
			first = &records[0]
		}
		return first == nil && time.Now().Add(-behind-slack).Before(until)
	})
	return first, err
}

func trimHorizon() kinesis.GetShardIteratorInput {
	return kinesis.GetShardIteratorInput{ShardIteratorType: kinesistypes.ShardIteratorTypeTrimHorizon}
}

func atTime(t time.Time) kinesis.GetShardIteratorInput {
	return kinesis.GetShardIteratorInput{ShardIteratorType: kinesistypes.ShardIteratorTypeAtTimestamp, Timestamp: &t}
}

func atSequence(sequence string) kinesis.GetShardIteratorInput {
	return kinesis.GetShardIteratorInput{ShardIteratorType: kinesistypes.ShardIteratorTypeAtSequenceNumber, StartingSequenceNumber: &sequence}
}

// before returns the last record before one, nil when that is the first that is left.
// With next nil it is the last of all. No other record has come since high.
func (r *shardReader) before(ctx context.Context, next *kinesistypes.Record, high time.Time) (*kinesistypes.Record, error) {
	earlier := func(record *kinesistypes.Record) bool {
		return record != nil && (next == nil || sequence(record).Cmp(sequence(next)) < 0)
	}
	low, err := r.first(ctx, trimHorizon(), high)
	if err != nil || !earlier(low) {
		return nil, err
	}
	// The record is between low and high. Most often it is not far from high.
	closer := func(at time.Time) error {
		record, err := r.first(ctx, atTime(at), high)
		if earlier(record) {
			low = record
		} else {
			high = at
		}
		return err
	}
	const near = time.Second
	for back := near; back < oldest; back *= 8 {
		from := high.Add(-back)
		if !from.After(*low.ApproximateArrivalTimestamp) {
			break
		}
		known := low
		if err := closer(from); err != nil {
			return nil, err
		}
		if low != known {
			break
		}
	}
	for {
		apart := high.Sub(*low.ApproximateArrivalTimestamp)
		if apart <= near {
			break
		}
		known, until := low, high
		if err := closer(high.Add(-apart / 2)); err != nil {
			return nil, err
		}
		if high.Equal(until) && sequence(low).Cmp(sequence(known)) <= 0 {
			break // a Kinesis that takes whole seconds alone comes no closer
		}
	}
	err = r.read(ctx, atSequence(*low.SequenceNumber), 10_000, func(records []kinesistypes.Record, behind time.Duration) bool {
		for i := range records {
			if !earlier(&records[i]) {
				return false
			}
			low = &records[i]
		}
		return time.Now().Add(-behind - slack).Before(high)
	})
	return low, err
}

// has tells whether the shard has the record at a checkpoint, or may have had it.
func (r *shardReader) has(ctx context.Context, checkpoint string) (bool, error) {
	until := time.Now().Add(slack)
	record, err := r.first(ctx, atSequence(checkpoint), until)
	if none := (*kinesistypes.InvalidArgumentException)(nil); errors.As(err, &none) {
		return false, nil // AWS knows by the number that it is of another shard
	}
	if err != nil || record != nil && isAt(*record, checkpoint) {
		return err == nil, err
	}
	left, err := r.first(ctx, trimHorizon(), until)
	at, _ := new(big.Int).SetString(checkpoint, 10)
	return left == nil || sequence(left).Cmp(at) > 0, err
}

func sequence(record *kinesistypes.Record) *big.Int {
	n, ok := new(big.Int).SetString(aws.ToString(record.SequenceNumber), 10)
	if !ok {
		return big.NewInt(-1)
	}
	return n
}

// target returns where the records from a time on begin in a shard.
func (a *App) target(ctx context.Context, s stream, shard kinesistypes.Shard, at time.Time) (rewind.Target, error) {
	r := &shardReader{app: a, stream: s.Stream, shard: shard}
	first, err := r.first(ctx, atTime(at), time.Now().Add(slack))
	if err != nil {
		return rewind.Target{}, err
	}
	if first == nil && shard.SequenceNumberRange != nil && shard.SequenceNumberRange.EndingSequenceNumber != nil {
		return rewind.Target{Over: true}, nil
	}
	return r.target(ctx, first, at, at)
}

// target returns the place before the first record that is meant, nil for the end of the
// shard. The records from at on are meant; no other record has come since high.
func (r *shardReader) target(ctx context.Context, first *kinesistypes.Record, at, high time.Time) (rewind.Target, error) {
	t := rewind.Target{At: rewind.Checkpoint{Sequence: kcl.TrimHorizon}, Time: at}
	before, err := r.before(ctx, first, high)
	if before != nil {
		t.At = rewind.Checkpoint{Sequence: *before.SequenceNumber}
		if bytes.HasPrefix(before.Data, aggregated) {
			t.At.Sub = rewind.WholeRecord
		}
	}
	return t, err
}

// aggregated is what a record begins with that holds several of the Kinesis Producer
// Library's.
var aggregated = []byte{0xf3, 0x89, 0x9a, 0xc2}

// targets looks for where the records from a time on begin in each shard.
func (a *App) targets(ctx context.Context, s stream, shards []kinesistypes.Shard, at time.Time) (map[string]rewind.Target, error) {
	targets := map[string]rewind.Target{}
	for next := rewind.Next(shards, targets); len(next) > 0; next = rewind.Next(shards, targets) {
		a.Progress("looking for the records of %d shards of stream %s", len(next), s)
		found := make([]rewind.Target, len(next))
		err := each(ctx, len(next), func(ctx context.Context, i int) (err error) {
			found[i], err = a.target(ctx, s, next[i], at)
			return err
		})
		if err != nil {
			return nil, err
		}
		for i, shard := range next {
			targets[*shard.ShardId] = found[i]
		}
	}
	return targets, nil
}

// each calls do for each number below n, for some at once, until one fails.
func each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wait sync.WaitGroup
	free := make(chan struct{}, atOnce)
	for i := range n {
		wait.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			if err := do(ctx, i); err != nil {
				cancel(err) // the first error stays
			}
		})
	}
	wait.Wait()
	return context.Cause(ctx)
}

// sequenceTarget returns the place of a record in a shard.
func (a *App) sequenceTarget(ctx context.Context, s stream, shard kinesistypes.Shard, at string) (rewind.Target, error) {
	r := &shardReader{app: a, stream: s.Stream, shard: shard}
	first, err := r.first(ctx, atSequence(at), time.Now().Add(slack))
	if err != nil {
		return rewind.Target{}, err
	}
	if first == nil || *first.SequenceNumber != at {
		return rewind.Target{}, fmt.Errorf("shard %s of stream %s has no record %s: it is older than what the stream keeps, or of another shard", *shard.ShardId, s, at)
	}
	arrival := *first.ApproximateArrivalTimestamp
	return r.target(ctx, first, arrival, arrival.Add(time.Millisecond))
}
