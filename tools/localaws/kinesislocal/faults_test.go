package kinesislocal_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/fault"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal"
)

// impatient returns a client that does not retry.
func impatient(t *testing.T, s *kinesislocal.Server, http2 bool) *kinesis.Client {
	return kinesis.NewFromConfig(s.AWSConfig(), func(o *kinesis.Options) {
		o.Retryer = aws.NopRetryer{}
		o.HTTPClient = transport(t, http2)
	})
}

func setFaults(t *testing.T, s *kinesislocal.Server, rules ...fault.Rule) {
	t.Helper()
	if err := s.SetFaults(rules...); err != nil {
		t.Fatal(err)
	}
}

// Guarantee: An injected fault hits exactly its share of the calls.
func TestFaultsFailTheirShareOfCalls(t *testing.T) {
	t.Parallel()
	s := kinesislocal.StartTest(t, nil)
	client := impatient(t, s, false)
	createStream(t, client, "s", 1)
	for _, c := range []struct {
		kind fault.Kind
		call func() error
		want string
	}{
		{fault.Throttle, func() error { return putRecord(t.Context(), client, "s", "k", "x") }, "ProvisionedThroughputExceededException"},
		{fault.Throttle, func() error { _, err := client.ListStreams(t.Context(), &kinesis.ListStreamsInput{}); return err }, "LimitExceededException"},
		{fault.InternalError, func() error { return putRecord(t.Context(), client, "s", "k", "x") }, "InternalFailure"},
		{fault.Deny, func() error { return putRecord(t.Context(), client, "s", "k", "x") }, "AccessDeniedException"},
		{fault.DisableKey, func() error { return putRecord(t.Context(), client, "s", "k", "x") }, "KMSDisabledException"},
		{fault.ExpireIterator, func() error {
			_, err := client.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: iterator(t, client)})
			return err
		}, "ExpiredIteratorException"},
	} {
		setFaults(t, s, fault.Rule{Kind: c.kind, Rate: 0.25})
		if c.kind == fault.ExpireIterator {
			setFaults(t, s, fault.Rule{Kind: c.kind, Rate: 0.25, Operation: "GetRecords"})
		}
		failed := 0
		for range 20 {
			err := c.call()
			var api smithy.APIError
			if err != nil && (!errors.As(err, &api) || api.ErrorCode() != c.want) {
				t.Errorf("%s: error %v, want %s", c.kind, err, c.want)
			}
			if err != nil {
				failed++
			}
		}
		if failed != 5 {
			t.Errorf("%s: %d of 20 calls failed, want 5", c.kind, failed)
		}
	}
	setFaults(t, s, fault.Rule{Kind: fault.InternalError, Rate: 1, Operation: "PutRecords"})
	if err := putRecord(t.Context(), client, "s", "k", "x"); err != nil {
		t.Errorf("a call of another operation: %v", err)
	}
	setFaults(t, s)
	if err := putRecord(t.Context(), client, "s", "k", "x"); err != nil {
		t.Errorf("without rules: %v", err)
	}
}

