package kinesislocal_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// transport returns an HTTP client that uses one protocol only.
func transport(t *testing.T, http2 bool) *http.Client {
	var p http.Protocols
	p.SetHTTP1(!http2)
	p.SetUnencryptedHTTP2(http2)
	tr := &http.Transport{Protocols: &p}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: plainBodies{tr}}
}

// plainBodies hides from net/http that the SDK's bodies are an io.WriterTo.
// net/http may read the end of a body that the SDK has already closed, because
// the response has come. smithy-go 1.28.8 returns an error then, and HTTP/1.1
// cuts the connection.
type plainBodies struct{ http.RoundTripper }

func (p plainBodies) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return p.RoundTripper.RoundTrip(r)
}

type answer struct {
	status int
	header http.Header
	proto  string
	body   []byte
}

func post(t *testing.T, c *http.Client, url, operation, contentType string, body []byte) answer {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("X-Amz-Target", "Kinesis_20131202."+operation)
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, resp.Proto, b}
}

func TestStartFailsWithOneClearLine(t *testing.T) {
	t.Parallel()
	s := kinesislocal.StartTest(t, nil)
	taken := strings.TrimPrefix(s.URL(), "http://")
	for name, opts := range map[string]*kinesislocal.Options{
		taken:      {Addr: taken},
		"nonsense": {Addr: "nonsense"},
		"-1s":      {TransitionDelay: -time.Second},
		"-2s":      {SubscriptionLifetime: -2 * time.Second},
		"16777216": {MaxMemory: 1 << 20},
		"99999":    {Addr: "127.0.0.1:99999"},
	} {
		_, err := kinesislocal.Start(opts)
		if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v, want one line with %q", name, err, name)
		}
	}
}

// One error lists all options that are out of range.
func TestStartListsAllBadOptions(t *testing.T) {
	t.Parallel()
	_, err := kinesislocal.Start(&kinesislocal.Options{TransitionDelay: -1, SubscriptionLifetime: -1, MaxMemory: 1})
	for _, field := range []string{"TransitionDelay", "SubscriptionLifetime", "MaxMemory"} {
		if err == nil || !strings.Contains(err.Error(), "kinesislocal: Options."+field+": ") {
			t.Errorf("error %v, want one with Options.%s", err, field)
		}
	}
}

func TestURLCanBeDialled(t *testing.T) {
	t.Parallel()
	s := kinesislocal.StartTest(t, &kinesislocal.Options{Addr: ":0"})
	if !strings.HasPrefix(s.URL(), "http://127.0.0.1:") {
		t.Errorf("URL %s, want http://127.0.0.1:PORT", s.URL())
	}
	c := transport(t, false)
	resp, err := c.Get(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: status %s, want 405", resp.Status)
	}
}

// Guarantee: Close takes less than two seconds, even with open connections and
// subscriptions.
func TestCloseCutsOpenConnections(t *testing.T) {
	t.Parallel()
	s := kinesislocal.StartTest(t, nil)
	for _, http2 := range []bool{false, true} {
		post(t, transport(t, http2), s.URL(), "ListStreams", "application/x-amz-json-1.1", []byte("{}"))
	}
	// One connection has sent half a request, the other nothing.
	for _, said := range []string{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nContent-Type: application/x-amz-json-1.1\r\nX-Amz-Target: Kinesis_20131202.ListStreams\r\n\r\n{", ""} {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, said); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Now()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("Close took %s, want at most 2s", took)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if _, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://")); err == nil {
		t.Error("the port is still open")
	}
}

