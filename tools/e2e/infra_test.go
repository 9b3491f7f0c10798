package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
)

// account is what the commands and the test's own clients sign with.
const (
	account = "e2e"
	region  = "us-east-1"
)

// resourceTest runs a command against the stack for an application, and so a
// stream, of its own.
type resourceTest struct {
	*testing.T
	binary   string
	name     string
	env      []string
	kinesis  *kinesis.Client
	dynamoDB *dynamodb.Client
}

func newResourceTest(t *testing.T, command string) *resourceTest {
	l := local(t)
	kinesisURL, dynamoDBURL := l.KinesisURL(), l.DynamoDBURL()
	cfg := aws.Config{Region: region, Credentials: credentials.NewStaticCredentialsProvider(account, "secret", "")}
	r := &resourceTest{
		T:      t,
		binary: sample.Command(shared.bin, command),
		name:   strings.ToLower(t.Name()),
		kinesis: kinesis.NewFromConfig(cfg, func(o *kinesis.Options) {
			o.BaseEndpoint = aws.String(kinesisURL)
		}),
		dynamoDB: dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) {
			o.BaseEndpoint = aws.String(dynamoDBURL)
		}),
	}
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "AWS_") {
			r.env = append(r.env, e)
		}
	}
	r.env = append(r.env,
		"AWS_ACCESS_KEY_ID="+account, "AWS_SECRET_ACCESS_KEY=secret", "AWS_REGION="+region,
		"AWS_ENDPOINT_URL_KINESIS="+kinesisURL, "AWS_ENDPOINT_URL_DYNAMODB="+dynamoDBURL)
	return r
}

// run runs the command and fails the test unless it ends with the status.
func (r *resourceTest) run(status int, stdin string, args ...string) (stdout, stderr string) {
	r.Helper()
	c := exec.CommandContext(r.Context(), r.binary, args...)
	c.Env = r.env
	c.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil && c.ProcessState == nil {
		r.Fatal(err)
	}
	if got := c.ProcessState.ExitCode(); got != status {
		r.Fatalf("%v: status %d, want %d\nstdout: %s\nstderr: %s", args, got, status, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

// infra runs a command of kcl-infra for the test's application and stream.
func (r *resourceTest) infra(status int, command string, args ...string) (stdout, stderr string) {
	r.Helper()
	return r.run(status, "", append([]string{command, "--application", r.name, "--stream-name", r.name}, args...)...)
}

// wants fails the test unless text has each of the parts.
func (r *resourceTest) wants(text string, parts ...string) {
	r.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			r.Errorf("no %q in:\n%s", part, text)
		}
	}
}

type infraStatus struct {
	Stream struct {
		Status     string
		OpenShards int
	}
	Tables []struct{ Name, Status, Index string }
	Leases int
	Shards []struct{ ShardID, State, Checkpoint, Owner string }
}

func (r *resourceTest) status() (s infraStatus) {
	r.Helper()
	text, _ := r.infra(0, "status", "--json")
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		r.Fatal(err)
	}
	return s
}

// setLease changes attributes of a lease.
func (r *resourceTest) setLease(ctx context.Context, key, set string, values map[string]ddb.AttributeValue) error {
	_, err := r.dynamoDB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                 &r.name,
		Key:                       map[string]ddb.AttributeValue{"leaseKey": &ddb.AttributeValueMemberS{Value: key}},
		UpdateExpression:          &set,
		ExpressionAttributeValues: values,
	})
	return err
}

func (r *resourceTest) ownLease(key, owner string) {
	r.Helper()
	if err := r.setLease(r.Context(), key, "SET leaseOwner = :o", map[string]ddb.AttributeValue{":o": &ddb.AttributeValueMemberS{Value: owner}}); err != nil {
		r.Fatal(err)
	}
}

