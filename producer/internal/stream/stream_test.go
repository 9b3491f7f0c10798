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

// fakeKinesis answers DescribeStreamSummary with one status after another, the
// last for ever; "" is a stream that is not there.
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
		t.Errorf("missing stream: %+v, %v", s, err)
	}
	s, err = Describe(t.Context(), &fakeKinesis{statuses: []types.StreamStatus{"ACTIVE"}, maxKiB: aws.Int32(10240)}, "s")
	if err != nil || !s.Exists || s.Shards != 3 || s.MaxRecordSize != 10<<20 {
		t.Errorf("stream: %+v, %v", s, err)
	}
}

func TestCreateByAnotherIsNoError(t *testing.T) {
	if err := Create(t.Context(), &fakeKinesis{createErr: &types.ResourceInUseException{}}, "s", 1); err != nil {
		t.Error(err)
	}
	if err := Create(t.Context(), &fakeKinesis{createErr: &types.LimitExceededException{}}, "s", 1); err == nil {
		t.Error("a limit is an error")
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
			_, err := Await(t.Context(), &fakeKinesis{statuses: tt.statuses}, "s", func(State) { polls++ })
			if (err == nil) != (tt.wantErr == "") || err != nil && !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("%v: error %v", tt.statuses, err)
			}
			if tt.polls >= 0 && polls != tt.polls {
				t.Errorf("%v: %d polls reported", tt.statuses, polls)
			}
			if time.Since(began) > activeTimeout {
				t.Errorf("%v: waited %v", tt.statuses, time.Since(began))
			}
		})
	}
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := Await(ctx, &fakeKinesis{statuses: []types.StreamStatus{"CREATING"}}, "s", func(State) { cancel() })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
}

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"kclgosample": true, "a_b.c-9": true, strings.Repeat("x", 128): true,
		"": false, "a b": false, "a/b": false, "größe": false, strings.Repeat("x", 129): false, "a\n": false,
	} {
		if ValidName(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}
