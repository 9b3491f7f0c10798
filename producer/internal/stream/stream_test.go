package stream

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// fakeKinesis answers DescribeStreamSummary with one status after another, and then keeps
// the last. The status "" means that the stream does not exist.
type fakeKinesis struct {
	statuses  []types.StreamStatus
	maxKiB    *int32
	createErr error
}

func (k *fakeKinesis) DescribeStreamSummary(context.Context, *kinesis.DescribeStreamSummaryInput, ...func(*kinesis.Options)) (*kinesis.DescribeStreamSummaryOutput, error) {
	status := k.statuses[0]
	if len(k.statuses) > 1 {
		k.statuses = k.statuses[1:]
	}
	if status == "" {
		return nil, &types.ResourceNotFoundException{}
	}
	return &kinesis.DescribeStreamSummaryOutput{StreamDescriptionSummary: &types.StreamDescriptionSummary{
		StreamStatus: status, OpenShardCount: aws.Int32(3), MaxRecordSizeInKiB: k.maxKiB,
	}}, nil
}

func (k *fakeKinesis) CreateStream(context.Context, *kinesis.CreateStreamInput, ...func(*kinesis.Options)) (*kinesis.CreateStreamOutput, error) {
	return &kinesis.CreateStreamOutput{}, k.createErr
}

func TestDescribe(t *testing.T) {
	s, err := Describe(t.Context(), &fakeKinesis{statuses: []types.StreamStatus{""}}, "s")
	if err != nil || s.Exists || s.MaxRecordSize != DefaultMaxRecordSize {
		t.Errorf("missing stream: %+v, error %v", s, err)
	}
	s, err = Describe(t.Context(), &fakeKinesis{statuses: []types.StreamStatus{"ACTIVE"}, maxKiB: aws.Int32(10240)}, "s")
	if err != nil || !s.Exists || s.Shards != 3 || s.MaxRecordSize != 10<<20 {
		t.Errorf("stream: %+v, error %v, want 3 shards and records of 10 MiB", s, err)
	}
}

func TestCreateByAnotherIsNoError(t *testing.T) {
	if err := Create(t.Context(), &fakeKinesis{createErr: &types.ResourceInUseException{}}, "s", 1); err != nil {
		t.Error(err)
	}
	if err := Create(t.Context(), &fakeKinesis{createErr: &types.LimitExceededException{}}, "s", 1); err == nil {
		t.Error("no error at the limit of streams, want one")
	}
}

func TestAwait(t *testing.T) {
	tests := []struct {
		statuses []types.StreamStatus
		polls    int
		wantErr  string
	}{
		{[]types.StreamStatus{"ACTIVE"}, 0, ""},
		{[]types.StreamStatus{"UPDATING"}, 0, ""},
		{[]types.StreamStatus{"", "CREATING", "CREATING", "ACTIVE"}, 3, ""},
		{[]types.StreamStatus{"CREATING", "DELETING"}, 1, "being deleted"},
		{[]types.StreamStatus{"CREATING"}, -1, "did not become ACTIVE"},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			polls := 0
			began := time.Now()
			_, err := WaitActive(t.Context(), &fakeKinesis{statuses: tt.statuses}, "s", func(State) { polls++ })
			if (err == nil) != (tt.wantErr == "") || err != nil && !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("%v: error %v, want %q", tt.statuses, err, tt.wantErr)
			}
			if tt.polls >= 0 && polls != tt.polls {
				t.Errorf("%v: %d polls reported, want %d", tt.statuses, polls, tt.polls)
			}
			if time.Since(began) > activeTimeout {
				t.Errorf("%v: waited %v, want at most %v", tt.statuses, time.Since(began), activeTimeout)
			}
		})
	}
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := WaitActive(ctx, &fakeKinesis{statuses: []types.StreamStatus{"CREATING"}}, "s", func(State) { cancel() })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want %v", err, context.Canceled)
		}
	})
}

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"kclgosample": true, "a_b.c-9": true, strings.Repeat("x", 128): true,
		"": false, "a b": false, "a/b": false, "größe": false, strings.Repeat("x", 129): false, "a\n": false,
	} {
		if ValidName(name) != want {
			t.Errorf("ValidName(%q) is %v, want %v", name, !want, want)
		}
	}
}