// report writes a worker's metrics as of some time ago.
func (r *resourceTest) report(worker string, ago time.Duration) {
	r.Helper()
	_, err := r.dynamoDB.PutItem(r.Context(), &dynamodb.PutItemInput{
		TableName: aws.String(r.name + "-WorkerMetricStats"),
		Item: map[string]ddb.AttributeValue{
			"wid": &ddb.AttributeValueMemberS{Value: worker},
			"lut": &ddb.AttributeValueMemberN{Value: fmt.Sprint(time.Now().Add(-ago).Unix())},
		},
	})
	if err != nil {
		r.Fatal(err)
	}
}

func TestInfraCreateStatusDelete(t *testing.T) {
	t.Parallel()
	r := newResourceTest(t, "kcl-infra")

	out, _ := r.infra(0, "create", "--shards", "3", "--seed-leases", "TRIM_HORIZON")
	if n := strings.Count(out, "made "); n != 1+3+3 || strings.Contains(out, "existed") {
		t.Errorf("made %d things:\n%s", n, out)
	}
	out, _ = r.infra(0, "create", "--shards", "3", "--seed-leases", "TRIM_HORIZON")
	if n := strings.Count(out, "existed "); n != 1+3+3 || strings.Contains(out, "made ") {
		t.Errorf("found %d things:\n%s", n, out)
	}
	r.wants(out, "nothing to do")
	out, _ = r.infra(0, "create", "--shards", "4")
	r.wants(out, "with 3 shards (not 4: left as it is)")

	s := r.status()
	if s.Stream.Status != "ACTIVE" || s.Stream.OpenShards != 3 || s.Leases != 3 || len(s.Shards) != 3 || s.Tables[0].Index != "ACTIVE" {
		t.Errorf("status %+v", s)
	}
	for _, shard := range s.Shards {
		if shard.Checkpoint != "TRIM_HORIZON" || shard.State != "open" {
			t.Errorf("shard %+v", shard)
		}
	}
	_, errs := r.infra(1, "create", "--seed-leases", "LATEST")
	r.wants(errs, "is at TRIM_HORIZON, not at LATEST")

	_, errs = r.infra(2, "delete", "--stream") // nobody to ask
	r.wants(errs, "--yes")
	if s := r.status(); s.Tables[0].Status != "ACTIVE" || s.Leases != 3 {
		t.Errorf("something was deleted unasked: %+v", s)
	}
	out, _ = r.infra(0, "delete", "--yes")
	if strings.Contains(out, "stream") {
		t.Errorf("deleted the stream unasked:\n%s", out)
	}
	if s := r.status(); s.Stream.Status != "ACTIVE" || s.Tables[0].Status != "missing" || s.Tables[2].Status != "missing" {
		t.Errorf("after delete: %+v", s)
	}
	out, _ = r.infra(0, "delete", "--yes", "--stream")
	r.wants(out, "deleted stream")
	if s := r.status(); s.Stream.Status != "missing" {
		t.Errorf("after delete --stream: %+v", s)
	}
	out, _ = r.infra(0, "delete", "--yes", "--stream")
	r.wants(out, "nothing to delete")
}

func TestInfraSeedGoesOnAfterAnInterruption(t *testing.T) {
	t.Parallel()
	r := newResourceTest(t, "kcl-infra")
	r.infra(0, "create", "--shards", "3", "--seed-leases", "LATEST")
	gone := r.status().Shards[1].ShardID
	_, err := r.dynamoDB.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{
		TableName: &r.name, Key: map[string]ddb.AttributeValue{"leaseKey": &ddb.AttributeValueMemberS{Value: gone}},
	})
	if err != nil {
		t.Fatal(err)
	}
	out, _ := r.infra(0, "create", "--seed-leases", "LATEST")
	r.wants(out, "made    lease "+gone+" at LATEST")
	if n := strings.Count(out, "made "); n != 1 {
		t.Errorf("made %d things:\n%s", n, out)
	}

	// A worker has taken a lease: it is the application's now.
	r.ownLease(gone, "w")
	_, errs := r.infra(1, "create", "--seed-leases", "LATEST")
	r.wants(errs, gone, "owned by worker w")
	r.infra(0, "create")
}