func iterator(t *testing.T, c *kinesis.Client) *string {
	t.Helper()
	it, err := c.GetShardIterator(context.Background(), &kinesis.GetShardIteratorInput{StreamName: aws.String("s"), ShardId: aws.String(shard0), ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
	if err != nil {
		t.Fatal(err)
	}
	return it.ShardIterator
}

func TestPartialFaults(t *testing.T) {
	t.Parallel()
	s := kinesislocal.StartTest(t, nil)
	client := impatient(t, s, false)
	createStream(t, client, "s", 1)
	setFaults(t, s, fault.Rule{Kind: fault.PartialPut, Rate: 0.5})
	var in []types.PutRecordsRequestEntry
	for i := range 10 {
		in = append(in, types.PutRecordsRequestEntry{PartitionKey: aws.String("k"), Data: fmt.Append(nil, i)})
	}
	out, err := client.PutRecords(t.Context(), &kinesis.PutRecordsInput{StreamName: aws.String("s"), Records: in})
	if err != nil || *out.FailedRecordCount != 5 {
		t.Fatalf("response %+v, error %v", out, err)
	}
	var want []string
	for i, r := range out.Records {
		switch {
		case r.SequenceNumber != nil && r.ErrorCode == nil:
			want = append(want, fmt.Sprint(i, " ", *r.SequenceNumber))
		case r.SequenceNumber != nil || *r.ErrorCode != "InternalFailure" || *r.ErrorMessage == "":
			t.Errorf("record %d: %+v", i, r)
		}
	}
	setFaults(t, s)
	var got []string
	for _, r := range readShard(t, client, "s", shard0) {
		got = append(got, fmt.Sprint(string(r.Data), " ", *r.SequenceNumber))
	}
	if strings.Join(got, ",") != strings.Join(want, ",") {
		t.Errorf("stored %v, acknowledged %v", got, want)
	}
}

// The call runs, its response is lost, and so are all other calls on the
// connection.
func TestDroppedConnections(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprint("http2=", http2), func(t *testing.T) {
			s := kinesislocal.StartTest(t, nil)
			client := impatient(t, s, http2)
			createStream(t, client, "s", 1)
			arn := registerConsumer(t, client, "s", "reader")
			stream, err := subscribe(t.Context(), client, arn, shard0, types.StartingPosition{Type: types.ShardIteratorTypeLatest})
			if err != nil {
				t.Fatal(err)
			}
			defer stream.Close()
			setFaults(t, s, fault.Rule{Kind: fault.DropResponse, Rate: 1, Operation: "PutRecord"})
			err = putRecord(t.Context(), client, "s", "k", "x")
			var api smithy.APIError
			if err == nil || errors.As(err, &api) {
				t.Errorf("error %v, want one of the connection", err)
			}
			setFaults(t, s)
			if records := readShard(t, client, "s", shard0); len(records) != 1 {
				t.Errorf("%d records, want the one put", len(records))
			}
			if http2 { // both went over one connection
				for {
					if _, more := nextEvent(t, stream); !more {
						break
					}
				}
			}
		})
	}
}

func TestDropCutsSubscriptions(t *testing.T) {
	t.Parallel()
	s := kinesislocal.StartTest(t, nil)
	client := impatient(t, s, true)
	createStream(t, client, "s", 1)
	stream, err := subscribe(t.Context(), client, registerConsumer(t, client, "s", "reader"), shard0, types.StartingPosition{Type: types.ShardIteratorTypeLatest})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	setFaults(t, s, fault.Rule{Kind: fault.DropResponse, Rate: 0.5, Operation: "SubscribeToShard"})
	if err := putRecord(t.Context(), client, "s", "k", "first"); err != nil {
		t.Fatal(err)
	}
	if event, more := nextEvent(t, stream); !more || len(event.Records) != 1 {
		t.Fatalf("event %+v", event)
	}
	if err := putRecord(t.Context(), client, "s", "k", "second"); err != nil {
		t.Logf("the put shared the connection: %v", err)
	}
	if event, more := nextEvent(t, stream); more {
		t.Errorf("event %+v", event)
	}
}

// A slow call does not delay other calls.
func TestLatency(t *testing.T) {
	t.Parallel()
	s := kinesislocal.StartTest(t, nil)
	client := impatient(t, s, true)
	createStream(t, client, "s", 1)
	const latency = 200 * time.Millisecond
	setFaults(t, s, fault.Rule{Kind: fault.Latency, Rate: 1, Latency: latency, Operation: "PutRecord"})
	begin := time.Now()
	if err := putRecord(t.Context(), client, "s", "k", "x"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < latency {
		t.Errorf("the call took %s, want at least %s", took, latency)
	}
	setFaults(t, s, fault.Rule{Kind: fault.Latency, Rate: 1, Latency: time.Hour, Operation: "PutRecord"})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- putRecord(ctx, client, "s", "k", "x") }()
	if _, err := client.ListStreams(t.Context(), &kinesis.ListStreamsInput{}); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-done; err == nil {
		t.Error("a canceled call succeeded, want an error")
	}
}

