package resources

import (
	"encoding/json"
	"fmt"
	"log/slog"
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

	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

// fanOut answers as AWS does for a stream with one fan-out consumer and no table.
type fanOut struct {
	mu       sync.Mutex
	consumer string // its state
	owned    bool   // by another account, that lets nobody deregister it
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
		if f.owned && in.ConsumerARN != "" {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"__type":"AccessDeniedException","message":"not yours"}`)
			return
		}
		if state == "" || in.ConsumerARN != consumerARN && (in.ConsumerName != "app" || in.StreamARN != streamARN) {
			missing()
			return
		}
		fmt.Fprintf(w, `{"ConsumerDescription":{"ConsumerName":"app","ConsumerARN":%q,"ConsumerStatus":%q,"ConsumerCreationTimestamp":1,"StreamARN":%q}}`, consumerARN, state, streamARN)
	case "ListShards":
		fmt.Fprint(w, `{"Shards":[]}`)
	case "DeregisterStreamConsumer":
		if f.owned {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"__type":"AccessDeniedException","message":"not yours"}`)
			return
		}
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

// appAt is an application whose calls the service answers.
func appAt(t *testing.T, service http.Handler, streams ...kcl.Stream) *App {
	server := httptest.NewServer(service)
	t.Cleanup(server.Close)
	cfg := aws.Config{
		Region: "us-east-1", BaseEndpoint: &server.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
	}
	return &App{
		Kinesis:     kinesis.NewFromConfig(cfg),
		DynamoDB:    dynamodb.NewFromConfig(cfg),
		Application: "app", Streams: streams, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
}

// The application's own consumer is deleted before the stream: AWS does not delete a stream
// that has a consumer.
func TestDeleteOfAFanOutConsumer(t *testing.T) {
	service := &fanOut{consumer: "ACTIVE", stream: true}
	app := appAt(t, service, kcl.Stream{Name: "orders"})
	plan, err := app.PlanDelete(t.Context(), &DeleteOptions{Streams: true})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"consumer app of stream orders", "stream orders and its records"}
	if !slices.Equal(plan.Items(), want) {
		t.Errorf("planned: %q, want %q", plan.Items(), want)
	}
	var done []string
	if err := plan.Apply(t.Context(), func(what string) { done = append(done, what) }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(done, want) {
		t.Errorf("did %q, want %q", done, want)
	}
	if want := []string{"DeregisterStreamConsumer " + consumerARN, "DeleteStream orders with consumer "}; !slices.Equal(service.calls, want) {
		t.Errorf("called %q, want %q", service.calls, want)
	}

	plan, err = app.PlanDelete(t.Context(), &DeleteOptions{Streams: true})
	if err != nil || len(plan.Items()) != 0 {
		t.Errorf("the second time: got %q, error %v, want nothing", plan.Items(), err)
	}
}

// The consumer of a stream that is named by its ARN is deleted, unless the stream's owner
// registered it. The stream stays.
func TestDeleteByARN(t *testing.T) {
	for _, tt := range []struct {
		name, consumerARN string
		owned             bool
		calls             []string
		wantErr           string
	}{
		{"registered by KCL", "", false, []string{"DeregisterStreamConsumer " + consumerARN}, ""},
		{"registered by the owner", "", true, nil, "write consumerArn=" + consumerARN},
		{"configured", consumerARN, true, nil, ""},
	} {
		service := &fanOut{consumer: "ACTIVE", stream: true, owned: tt.owned}
		plan, err := appAt(t, service, kcl.Stream{Name: "orders", ARN: streamARN, ConsumerARN: tt.consumerARN}).PlanDelete(t.Context(), &DeleteOptions{Streams: true})
		if err != nil {
			t.Fatal(err)
		}
		err = plan.Apply(t.Context(), func(string) {})
		if !slices.Equal(service.calls, tt.calls) || (err == nil) != (tt.wantErr == "") || err != nil && !strings.Contains(err.Error(), tt.wantErr) {
			t.Errorf("%s: called %q, error %v, want %q, error %q", tt.name, service.calls, err, tt.calls, tt.wantErr)
		}
	}
}

// Status describes the configured consumer, not one that KCL never registers.
func TestStatusOfAConsumer(t *testing.T) {
	const other = streamARN + "/consumer/other:1"
	for _, tt := range []struct {
		name, configured string
		owned            bool
		want, wantName   string
	}{
		{"registered by KCL", "", false, "ACTIVE", "app"},
		{"configured", consumerARN, false, "ACTIVE", consumerARN},
		{"configured, not there", other, false, missing, other},
		{"configured, not to be seen", other, true, unknown, other},
	} {
		service := &fanOut{consumer: "ACTIVE", stream: true, owned: tt.owned}
		app := appAt(t, service, kcl.Stream{Name: "orders", ARN: streamARN, ConsumerARN: tt.configured})
		c, err := app.Status(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if got := c.Streams[0]; got.Consumer != tt.want || got.ConsumerName != tt.wantName {
			t.Errorf("%s: got %+v, want consumer %s %s", tt.name, got, tt.wantName, tt.want)
		}
	}
}

// A stream without leases, for example a misspelt one, is an error that says which exist.
func TestLeaseDeletionOfNoStream(t *testing.T) {
	for _, tt := range []struct{ name, rows, want string }{
		{"no table", "", "are of: none"},
		{"several streams", `{"leaseKey":{"S":"1:b:2:s"},"streamName":{"S":"1:b:2"},"checkpoint":{"S":"LATEST"}},{"leaseKey":{"S":"1:a:2:s"},"streamName":{"S":"1:a:2"},"checkpoint":{"S":"LATEST"}}`, "are of: 1:a:2, 1:b:2"},
		{"one", `{"leaseKey":{"S":"shardId-0"},"checkpoint":{"S":"LATEST"}}`, "are of: an application of one stream"},
	} {
		rows := tt.rows
		service := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/x-amz-json-1.0")
			var in struct{ TableName string }
			if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.TableName != "app" || rows == "" {
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprint(w, `{"__type":"ResourceNotFoundException","message":"not there"}`)
				return
			}
			fmt.Fprintf(w, `{"Items":[%s]}`, rows)
		})
		_, err := appAt(t, service).PlanLeaseDeletion(t.Context(), "bogus", &LeaseDeletionOptions{Force: true})
		if err == nil || !strings.Contains(err.Error(), "no leases of stream bogus") || !strings.HasSuffix(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one that ends in %q", tt.name, err, tt.want)
		}
	}
}
