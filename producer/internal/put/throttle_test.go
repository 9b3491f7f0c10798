package put

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/seed96110120/kinesis-client-go/producer/internal/record"
)

// A throttled stream refuses whole calls, more often in a row than the SDK retries by
// default.
func TestPutOutlastsThrottling(t *testing.T) {
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if calls++; calls <= 3 {
			w.WriteHeader(http.StatusBadRequest)
			w.Write([]byte(`{"__type":"ProvisionedThroughputExceededException","message":"Rate exceeded"}`))
			return
		}
		w.Write([]byte(`{"FailedRecordCount":0,"Records":[{"SequenceNumber":"1","ShardId":"shardId-000000000000"}]}`))
	}))
	defer server.Close()
	client := kinesis.New(kinesis.Options{
		BaseEndpoint: aws.String(server.URL), Region: "us-east-1",
		Credentials: aws.AnonymousCredentials{},
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil }) // the SDK's are seconds
		}),
	})
	results, err := NewPutter(client, "stream", nil).Put(context.Background(), []record.Record{{PartitionKey: "k", Data: []byte("x")}})
	if err != nil || !results[0].WasPut() || calls != 4 {
		t.Errorf("%v, error %v after %d calls, want a record put after 4", results, err, calls)
	}
}