func TestInfraSeedsTheShardsOfThePosition(t *testing.T) {
	t.Parallel()
	r := newResourceTest(t, "kcl-infra")
	r.infra(0, "create", "--shards", "1")
	_, err := r.kinesis.SplitShard(t.Context(), &kinesis.SplitShardInput{
		StreamName: &r.name, ShardToSplit: aws.String("shardId-000000000000"), NewStartingHashKey: aws.String("12345"),
	})
	if err != nil {
		t.Fatal(err)
	}
	leases := func() (keys []string) {
		for _, s := range r.status().Shards {
			if s.Checkpoint != "" {
				keys = append(keys, s.ShardID)
			}
		}
		return keys
	}
	r.infra(0, "create", "--seed-leases", "LATEST")
	if got, want := leases(), []string{"shardId-000000000001", "shardId-000000000002"}; !slices.Equal(got, want) {
		t.Errorf("leases at LATEST are %v, want %v", got, want)
	}
	r.infra(0, "delete", "--yes")
	r.infra(0, "create", "--seed-leases", "TRIM_HORIZON")
	if got, want := leases(), []string{"shardId-000000000000"}; !slices.Equal(got, want) {
		t.Errorf("leases at TRIM_HORIZON are %v, want %v", got, want)
	}
}

func TestInfraLeavesOthersTablesAlone(t *testing.T) {
	t.Parallel()
	r := newResourceTest(t, "kcl-infra")
	_, err := r.dynamoDB.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: aws.String(r.name + "-CoordinatorState"), BillingMode: ddb.BillingModePayPerRequest,
		KeySchema:            []ddb.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: ddb.KeyTypeHash}},
		AttributeDefinitions: []ddb.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: ddb.ScalarAttributeTypeN}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, errs := r.infra(1, "create")
	r.wants(errs, "is not a table of KCL", "id (HASH, N)")
	if s := r.status(); s.Stream.Status != "missing" || s.Tables[0].Status != "missing" {
		t.Errorf("half done: %+v", s)
	}
	_, errs = r.infra(1, "delete", "--yes")
	r.wants(errs, "is not a table of KCL", "--force")
	out, _ := r.infra(0, "delete", "--yes", "--force")
	r.wants(out, "deleted table "+r.name+"-CoordinatorState")
}

func TestInfraDeleteRefusesARunningApplication(t *testing.T) {
	t.Parallel()
	r := newResourceTest(t, "kcl-infra")
	r.infra(0, "create", "--shards", "1", "--seed-leases", "LATEST")

	r.report("w", time.Minute)
	_, errs := r.infra(1, "delete", "--yes")
	r.wants(errs, "running", "worker w reported")

	// A worker whose report is old, or that never reports, but renews its lease.
	r.report("w", time.Hour)
	for _, owner := range []string{"w", "silent"} {
		const lease = "shardId-000000000000"
		r.ownLease(lease, owner)
		ctx, cancel := context.WithCancel(t.Context())
		renewed := make(chan struct{})
		go func() {
			defer close(renewed)
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for ctx.Err() == nil {
				<-tick.C
				_ = r.setLease(ctx, lease, "ADD leaseCounter :n", map[string]ddb.AttributeValue{":n": &ddb.AttributeValueMemberN{Value: "1"}})
			}
		}()
		_, errs = r.infra(1, "delete", "--yes")
		r.wants(errs, "worker "+owner+" renewed lease "+lease)
		cancel()
		<-renewed
	}
	if s := r.status(); s.Leases != 1 {
		t.Errorf("leases are gone: %+v", s)
	}
	r.infra(0, "delete", "--yes", "--force")
}

// It takes the 12 seconds that the counters are watched.
func TestInfraDeletesWhatADeadWorkerOwns(t *testing.T) {
	t.Parallel()
	r := newResourceTest(t, "kcl-infra")
	r.infra(0, "create", "--shards", "1", "--seed-leases", "LATEST")
	r.ownLease("shardId-000000000000", "w")
	r.report("w", 2*time.Minute)
	_, errs := r.infra(0, "delete", "--yes")
	r.wants(errs, "watching for 12s")
	if s := r.status(); s.Tables[0].Status != "missing" {
		t.Errorf("status %+v", s)
	}
}