// syncBuffer is a buffer that several goroutines may write to.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func TestLogHoldsNoRecordData(t *testing.T) {
	t.Parallel()
	var out syncBuffer
	s := kinesislocal.StartTest(t, &kinesislocal.Options{Logger: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	c := transport(t, false)
	const json = "application/x-amz-json-1.1"
	post(t, c, s.URL(), "CreateStream", json, []byte(`{"StreamName":"s","ShardCount":1}`))
	for _, body := range []string{
		`{"StreamName":"s","PartitionKey":"SECRET","Data":"U0VDUkVU"}`,
		`{"StreamName":"s","PartitionKey":"` + strings.Repeat("SECRET", 60) + `","Data":"U0VDUkVU"}`,
		`{"StreamName":"s","PartitionKey":"SECRET","Data":SECRET}`,
		`{"StreamName":"s","PartitionKey":["SECRET"],"Data":"SECRET"}`,
		`{"StreamName":"s","PartitionKey":"SECRET","Data":"SECRET!"}`,
	} {
		if a := post(t, c, s.URL(), "PutRecord", json, []byte(body)); bytes.Contains(a.body, []byte("SECRET")) {
			t.Errorf("response %s", a.body)
		}
	}
	s.Close()
	if log := out.b.String(); strings.Contains(log, "SECRET") || strings.Contains(log, "U0VDUkVU") || !strings.Contains(log, "operation=PutRecord") || !strings.Contains(log, "account=000000000000 resource=s") {
		t.Errorf("log:\n%s", log)
	}
}

func TestProtocolErrors(t *testing.T) {
	t.Parallel()
	s := kinesislocal.StartTest(t, nil)
	const json, cbor = "application/x-amz-json-1.1", "application/x-amz-cbor-1.1"
	for _, c := range []struct {
		name, operation, contentType, body, want string
	}{
		{"unknown operation", "SubscribeToTea", json, "{}", "UnknownOperationException"},
		{"no operation", "", json, "{}", "UnknownOperationException"},
		{"unknown type", "ListStreams", "text/plain", "{}", "UnknownOperationException"},
		{"no body", "ListStreams", json, "", "SerializationException"},
		{"half a body", "ListStreams", json, "{", "SerializationException"},
		{"two bodies", "ListStreams", json, "{} {}", "SerializationException"},
		{"wrong type", "ListStreams", json, `{"Limit":"ten"}`, "SerializationException"},
		{"not base64", "PutRecord", json, `{"StreamName":"s","PartitionKey":"k","Data":"%%"}`, "SerializationException"},
		{"not a time", "ListShards", json, `{"StreamName":"s","ShardFilter":{"Type":"AT_TIMESTAMP","Timestamp":"now"}}`, "SerializationException"},
		{"time before 1970", "ListShards", json, `{"StreamName":"s","ShardFilter":{"Type":"AT_TIMESTAMP","Timestamp":-1}}`, "SerializationException"},
		{"time beyond 9999", "ListShards", json, `{"StreamName":"s","ShardFilter":{"Type":"AT_TIMESTAMP","Timestamp":1e300}}`, "SerializationException"},
		{"no CBOR", "ListStreams", cbor, "{}", "SerializationException"},
		{"no CBOR body", "ListStreams", cbor, "", "SerializationException"},
		{"with a charset", "DescribeStream", json + "; charset=utf-8", `{"StreamName":"none"}`, "ResourceNotFoundException"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := post(t, transport(t, false), s.URL(), c.operation, c.contentType, []byte(c.body))
			if a.status != http.StatusBadRequest || a.header.Get("x-amzn-ErrorType") != c.want || a.header.Get("x-amzn-RequestId") == "" {
				t.Errorf("response %d %v %s, want %s", a.status, a.header, a.body, c.want)
			}
			if !bytes.Contains(a.body, []byte(c.want)) {
				t.Errorf("body %s, want one with %s", a.body, c.want)
			}
		})
	}
}

