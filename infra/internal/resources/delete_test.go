package resources

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

// fanOut answers as AWS does for a stream with one fan-out consumer and no
// table: no Kinesis that runs on this machine has consumers.
type fanOut struct {
	mu       sync.Mutex
	consumer string // its state
	stream   bool
	calls    []string // those that change something
}

const (
	streamARN   = "arn:aws:kinesis:us-east-1:123456789012:stream/orders"
	consumerARN = streamARN + "/consumer/app:1"
)

func (f *fanOut) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var in struct{ ConsumerARN, ConsumerName, StreamARN, StreamName string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	missing := func() {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"__type":"ResourceNotFoundException","message":"not there"}`)
	}
	switch operation {
	case "DescribeStreamSummary":
		if !f.stream {
			missing()
			return
		}
		fmt.Fprintf(w, `{"StreamDescriptionSummary":{"StreamName":"orders","StreamARN":%q,"StreamStatus":"ACTIVE","OpenShardCount":1,"RetentionPeriodHours":24,"StreamCreationTimestamp":1,"EnhancedMonitoring":[]}}`, streamARN)
	case "DescribeStreamConsumer":
		state := f.consumer
		if state == "DELETING" { // gone when somebody looks next
			f.consumer = ""
		}
		if state == "" || in.ConsumerName != "app" || in.StreamARN != streamARN {
			missing()
			return
		}
		fmt.Fprintf(w, `{"ConsumerDescription":{"ConsumerName":"app","ConsumerARN":%q,"ConsumerStatus":%q,"ConsumerCreationTimestamp":1,"StreamARN":%q}}`, consumerARN, state, streamARN)
	case "DeregisterStreamConsumer":
		f.calls = append(f.calls, operation+" "+in.ConsumerARN)
		f.consumer = "DELETING"
		fmt.Fprint(w, `{}`)
	case "DeleteStream":
		f.calls = append(f.calls, operation+" "+in.StreamName+" with consumer "+f.consumer)
		f.stream = false
		fmt.Fprint(w, `{}`)
	default: // DescribeTable
		missing()
	}
}

// The application's own consumer goes, and is gone before the stream goes: AWS
// does not delete a stream that has one.
func TestDeleteOfAFanOutConsumer(t *testing.T) {
	service := &fanOut{consumer: "ACTIVE", stream: true}
	server := httptest.NewServer(service)
	defer server.Close()
	cfg := aws.Config{
		Region: "us-east-1", BaseEndpoint: &server.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
	}
	app := &App{
		Kinesis:     kinesis.NewFromConfig(cfg),
		DynamoDB:    dynamodb.NewFromConfig(cfg),
		Application: "app", StreamName: "orders", Progress: t.Logf,
	}

	plan, err := app.PlanDelete(t.Context(), true, false)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"consumer app of stream orders", "stream orders and its records"}; !slices.Equal(plan.What(), want) {
		t.Errorf("planned: %q, want %q", plan.What(), want)
	}
	if err := plan.Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"DeregisterStreamConsumer " + consumerARN, "DeleteStream orders with consumer "}; !slices.Equal(service.calls, want) {
		t.Errorf("called %q, want %q", service.calls, want)
	}

	plan, err = app.PlanDelete(t.Context(), true, false)
	if err != nil || len(plan.What()) != 0 {
		t.Errorf("the second time: %q, %v", plan.What(), err)
	}
}
