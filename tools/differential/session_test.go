package differential

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
)

// A session is a run of a script with one endpoint.
type session struct {
	t      *testing.T
	client *kinesis.Client
	ctx    context.Context
	steps  []step
	// sequences maps sequence numbers to their rank by first appearance.
	sequences map[string]int
}

// A step is a call and its normalised answer: JSON, or an error's code.
type step struct{ name, answer string }

func newSession(t *testing.T, url string) *session {
	return &session{
		t:   t,
		ctx: t.Context(),
		client: kinesis.New(kinesis.Options{
			BaseEndpoint: &url,
			Region:       "us-east-1",
			Credentials:  credentials.NewStaticCredentialsProvider("test", "test", ""),
			Retryer:      aws.NopRetryer{},
		}),
		sequences: make(map[string]int),
	}
}

// record records a call's answer under a name that is unique in the script. It returns out,
// or a zero value instead of nil.
func record[T any](s *session, name string, out *T, err error) *T {
	s.t.Helper()
	s.steps = append(s.steps, step{name, s.normalise(name, out, err)})
	if out == nil {
		out = new(T)
	}
	return out
}

func (s *session) normalise(name string, out any, err error) string {
	s.t.Helper()
	var api smithy.APIError
	switch {
	case errors.As(err, &api):
		return "error " + api.ErrorCode()
	case err != nil:
		s.t.Fatalf("%s: %v", name, err)
	}
	text, err := json.Marshal(out)
	if err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	var tree any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	text, err = json.Marshal(s.walk("", tree))
	if err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	return string(text)
}

// timeSuffix is the end of a consumer's ARN.
var timeSuffix = regexp.MustCompile(`:\d{6,}$`)

// walk replaces values that differ between services: sequence numbers of records by their
// rank, so that equal ones stay equal; sequence numbers of shards, tokens and times by a
// fixed text. Nothing, an empty list and an encryption of NONE are equal.
func (s *session) walk(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "ResultMetadata")
		for k, x := range v {
			if x = s.walk(k, x); x == nil {
				delete(v, k)
			} else {
				v[k] = x
			}
		}
		if len(v) == 0 && key != "" {
			return nil
		}
		return v
	case []any:
		if len(v) == 0 {
			return nil
		}
		for i := range v {
			v[i] = s.walk(key, v[i])
		}
		if key == "ParentShards" { // their order is not documented
			slices.SortFunc(v, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
		}
		return v
	case string:
		switch {
		case v == "":
			return nil
		case key == "StartingSequenceNumber" || key == "EndingSequenceNumber":
			return "sequence number"
		case key == "SequenceNumber":
			if _, ok := s.sequences[v]; !ok {
				s.sequences[v] = len(s.sequences) + 1
			}
			return fmt.Sprintf("sequence number %d", s.sequences[v])
		case key == "EncryptionType" && v == "NONE":
			return nil // the reference's examples lack it
		case strings.HasSuffix(key, "Iterator") || key == "NextToken":
			return "token"
		case strings.HasSuffix(key, "Timestamp") || key == "Timestamp":
			return "time"
		case strings.HasSuffix(key, "ARN"):
			return timeSuffix.ReplaceAllString(v, ":time")
		}
	case json.Number:
		if key == "MillisBehindLatest" && v != "0" {
			return "behind"
		}
	}
	return v
}

// check fails the test if a call failed that must not.
func (s *session) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// active waits until the stream is ACTIVE. Each service may take another time.
func (s *session) active(stream string) {
	s.t.Helper()
	s.until(stream+" is active", func() bool {
		out, err := s.client.DescribeStreamSummary(s.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &stream})
		return err == nil && out.StreamDescriptionSummary.StreamStatus == types.StreamStatusActive
	})
}

// gone waits until the stream does not exist.
func (s *session) gone(stream string) {
	s.t.Helper()
	s.until(stream+" is gone", func() bool {
		_, err := s.client.DescribeStreamSummary(s.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &stream})
		return errors.As(err, new(*types.ResourceNotFoundException))
	})
}

func (s *session) until(what string, done func() bool) {
	s.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !done() {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited a minute, and still not: %s", what)
		}
		select {
		case <-s.ctx.Done():
			s.t.Fatal(context.Cause(s.ctx))
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// stream makes an active stream, which is deleted at the end of the test.
func (s *session) stream(name string, shards int32) string {
	s.t.Helper()
	_, err := s.client.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: &name, ShardCount: &shards})
	if err != nil {
		s.t.Fatalf("create %s: %v", name, err)
	}
	s.active(name)
	s.t.Cleanup(func() {
		_, _ = s.client.DeleteStream(context.Background(), &kinesis.DeleteStreamInput{StreamName: &name, EnforceConsumerDeletion: aws.Bool(true)})
	})
	return name
}

// shard returns the ID of a shard by its number.
func shard(n int) *string { return aws.String(fmt.Sprintf("shardId-%012d", n)) }