func TestValidation(t *testing.T) {
	t.Parallel()
	s := kinesislocal.StartTest(t, nil)
	c := transport(t, false)
	const json = "application/x-amz-json-1.1"
	post(t, c, s.URL(), "CreateStream", json, []byte(`{"StreamName":"s","ShardCount":2}`))
	const (
		validation = "ValidationException"
		argument   = "InvalidArgumentException"
		notFound   = "ResourceNotFoundException"
	)
	long := strings.Repeat("x", 129)
	records := func(n int) string {
		return strings.TrimSuffix(strings.Repeat(`{"PartitionKey":"k","Data":""},`, n), ",")
	}
	for _, test := range []struct{ operation, body, code, message string }{
		{"CreateStream", `{"ShardCount":1}`, validation, "1 validation error detected: Value null at 'streamName' failed to satisfy constraint: Member must not be null"},
		{"CreateStream", `{"StreamName":"a b","ShardCount":0}`, validation, "2 validation errors detected: Value 'a b' at 'streamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; Value '0' at 'shardCount'"},
		{"CreateStream", `{"StreamName":"","ShardCount":1}`, validation, "greater than or equal to 1"},
		{"CreateStream", `{"StreamName":"` + long + `","ShardCount":1}`, validation, "Member must have length less than or equal to 128"},
		{"CreateStream", `{"StreamName":"t"}`, validation, "ShardCount"},
		{"CreateStream", `{"StreamName":"t","ShardCount":1,"StreamModeDetails":{"StreamMode":"ON_DEMAND"}}`, validation, "ON_DEMAND"},
		{"CreateStream", `{"StreamName":"t","StreamModeDetails":{"StreamMode":"FREE"}}`, validation, "enum value set: [PROVISIONED ON_DEMAND]"},
		{"CreateStream", `{"StreamName":"t","StreamModeDetails":{}}`, validation, "streamModeDetails.streamMode"},
		{"CreateStream", `{"StreamName":"t","ShardCount":1,"MaxRecordSizeInKiB":1}`, validation, "1024"},
		{"CreateStream", `{"StreamName":"t","ShardCount":10001}`, "LimitExceededException", "10000"},
		{"CreateStream", `{"StreamName":"s","ShardCount":1}`, "ResourceInUseException", "already exists"},
		{"DeleteStream", `{}`, argument, "StreamARN"},
		{"DeleteStream", `{"StreamName":"t"}`, notFound, "Stream t under account 000000000000 not found"},
		{"DescribeStream", `{"StreamARN":"arn:aws:s3:::bucket"}`, validation, "streamARN"},
		{"DescribeStream", `{"StreamName":"s","StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/t"}`, argument, "different streams"},
		{"DescribeStream", `{"StreamName":"s","Limit":0}`, validation, "greater than or equal to 1"},
		{"ListStreams", `{"Limit":10001}`, validation, "less than or equal to 10000"},
		{"ListShards", `{}`, argument, "StreamName"},
		{"ListShards", `{"StreamName":"s","NextToken":"x"}`, argument, "NextToken"},
		{"ListShards", `{"NextToken":"x"}`, argument, "NextToken"},
		{"ListShards", `{"StreamName":"s","ShardFilter":{}}`, validation, "shardFilter.type"},
		{"ListShards", `{"StreamName":"s","ShardFilter":{"Type":"ALL"}}`, validation, "AFTER_SHARD_ID"},
		{"ListShards", `{"StreamName":"s","ShardFilter":{"Type":"AT_TIMESTAMP"}}`, argument, "Timestamp"},
		{"ListShards", `{"StreamName":"s","ShardFilter":{"Type":"AT_LATEST","Timestamp":1}}`, argument, "Timestamp"},
		{"ListShards", `{"StreamName":"s","ShardFilter":{"Type":"AFTER_SHARD_ID"}}`, argument, "ShardId"},
		{"ListShards", `{"StreamName":"s","ExclusiveStartShardId":"shardId-0","ShardFilter":{"Type":"AT_LATEST"}}`, argument, "ExclusiveStartShardId"},
		{"ListShards", `{"StreamName":"s","StreamCreationTimestamp":1}`, notFound, "StreamCreationTimestamp"},
		{"GetShardIterator", `{"StreamName":"s","ShardId":"shardId-000000000000"}`, validation, "shardIteratorType"},
		{"GetShardIterator", `{"StreamName":"s","ShardId":"shardId-000000000000","ShardIteratorType":"NOW"}`, validation, "enum value set"},
		{"GetShardIterator", `{"StreamName":"s","ShardId":"shardId-000000000002","ShardIteratorType":"LATEST"}`, notFound, "shardId-000000000002"},
		{"GetShardIterator", `{"StreamName":"s","ShardId":"shardId-000000000000","ShardIteratorType":"AT_SEQUENCE_NUMBER"}`, argument, "StartingSequenceNumber"},
		{"GetShardIterator", `{"StreamName":"s","ShardId":"shardId-000000000000","ShardIteratorType":"AT_SEQUENCE_NUMBER","StartingSequenceNumber":"x"}`, validation, "startingSequenceNumber"},
		{"GetShardIterator", `{"StreamName":"s","ShardId":"shardId-000000000000","ShardIteratorType":"AT_SEQUENCE_NUMBER","StartingSequenceNumber":"1"}`, argument, "did not come"},
		{"GetShardIterator", `{"StreamName":"s","ShardId":"shardId-000000000000","ShardIteratorType":"AT_TIMESTAMP"}`, argument, "Timestamp"},
		{"GetShardIterator", `{"StreamName":"s","ShardId":"shardId-000000000000","ShardIteratorType":"AT_TIMESTAMP","Timestamp":9999999999}`, argument, "future"},
		{"GetRecords", `{"ShardIterator":"x"}`, argument, "Invalid ShardIterator"},
		{"GetRecords", `{"ShardIterator":"x","Limit":10001}`, validation, "limit"},
		{"GetRecords", `{}`, validation, "shardIterator"},
		{"PutRecord", `{"StreamName":"s","PartitionKey":"k"}`, validation, "data"},
		{"PutRecord", `{"StreamName":"s","Data":""}`, validation, "partitionKey"},
		{"PutRecord", `{"StreamName":"s","Data":"","PartitionKey":""}`, validation, "partitionKey"},
		{"PutRecord", `{"StreamName":"s","Data":"","PartitionKey":"` + strings.Repeat("é", 257) + `"}`, validation, "256"},
		{"PutRecord", `{"StreamName":"s","Data":"","PartitionKey":"k","ExplicitHashKey":"01"}`, validation, "explicitHashKey"},
		{"PutRecord", `{"StreamName":"s","Data":"","PartitionKey":"k","ExplicitHashKey":"340282366920938463463374607431768211456"}`, argument, "2^128-1"},
		{"PutRecord", `{"StreamName":"s","Data":"","PartitionKey":"k","SequenceNumberForOrdering":"7"}`, argument, "SequenceNumberForOrdering"},
		{"PutRecord", `{"StreamName":"s","Data":"","PartitionKey":"k","DryRun":true}`, "DryRunOperationException", "DryRun"},
		{"PutRecord", `{"StreamName":"s","Data":"` + strings.Repeat("AAAA", 1<<20/3+1) + `","PartitionKey":"k"}`, argument, "1048576"},
		{"PutRecords", `{"StreamName":"s"}`, validation, "records"},
		{"PutRecords", `{"StreamName":"s","Records":[]}`, validation, "greater than or equal to 1"},
		{"PutRecords", `{"StreamName":"s","Records":[` + records(501) + `]}`, validation, "less than or equal to 500"},
		{"PutRecords", `{"StreamName":"s","Records":[` + records(1) + `,{}]}`, validation, "records.2.member.data"},
		{"SplitShard", `{"StreamName":"s"}`, validation, "2 validation errors"},
		{"SplitShard", `{"StreamName":"s","ShardToSplit":"shardId-000000000000","NewStartingHashKey":"0"}`, argument, "StartingHashKey"},
		{"MergeShards", `{"StreamName":"s"}`, validation, "2 validation errors"},
		{"MergeShards", `{"StreamName":"s","ShardToMerge":"shardId-000000000000","AdjacentShardToMerge":"shardId-000000000000"}`, argument, "adjacent"},
		{"UpdateShardCount", `{"StreamName":"s"}`, validation, "2 validation errors"},
		{"IncreaseStreamRetentionPeriod", `{"StreamName":"s"}`, validation, "retentionPeriodHours"},
		{"IncreaseStreamRetentionPeriod", `{"StreamName":"s","RetentionPeriodHours":8761}`, argument, "Maximum allowed retention period is 8760 hours"},
		{"DecreaseStreamRetentionPeriod", `{"StreamName":"s","RetentionPeriodHours":23}`, argument, "Minimum allowed retention period is 24 hours"},
		{"DecreaseStreamRetentionPeriod", `{}`, validation, "retentionPeriodHours"},
		{"DecreaseStreamRetentionPeriod", `{"RetentionPeriodHours":24}`, argument, "StreamARN"},
		{"UpdateStreamMode", `{}`, validation, "2 validation errors"},
		{"UpdateStreamMode", `{"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s","StreamModeDetails":{"StreamMode":"FREE"}}`, validation, "enum value set: [PROVISIONED ON_DEMAND]"},
		{"UpdateStreamMode", `{"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/t","StreamModeDetails":{"StreamMode":"ON_DEMAND"}}`, notFound, "Stream t"},
		{"UpdateMaxRecordSize", `{"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s"}`, validation, "maxRecordSizeInKiB"},
		{"UpdateMaxRecordSize", `{"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s","MaxRecordSizeInKiB":10241}`, validation, "less than or equal to 10240"},
		{"UpdateMaxRecordSize", `{"MaxRecordSizeInKiB":1024}`, argument, "StreamARN"},
		{"StartStreamEncryption", `{"StreamName":"s"}`, validation, "2 validation errors"},
		{"StartStreamEncryption", `{"StreamName":"s","EncryptionType":"NONE","KeyId":"k"}`, argument, "KMS"},
		{"StopStreamEncryption", `{"StreamName":"s","EncryptionType":"ROT13","KeyId":"k"}`, validation, "enum value set: [NONE KMS]"},
		{"AddTagsToStream", `{"StreamName":"s"}`, validation, "tags"},
		{"AddTagsToStream", `{"StreamName":"s","Tags":{}}`, validation, "greater than or equal to 1"},
		{"AddTagsToStream", `{"StreamName":"s","Tags":{"":"x"}}`, validation, "tags.key"},
		{"AddTagsToStream", `{"StreamName":"s","Tags":{"k":"` + strings.Repeat("x", 257) + `"}}`, validation, "tags.value"},
		{"AddTagsToStream", `{"StreamName":"s","Tags":{"k":"\u0007"}}`, argument, "invalid characters"},
		{"RemoveTagsFromStream", `{"StreamName":"s","TagKeys":[]}`, validation, "tagKeys"},
		{"ListTagsForStream", `{"StreamName":"s","Limit":51}`, validation, "less than or equal to 50"},
		{"TagResource", `{"Tags":{"k":"v"}}`, validation, "resourceARN"},
		{"TagResource", `{"ResourceARN":"arn:aws:s3:::bucket","Tags":{"k":"v"}}`, validation, "resourceARN"},
		{"UntagResource", `{"ResourceARN":"arn:aws:kinesis:us-east-1:000000000000:stream/t","TagKeys":["k"]}`, notFound, "Stream t"},
		{"ListTagsForResource", `{"ResourceARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s/consumer/c:1"}`, notFound, "Consumer"},
		{"RegisterStreamConsumer", `{}`, validation, "2 validation errors"},
		{"RegisterStreamConsumer", `{"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/t","ConsumerName":"c"}`, notFound, "Stream t"},
		{"RegisterStreamConsumer", `{"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s","ConsumerName":"a b"}`, validation, "consumerName"},
		{"DescribeStreamConsumer", `{"ConsumerName":"c"}`, argument, "StreamARN"},
		{"DescribeStreamConsumer", `{"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s","ConsumerName":"c"}`, notFound, "Consumer c"},
		{"DescribeStreamConsumer", `{"ConsumerARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s"}`, validation, "consumerARN"},
		{"DescribeStreamConsumer", `{"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/t","ConsumerARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s/consumer/c:1"}`, argument, "different streams"},
		{"DeregisterStreamConsumer", `{}`, argument, "ConsumerARN"},
		{"DeregisterStreamConsumer", `{"ConsumerARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s/consumer/c:1"}`, notFound, "consumer/c:1"},
		{"ListStreamConsumers", `{}`, validation, "streamARN"},
		{"ListStreamConsumers", `{"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s","NextToken":"x"}`, argument, "NextToken"},
		{"ListStreamConsumers", `{"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s","StreamCreationTimestamp":1}`, notFound, "StreamCreationTimestamp"},
		{"SubscribeToShard", `{}`, validation, "3 validation errors"},
		{"SubscribeToShard", `{"ConsumerARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s/consumer/c:1","ShardId":"shardId-000000000000","StartingPosition":{}}`, validation, "startingPosition.type"},
		{"SubscribeToShard", `{"ConsumerARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s/consumer/c:1","ShardId":"shardId-000000000000","StartingPosition":{"Type":"AT_TIMESTAMP"}}`, argument, "Timestamp"},
		{"SubscribeToShard", `{"ConsumerARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s/consumer/c:1","ShardId":"shardId-000000000000","StartingPosition":{"Type":"LATEST"}}`, notFound, "consumer/c:1"},
		{"UpdateShardCount", `{"StreamName":"s","TargetShardCount":5,"ScalingType":"UNIFORM_SCALING"}`, argument, "double"},
	} {
		name := fmt.Sprintf("%s %.60s", test.operation, test.body)
		t.Run(name, func(t *testing.T) {
			a := post(t, c, s.URL(), test.operation, json, []byte(test.body))
			if a.status != http.StatusBadRequest || a.header.Get("x-amzn-ErrorType") != test.code || !bytes.Contains(a.body, []byte(test.message)) {
				t.Errorf("response %d %s, want %s: %s", a.status, a.body, test.code, test.message)
			}
			if len(a.body) > 2000 {
				t.Errorf("the response has %d bytes, want at most 2000", len(a.body))
			}
		})
	}
}

func TestConcurrentClients(t *testing.T) {
	t.Parallel()
	s := kinesislocal.StartTest(t, nil)
	client := newClient(s)
	ctx := context.Background()
	createStream(t, client, "s", 2)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 50 {
				if err := putRecord(ctx, client, "s", fmt.Sprint(w), fmt.Sprint(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got := map[string]int{}
	for _, shard := range []string{"shardId-000000000000", "shardId-000000000001"} {
		for _, r := range readShard(t, client, "s", shard) {
			if string(r.Data) != fmt.Sprint(got[*r.PartitionKey]) {
				t.Errorf("%s: record %s out of order", *r.PartitionKey, r.Data)
			}
			got[*r.PartitionKey]++
		}
	}
	for w := range 4 {
		if got[fmt.Sprint(w)] != 50 {
			t.Errorf("writer %d: %d records", w, got[fmt.Sprint(w)])
		}
	}
}