// admin sends a request to the endpoint for faults.
func admin(t *testing.T, s *kinesislocal.Server, method, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, s.URL()+"/faults", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport(t, false).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestFaultsOverHTTP(t *testing.T) {
	t.Parallel()
	s := kinesislocal.StartTest(t, nil)
	client := impatient(t, s, false)
	createStream(t, client, "s", 1)
	rules := `[{"kind":"throttle","operation":"PutRecord","rate":0.5,"for":"1h0m0s"},{"kind":"latency","rate":1,"latency":"1ms","after":"1h0m0s"}]`
	if status, body := admin(t, s, http.MethodPut, rules); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	for range 4 {
		putRecord(t.Context(), client, "s", "k", "x")
	}
	status, body := admin(t, s, http.MethodGet, "")
	want := `[{"rule":{"kind":"throttle","operation":"PutRecord","rate":0.5,"for":"1h0m0s"},"hits":2},{"rule":{"kind":"latency","rate":1,"latency":"1ms","after":"1h0m0s"},"hits":0}]`
	if status != http.StatusOK || strings.TrimSpace(body) != want {
		t.Errorf("%d %s\nwant %s", status, body, want)
	}
	for _, bad := range []string{`{}`, `[{"kind":"throttle"}]`, `[{"kind":"rain","rate":1}]`, `[{"kind":"throttle","rate":1,"operation":"SubscribeToTea"}]`, `[{"kind":"latency","rate":1,"latency":"soon"}]`} {
		if status, body := admin(t, s, http.MethodPut, bad); status != http.StatusBadRequest || body == "" {
			t.Errorf("%s: %d %s", bad, status, body)
		}
	}
	if _, body := admin(t, s, http.MethodGet, ""); strings.TrimSpace(body) != want {
		t.Errorf("refused rules changed those in force: %s", body)
	}
	if status, body := admin(t, s, http.MethodDelete, ""); status != http.StatusOK || strings.TrimSpace(body) != "[]" {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := admin(t, s, http.MethodPost, "[]"); status != http.StatusMethodNotAllowed {
		t.Errorf("POST: status %d, want %d", status, http.StatusMethodNotAllowed)
	}
	for range 4 {
		if err := putRecord(t.Context(), client, "s", "k", "x"); err != nil {
			t.Error(err)
		}
	}
}

func TestThroughputLimitsThroughTheSDK(t *testing.T) {
	t.Parallel()
	s := kinesislocal.StartTest(t, &kinesislocal.Options{ThroughputLimits: true})
	client := impatient(t, s, false)
	createStream(t, client, "s", 1)
	var in []types.PutRecordsRequestEntry
	for range 400 {
		in = append(in, types.PutRecordsRequestEntry{PartitionKey: aws.String("k"), Data: make([]byte, 20_000)})
	}
	out, err := client.PutRecords(t.Context(), &kinesis.PutRecordsInput{StreamName: aws.String("s"), Records: in})
	if err != nil {
		t.Fatal(err)
	}
	last := out.Records[399] // 8 MB take eight seconds to write
	if *out.FailedRecordCount < 300 || last.ErrorCode == nil || *last.ErrorCode != "ProvisionedThroughputExceededException" {
		t.Errorf("%d failed, the last with %+v", *out.FailedRecordCount, last)
	}
	_, err = client.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: aws.String("s"), PartitionKey: aws.String("k"), Data: make([]byte, 1<<20-1)})
	var exceeded *types.ProvisionedThroughputExceededException
	if !errors.As(err, &exceeded) {
		t.Errorf("error %v, want %T", err, exceeded)
	}
}

func FuzzRuleJSON(f *testing.F) {
	f.Add(`{"kind":"latency","rate":1,"latency":"1ms","after":"1h","for":"2h"}`)
	f.Add(`{"kind":"drop-response","operation":"GetRecords","rate":0.05}`)
	f.Add(`{"rate":1e400}`)
	f.Fuzz(func(t *testing.T, text string) {
		var r fault.Rule
		if json.Unmarshal([]byte(text), &r) != nil {
			return
		}
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var again fault.Rule
		if err := json.Unmarshal(b, &again); err != nil || again != r {
			t.Fatalf("%s becomes %s: %+v and %+v, error %v", text, b, r, again, err)
		}
	})
}
