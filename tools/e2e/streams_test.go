//go:build unix

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/bootstrap/engine"
	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal"
)

const arnPrefix = "arn:aws:kinesis:" + kinesislocal.Region + ":" + kinesislocal.DefaultAccount + ":stream/"

// streamsTest is an application with its own Kinesis, whose requests are recorded. The
// first stream and the lease table have the test's name.
type streamsTest struct {
	*application
	server  *kinesislocal.Server
	client  *kinesis.Client
	tables  *dynamodb.Client
	command engine.Config

	mu       sync.Mutex
	requests bytes.Buffer
}

func newStreamsTest(t *testing.T, lock *bootstrap.Lock, transition time.Duration) *streamsTest {
	require(t)
	s := &streamsTest{}
	s.server = kinesislocal.StartTest(t, &kinesislocal.Options{
		TransitionDelay: transition,
		Logger:          slog.New(slog.NewJSONHandler(s, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	s.application = newApplicationAt(t, s.server.URL(), 1)
	s.client = kinesis.NewFromConfig(s.server.AWSConfig())
	s.tables = dynamodb.New(dynamodb.Options{BaseEndpoint: aws.String(local(t).DynamoDBURL), Region: kinesislocal.Region, Credentials: s.server.AWSConfig().Credentials})
	var err error
	if s.command, err = engineConfig(t.Context(), lock, s.properties); err != nil {
		t.Fatal(err)
	}
	s.command.Env = s.environ
	return s
}

// Write records the server's log.
func (s *streamsTest) Write(line []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests.Write(line)
}

// asked returns the recorded operations with their resources, and clears them.
func (s *streamsTest) asked() map[string][]string {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string][]string)
	for lines := bufio.NewScanner(&s.requests); lines.Scan(); {
		var r struct{ Operation, Resource string }
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			s.t.Fatal(err)
		}
		if !slices.Contains(all[r.Operation], r.Resource) {
			all[r.Operation] = append(all[r.Operation], r.Resource)
		}
	}
	s.requests.Reset()
	return all
}

// put puts records whose data name their stream.
func (s *streamsTest) put(stream, data string, n int) {
	s.t.Helper()
	for i := range n {
		if _, err := s.client.PutRecord(s.t.Context(), &kinesis.PutRecordInput{
			StreamName: &stream, PartitionKey: aws.String(fmt.Sprint(i)), Data: []byte(data),
		}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// leases returns the rows of a lease table by key.
func (s *streamsTest) leases(table string) map[string]map[string]ddb.AttributeValue {
	s.t.Helper()
	out, err := s.tables.Scan(s.t.Context(), &dynamodb.ScanInput{TableName: &table})
	if err != nil {
		s.t.Fatal(err)
	}
	all := make(map[string]map[string]ddb.AttributeValue)
	for _, row := range out.Items {
		all[row["leaseKey"].(*ddb.AttributeValueMemberS).Value] = row
	}
	return all
}

// owner returns the owner of a lease, "" if it has none.
func owner(lease map[string]ddb.AttributeValue) string {
	if s, ok := lease["leaseOwner"].(*ddb.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

type leaseOf struct{ shardID, stream, streamARN string }

// An engineRun is an engine in this process, with what it has done.
type engineRun struct {
	t      *testing.T
	stop   context.CancelFunc
	result chan error

	mu       sync.Mutex
	leases   map[string]leaseOf // of conversations
	held     map[string]bool    // at any time
	records  map[string]int     // of each stream, by "stream: data"
	warnings []string
	news     chan struct{}
}

// start starts an engine with properties that override the file's.
func (s *streamsTest) start(t *testing.T, properties map[string]string) *engineRun {
	ctx, stop := context.WithCancel(t.Context())
	r := &engineRun{
		t: t, stop: stop, result: make(chan error, 1), leases: make(map[string]leaseOf),
		held: make(map[string]bool), records: make(map[string]int), news: make(chan struct{}, 1),
	}
	config := s.command
	p, err := bootstrap.ReadProperties(s.properties)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range properties {
		p.Set(name, value)
	}
	config.Command.Properties = p
	config.StopGrace = time.Minute
	config.LogLevel = slog.LevelWarn
	config.Serve = func(l *engine.Lease) error {
		r.note(func() {
			r.leases[l.LeaseKey] = leaseOf{l.ShardID, l.Stream, l.StreamARN}
		})
		n := &streamCounter{run: r, stream: l.Stream}
		return processor.Run(context.WithoutCancel(ctx), n, l, l, nil)
	}
	config.Event = func(e engine.Event) {
		switch e := e.(type) {
		case engine.Leases:
			r.note(func() {
				for _, key := range e.LeaseKeys {
					r.held[key] = true
				}
			})
		case engine.LogRecord:
			r.note(func() { r.warnings = append(r.warnings, e.Logger+": "+e.Message) })
		}
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.result <- engine.New(config).Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
		if t.Failed() {
			t.Logf("%v\nheld: %v\nrecords: %v\nlog: %s", properties, r.held, r.records, strings.Join(r.warnings, "\n"))
		}
	})
	return r
}

func (r *engineRun) note(what func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	what()
	select {
	case r.news <- struct{}{}:
	default:
	}
}

// await waits until done returns true.
func (r *engineRun) await(what string, so func() bool) {
	r.t.Helper()
	for timeout := time.After(patience); ; {
		r.mu.Lock()
		done := so()
		r.mu.Unlock()
		if done {
			return
		}
		select {
		case <-r.news:
		case err := <-r.result:
			r.t.Fatalf("%s: it has ended: %v", what, err)
		case <-timeout:
			r.t.Fatalf("%s: not so after %v", what, patience)
		}
	}
}

// ended waits until the engine ends by itself and returns the reason.
func (r *engineRun) ended() string {
	r.t.Helper()
	select {
	case err := <-r.result:
		var exit *bootstrap.ExitError
		if !errors.As(err, &exit) {
			r.t.Fatalf("it ended with %v", err)
		}
		return exit.Reason
	case <-time.After(patience):
		r.t.Fatalf("it still runs after %v", patience)
		return ""
	}
}

// stopped stops the engine in order.
func (r *engineRun) stopped() {
	r.t.Helper()
	r.stop()
	select {
	case err := <-r.result:
		if err != nil {
			r.t.Errorf("the stop: %v", err)
		}
	case <-time.After(patience):
		r.t.Fatalf("it still runs after %v", patience)
	}
}

// A streamCounter counts records by their stream and data.
type streamCounter struct {
	run    *engineRun
	stream string
}

func (c *streamCounter) Initialize(context.Context, processor.InitializeInput) error { return nil }

func (c *streamCounter) ProcessRecords(ctx context.Context, in processor.ProcessRecordsInput) error {
	c.run.note(func() {
		for _, r := range in.Records {
			c.run.records[c.stream+": "+string(r.Data)]++
		}
	})
	return in.Checkpointer.Checkpoint(ctx)
}

func (c *streamCounter) LeaseLost(context.Context, processor.LeaseLostInput) error { return nil }

func (c *streamCounter) ShardEnded(ctx context.Context, in processor.ShardEndedInput) error {
	return in.Checkpointer.Checkpoint(ctx)
}

func (c *streamCounter) ShutdownRequested(ctx context.Context, in processor.ShutdownRequestedInput) error {
	return in.Checkpointer.Checkpoint(ctx)
}

// TestStreams has three streams in one Java, each from its own position, by name and
// by ARN. A stream that is removed from the list is not read. One that is added is,
// without leases made before.
//
// Guarantee: Each of several streams begins at its own initial position.
//
// Guarantee: A stream that is named by its ARN is requested by the ARN alone, and so
// never confused with a stream of that name in another account.
//
// Guarantee: Applications of one stream and of several have lease keys of different
// forms. While the lease table has keys of the other form, nothing is read: the start
// fails, and Java ends if such keys appear later.
//
// Guarantee: Leases of a stream that is not read are kept.
func TestStreams(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	testStreams(t, bootstrap.DaemonLock())
}

func TestStreamsOfVersions(t *testing.T) {
	testenv.Nightly(t)
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("testdata", "kcl-3.5.1.lock"))
	if err != nil {
		t.Fatal(err)
	}
	lock, err := bootstrap.ParseLock("kcl-3.5.1.lock", text)
	if err != nil {
		t.Fatal(err)
	}
	testStreams(t, lock)
}

func testStreams(t *testing.T, lock *bootstrap.Lock) {
	s := newStreamsTest(t, lock, 0)
	several := s.name + "-several"
	s.application.run("kcl-infra", "create", "--application", several, "--stream-name", "orders", "--shards", "2")
	for _, name := range []string{"payments", "clicks", "added"} {
		if _, err := s.client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: &name, ShardCount: aws.Int32(1)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"orders", "payments", "clicks", "added"} {
		s.put(name, "before", 10)
	}
	properties := map[string]string{
		"applicationName": several, "streamName": "", "initialPositionInStream": "LATEST", "retrievalMode": "POLLING",
		"streams": "orders initialPosition=TRIM_HORIZON, " + arnPrefix + "payments, clicks initialPosition=2001-01-01T00:00:00Z",
	}
	s.asked()
	r := s.start(t, properties)
	r.await("what was there in two streams, and the third", func() bool {
		return r.records["orders: before"] == 10 && r.records["clicks: before"] == 10 && len(r.leases) == 4
	})
	for arrived := false; !arrived; { // LATEST is when KCL asks for it
		s.put("payments", "after", 1)
		r.mu.Lock()
		arrived = r.records["payments: after"] > 0
		r.mu.Unlock()
	}
	if n := r.records["payments: before"]; n != 0 {
		t.Errorf("%d records of before LATEST", n)
	}
	key := regexp.MustCompile(`^` + kinesislocal.DefaultAccount + `:(orders|payments|clicks):[0-9]{10}:(shardId-00000000000[01])$`)
	for k, l := range r.leases {
		if m := key.FindStringSubmatch(k); m == nil || l != (leaseOf{m[2], m[1], arnPrefix + m[1]}) {
			t.Errorf("the lease %s is %+v", k, l)
		}
	}
	r.stopped()
	keys := slices.Sorted(maps.Keys(s.leases(several)))
	for _, key := range keys {
		if o := owner(s.leases(several)[key]); o != "" {
			t.Errorf("%s belongs to %s after the stop", key, o)
		}
	}
	s.onlyARNs("GetRecords", "DescribeStreamSummary") // which look up the names
	clicks := keys[0]
	before := s.leases(several)[clicks]["checkpoint"]

	properties["retrievalMode"] = "FANOUT"
	properties["streams"] = "orders, payments, added initialPosition=TRIM_HORIZON"
	s.put("clicks", "unread", 5)
	s.put("orders", "fanned out", 5)
	r = s.start(t, properties)
	r.await("records of a stream that is left and of one that was added", func() bool {
		return r.records["orders: fanned out"] == 5 && r.records["added: before"] == 10
	})
	r.await("a warning of the other", func() bool {
		return slices.ContainsFunc(r.warnings, func(w string) bool {
			return strings.HasPrefix(w, "com.github.seed96110120.kinesis.Streams: ") && strings.Contains(w, strings.TrimSuffix(clicks, ":shardId-000000000000")+" ") &&
				strings.Contains(w, "count against maxLeasesForWorker")
		})
	})
	r.mu.Lock()
	if r.held[clicks] || r.records["clicks: unread"] != 0 || len(r.held) != 4 {
		t.Errorf("held are %v, read was %v", r.held, r.records)
	}
	r.mu.Unlock()
	kept := s.leases(several)[clicks]
	if owner(kept) == "" || fmt.Sprint(kept["checkpoint"]) != fmt.Sprint(before) {
		t.Errorf("the lease of the stream that is not read: %v", kept)
	}
	// The leader assigns it to a worker that reads the stream.
	_, err := s.tables.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: &several, Key: map[string]ddb.AttributeValue{"leaseKey": kept["leaseKey"]},
		UpdateExpression: aws.String("SET leaseOwner = :other, checkpointOwner = :self"),
		ExpressionAttributeValues: map[string]ddb.AttributeValue{
			":other": &ddb.AttributeValueMemberS{Value: "other"}, ":self": kept["leaseOwner"],
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := sample.Await(ctx, nil, func() (bool, error) { return s.leases(several)[clicks]["checkpointOwner"] == nil, nil }); err != nil {
		t.Fatalf("its hand-over: %v", err)
	}
	s.onlyARNs("DescribeStreamConsumer", "DescribeStreamSummary")

	// Leases of the other form, of an application of one stream.
	lease := maps.Clone(kept)
	for _, name := range []string{"streamName", "shardId", "leaseOwner"} {
		delete(lease, name)
	}
	lease["leaseKey"] = &ddb.AttributeValueMemberS{Value: "shardId-000000000000"}
	if _, err := s.tables.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &several, Item: lease}); err != nil {
		t.Fatal(err)
	}
	if got := r.ended(); !strings.Contains(got, "has leases of an application of one stream (shardId-000000000000)") {
		t.Errorf("after such a lease: %s", got)
	}
}

// onlyARNs checks that all requests but those of the operations name an ARN, and that there
// was one.
func (s *streamsTest) onlyARNs(some string, but ...string) {
	s.t.Helper()
	asked := s.asked()
	if len(asked[some]) == 0 {
		s.t.Errorf("asked was %v", asked)
	}
	for operation, resources := range asked {
		for _, resource := range resources {
			// The test's own requests.
			own := strings.HasPrefix(operation, "Put") || operation == "CreateStream" || operation == "RegisterStreamConsumer"
			if !strings.HasPrefix(resource, "arn:") && !slices.Contains(but, operation) && !own {
				s.t.Errorf("%s was asked of %q", operation, resource)
			}
		}
	}
}

// TestStreamByARN also has a consumer that is CREATING for longer than KCL waits for
// it.
//
// Guarantee: A stream that is named by its ARN is requested by the ARN alone, and so
// never confused with a stream of that name in another account.
//
// Guarantee: A single stream has the same leases whether it is named by its ARN or by
// its name.
func TestStreamByARN(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	for _, mode := range []string{"POLLING", "FANOUT"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			properties := map[string]string{"streamName": "", "retrievalMode": mode}
			var transition time.Duration
			if mode == "FANOUT" {
				transition = 2 * time.Second
				properties["fanoutConfig.maxDescribeStreamConsumerRetries"], properties["fanoutConfig.retryBackoffMillis"] = "1", "1"
			}
			s := newStreamsTest(t, bootstrap.DaemonLock(), transition)
			properties["streamArn"] = arnPrefix + s.name
			s.put(s.name, "record", 5)
			s.asked()
			r := s.start(t, properties)
			r.await("the records", func() bool { return r.records[s.name+": record"] == 5 })
			again := func(w string) bool { return strings.Contains(w, "is not found or registered: trying again") }
			if got := slices.ContainsFunc(r.warnings, again); got != (mode == "FANOUT") {
				t.Errorf("the warnings %q", r.warnings)
			}
			want := leaseOf{firstShard, s.name, arnPrefix + s.name}
			if got := r.leases[firstShard]; got != want || len(r.leases) != 1 {
				t.Errorf("the leases %+v", r.leases)
			}
			r.stopped()
			s.onlyARNs(map[string]string{"POLLING": "GetRecords", "FANOUT": "DescribeStreamConsumer"}[mode])
		})
	}
}

// The errors say what to do.
//
// Guarantee: Applications of one stream and of several have lease keys of different
// forms. While the lease table has keys of the other form, nothing is read: the start
// fails, and Java ends if such keys appear later.
//
// Guarantee: A start fails if one of its streams cannot be read.
func TestStreamsRefused(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	s := newStreamsTest(t, bootstrap.DaemonLock(), 0)
	several := s.name + "-several"
	s.application.run("kcl-infra", "create", "--application", several, "--stream-name", "orders", "--shards", "1")
	if _, err := s.tables.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &several, Item: map[string]ddb.AttributeValue{
		"leaseKey":   &ddb.AttributeValueMemberS{Value: "1:orders:2:shardId-000000000000"},
		"streamName": &ddb.AttributeValueMemberS{Value: "1:orders:2"}, "shardId": &ddb.AttributeValueMemberS{Value: "shardId-000000000000"},
		"checkpoint": &ddb.AttributeValueMemberS{Value: "LATEST"}, "leaseCounter": &ddb.AttributeValueMemberN{Value: "0"},
	}}); err != nil {
		t.Fatal(err)
	}
	other := kinesis.NewFromConfig(s.server.AWSConfigForAccount("222222222222"))
	shared := strings.Replace(arnPrefix, kinesislocal.DefaultAccount, "222222222222", 1) + "shared"
	if _, err := other.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String("shared"), ShardCount: aws.Int32(1)}); err != nil {
		t.Fatal(err)
	}
	if _, err := other.PutResourcePolicy(t.Context(), &kinesis.PutResourcePolicyInput{ResourceARN: &shared, Policy: aws.String(`{
		"Version": "2012-10-17",
		"Statement": {
			"Effect": "Allow", "Principal": {"AWS": "` + kinesislocal.DefaultAccount + `"},
			"Action": "kinesis:DescribeStreamSummary", "Resource": "` + shared + `"
		}
	}`)}); err != nil {
		t.Fatal(err)
	}
	consumer := strings.TrimSuffix(shared, "shared") + "orders/consumer/c:1" // of another account's stream of that name
	for _, tt := range []struct{ name, application, mode, streams, want string }{
		{
			"one to several", s.name, "POLLING", "orders, " + s.name,
			"has leases of an application of one stream (shardId-000000000000), and this one has several: choose another applicationName",
		},
		{
			"several to one", several, "POLLING", "orders",
			"has leases of an application of several streams (1:orders:2:shardId-000000000000), and this one has one: choose another applicationName",
		},
		{
			"none", several, "POLLING", "orders, none",
			"stream none: DescribeStreamSummary: ResourceNotFoundException; there is no such stream: look at its name, account and region",
		},
		{
			"twice", several, "POLLING", "orders, " + arnPrefix + "orders",
			"streams: orders and " + arnPrefix + "orders are the same stream; remove one",
		},
		{
			"denied", several, "POLLING", "orders, " + shared + "-not",
			"stream/shared-not: DescribeStreamSummary: AccessDeniedException; allow it, in another account's stream by its resource policy (see kcl-infra iam-policy)",
		},
		{
			"no consumer", several, "FANOUT", "orders, " + shared,
			"the consumer " + several + " is not found or registered: AccessDeniedException; set consumerArn: a consumer of another account's stream is registered there",
		},
		{
			"another's consumer", several, "FANOUT", "orders consumerArn=" + consumer,
			"the consumer " + consumer + " is not one of the stream that is read, " + arnPrefix + "orders; set consumerArn",
		},
		{
			"another's consumer, of several", several, "FANOUT", "orders consumerArn=" + consumer + ", " + s.name,
			"the consumer " + consumer + " is not one of the stream that is read, " + arnPrefix + "orders; set consumerArn",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := s.start(t, map[string]string{"streamName": "", "applicationName": tt.application, "retrievalMode": tt.mode, "streams": tt.streams})
			if got := r.ended(); !strings.Contains(got, tt.want) {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
	for streams, want := range map[string]string{
		"":                  "the consumer " + consumer + " is not one of the stream that is read, " + arnPrefix + "orders; set consumerArn",
		"orders, " + s.name: "fanoutConfig.consumerArn is a consumer of one stream, and there are several; set consumerArn beside each stream, in streams",
	} {
		t.Run("consumer of the file, streams "+streams, func(t *testing.T) {
			t.Parallel()
			r := s.start(t, map[string]string{
				"streamName": "orders", "applicationName": several, "retrievalMode": "FANOUT", "streams": streams, "fanoutConfig.consumerArn": consumer,
			})
			if got := r.ended(); !strings.Contains(got, want) {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}
