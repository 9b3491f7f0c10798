// Package stream describes the stream to put records into, creates it, and waits until
// it accepts records.
package stream

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// DefaultMaxRecordSize is the maximum size of a record in bytes, partition key and data,
// unless the stream is configured to allow more.
const DefaultMaxRecordSize = 1 << 20

// activeTimeout bounds the wait for ACTIVE. AWS needs about half a minute.
const activeTimeout = 5 * time.Minute

var validName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,128}$`)

// ValidName reports whether name can be the name of a stream.
func ValidName(name string) bool { return validName.MatchString(name) }

// API is the part of *kinesis.Client that this package calls.
type API interface {
	DescribeStreamSummary(context.Context, *kinesis.DescribeStreamSummaryInput, ...func(*kinesis.Options)) (*kinesis.DescribeStreamSummaryOutput, error)
	CreateStream(context.Context, *kinesis.CreateStreamInput, ...func(*kinesis.Options)) (*kinesis.CreateStreamOutput, error)
}

// State is the state of a stream.
type State struct {
	Exists bool
	Status types.StreamStatus
	// Shards is the number of open shards.
	Shards int
	// MaxRecordSize is the maximum size of a record in bytes, partition key and data.
	MaxRecordSize int
}

// Ready reports whether the stream accepts records.
func (s State) Ready() bool {
	return s.Status == types.StreamStatusActive || s.Status == types.StreamStatusUpdating
}

// Describe returns the state of a stream. It is no error if the stream does not exist.
func Describe(ctx context.Context, api API, name string, options ...func(*kinesis.Options)) (State, error) {
	out, err := api.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &name}, options...)
	if notFound(err) {
		return State{MaxRecordSize: DefaultMaxRecordSize}, nil
	}
	if err != nil {
		return State{}, err
	}
	d := out.StreamDescriptionSummary
	if d == nil {
		return State{}, fmt.Errorf("DescribeStreamSummary returned no description of stream %s", name)
	}
	s := State{
		Exists:        true,
		Status:        d.StreamStatus,
		Shards:        int(aws.ToInt32(d.OpenShardCount)),
		MaxRecordSize: DefaultMaxRecordSize,
	}
	if d.MaxRecordSizeInKiB != nil {
		s.MaxRecordSize = int(*d.MaxRecordSizeInKiB) << 10
	}
	return s, nil
}

// Create creates a stream. It is no error if someone else creates it at the same time.
func Create(ctx context.Context, api API, name string, shards int) error {
	_, err := api.CreateStream(ctx, &kinesis.CreateStreamInput{
		StreamName: &name,
		ShardCount: aws.Int32(int32(shards)),
	})
	var inUse *types.ResourceInUseException
	if errors.As(err, &inUse) {
		return nil
	}
	return err
}

// WaitActive waits until the stream accepts records. It polls, and calls progress at each
// poll at which the stream does not.
func WaitActive(ctx context.Context, api API, name string, progress func(State)) (State, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, activeTimeout,
		fmt.Errorf("stream %s did not become ACTIVE within %v", name, activeTimeout))
	defer cancel()
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		s, err := Describe(ctx, api, name)
		switch {
		case ctx.Err() != nil:
			return s, context.Cause(ctx)
		case err != nil:
			return s, err
		case s.Ready():
			return s, nil
		case s.Status == types.StreamStatusDeleting:
			return s, fmt.Errorf("stream %s is being deleted: wait until it is gone, then run again", name)
		}
		progress(s)
		select {
		case <-ctx.Done():
			return s, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

func notFound(err error) bool {
	var missing *types.ResourceNotFoundException
	return errors.As(err, &missing)
}
