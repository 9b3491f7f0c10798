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

// readEvery is the pause between two reads of a shard: AWS allows five per second. Tests
// set it.
var readEvery = 200 * time.Millisecond

const (
	// maxConcurrentReads is how many shards are read at the same time.
	maxConcurrentReads = 16
	// oldest is the maximum age of a record.
	oldest = 366 * 24 * time.Hour
	// slack allows for clocks that differ and for times that AWS rounds.
	slack = 10 * time.Second
)

// shardReader reads a shard within AWS's limits.
type shardReader struct {
	app    *App
	stream kcl.Stream
	shard  kinesistypes.Shard
	last   time.Time // of the last call
}

// read calls page with the records of each page from a position on, and with how far the
// page is behind the newest record in time. It returns when page returns false or nothing
// is left to read.
func (r *shardReader) read(ctx context.Context, from kinesis.GetShardIteratorInput, limit int32, page func(records []kinesistypes.Record, behind time.Duration) bool) error {
	from.StreamName, from.StreamARN = nameOrARN(r.stream)
	from.ShardId = r.shard.ShardId
	action := fmt.Sprintf("read shard %s of stream %s", *r.shard.ShardId, r.stream)
	at, err := r.app.Kinesis.GetShardIterator(ctx, &from)
	if err != nil {
		return r.app.kinesisError(action, err)
	}
	for iterator := at.ShardIterator; iterator != nil; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(r.last.Add(readEvery))):
		}
		out, err := r.app.Kinesis.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: iterator, StreamARN: from.StreamARN, Limit: &limit})
		r.last = time.Now()
		if err != nil {
			return r.app.kinesisError(action, err)
		}
		behind := time.Duration(aws.ToInt64(out.MillisBehindLatest)) * time.Millisecond
		if !page(out.Records, behind) || len(out.Records) == 0 && behind == 0 {
			return nil
		}
		iterator = out.NextShardIterator
	}
	return nil
}

// first returns the first record from a position on, and nil if there is none. It need not
// look beyond the time until.
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

// before returns the last record before next, and nil if next is the first record that is
// left. If next is nil, it returns the last record. No other record arrived after high.
func (r *shardReader) before(ctx context.Context, next *kinesistypes.Record, high time.Time) (*kinesistypes.Record, error) {
	earlier := func(record *kinesistypes.Record) bool {
		return record != nil && (next == nil || sequence(record).Cmp(sequence(next)) < 0)
	}
	low, err := r.first(ctx, trimHorizon(), high)
	if err != nil || !earlier(low) {
		return nil, err
	}
	// The record is between low and high, and usually close to high.
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
			break // a Kinesis that rounds times to seconds gets no closer
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

// has reports whether the shard has the record at a checkpoint, or may have had it.
func (r *shardReader) has(ctx context.Context, checkpoint string) (bool, error) {
	until := time.Now().Add(slack)
	record, err := r.first(ctx, atSequence(checkpoint), until)
	if none := (*kinesistypes.InvalidArgumentException)(nil); errors.As(err, &none) {
		return false, nil // AWS sees from the number that it belongs to another shard
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

// timeTarget returns the target in a shard for the records from a time on.
func (a *App) timeTarget(ctx context.Context, s stream, shard kinesistypes.Shard, at time.Time) (rewind.Target, error) {
	r := &shardReader{app: a, stream: s.Stream, shard: shard}
	first, err := r.first(ctx, atTime(at), time.Now().Add(slack))
	if err != nil {
		return rewind.Target{}, err
	}
	if first == nil && shard.SequenceNumberRange != nil && shard.SequenceNumberRange.EndingSequenceNumber != nil {
		return rewind.Target{Exhausted: true}, nil
	}
	return r.target(ctx, first, at, at)
}

// target returns the target before first, or the end of the shard if first is nil. at is
// the time of the target. No other record arrived after high.
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

// aggregated is the beginning of a record in which the Kinesis Producer Library packed
// several records.
var aggregated = []byte{0xf3, 0x89, 0x9a, 0xc2}

// timeTargets returns the target in each shard for the records from a time on.
func (a *App) timeTargets(ctx context.Context, s stream, shards []kinesistypes.Shard, at time.Time) (map[string]rewind.Target, error) {
	targets := map[string]rewind.Target{}
	for next := rewind.NextShards(shards, targets); len(next) > 0; next = rewind.NextShards(shards, targets) {
		a.logf("searching %d shards of stream %s for records", len(next), s)
		found := make([]rewind.Target, len(next))
		err := forEach(ctx, len(next), func(ctx context.Context, i int) (err error) {
			found[i], err = a.timeTarget(ctx, s, next[i], at)
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

// forEach calls do for each number below n, with maxConcurrentReads calls at a time. It
// returns the first error.
func forEach(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wait sync.WaitGroup
	free := make(chan struct{}, maxConcurrentReads)
	for i := range n {
		wait.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			if err := do(ctx, i); err != nil {
				cancel(err) // keeps the first error
			}
		})
	}
	wait.Wait()
	return context.Cause(ctx)
}

// sequenceTarget returns the target in a shard for a record and those after it.
func (a *App) sequenceTarget(ctx context.Context, s stream, shard kinesistypes.Shard, at string) (rewind.Target, error) {
	r := &shardReader{app: a, stream: s.Stream, shard: shard}
	first, err := r.first(ctx, atSequence(at), time.Now().Add(slack))
	if err != nil {
		return rewind.Target{}, err
	}
	if first == nil || *first.SequenceNumber != at {
		return rewind.Target{}, fmt.Errorf("shard %s of stream %s has no record %s: it has expired, or belongs to another shard", *shard.ShardId, s, at)
	}
	arrival := *first.ApproximateArrivalTimestamp
	return r.target(ctx, first, arrival, arrival.Add(time.Millisecond))
}
