package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal"
)

// account is the access key of the commands and of the test's clients.
const (
	account = "e2e"
	region  = "us-east-1"
)

// resourceTest runs commands against the stack, for its own application and stream.
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
	kinesisURL, dynamoDBURL := l.KinesisURL, l.DynamoDBURL
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

// run runs the command and fails the test if it ends with another status.
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

// infra runs a command of kcl-infra for the test's application and, unless args name other
// streams, its stream.
func (r *resourceTest) infra(status int, command string, args ...string) (stdout, stderr string) {
	r.Helper()
	all := append([]string{command, "--application", r.name}, args...)
	if !slices.Contains(args, "-s") && !slices.Contains(args, "-p") {
		all = append(all, "-s", r.name)
	}
	return r.run(status, "", all...)
}

// leaseTable returns the items of an application's lease table by their keys.
func (r *resourceTest) leaseTable(application string) map[string]map[string]ddb.AttributeValue {
	r.Helper()
	out, err := r.dynamoDB.Scan(r.Context(), &dynamodb.ScanInput{TableName: &application, ConsistentRead: aws.Bool(true)})
	if err != nil {
		r.Fatal(err)
	}
	leases := map[string]map[string]ddb.AttributeValue{}
	for _, item := range out.Items {
		leases[item["leaseKey"].(*ddb.AttributeValueMemberS).Value] = item
	}
	return leases
}

// split halves the first shard of a stream.
func (r *resourceTest) split(stream string) {
	r.Helper()
	_, err := r.kinesis.SplitShard(r.Context(), &kinesis.SplitShardInput{
		StreamName: &stream, ShardToSplit: aws.String("shardId-000000000000"), NewStartingHashKey: aws.String("12345"),
	})
	if err != nil {
		r.Fatal(err)
	}
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
	Layout, Leader string
	Migrations     []struct{ What, State string }
	Streams        []struct {
		Name, Status, ARN, Identifier, Consumer string
		OpenShards                              int
	}
	Tables  []struct{ Name, Status, Index string }
	Workers []struct {
		ID     string
		Leases int
	}
	Leases struct{ Total, Owned, Ended, Blocked, Others int }
}

func (r *resourceTest) status(args ...string) (s infraStatus) {
	r.Helper()
	r.unmarshal(&s, "status", args...)
	return s
}

type infraLease struct {
	Stream, ShardID, State, Checkpoint, Owner, Problem string
	Parents, Children, BlockedBy                       []string
	OwnerReported, Arrival                             time.Time
	LagSeconds                                         *float64
	Expired                                            bool
}

// infraLeases are the leases of the streams, and of streams that were not named.
type infraLeases struct {
	Layout         string
	Shards, Others []infraLease
}

func (r *resourceTest) leases(args ...string) (l infraLeases) {
	r.Helper()
	r.unmarshal(&l, "leases", args...)
	return l
}

func (r *resourceTest) unmarshal(into any, command string, args ...string) {
	r.Helper()
	text, _ := r.infra(0, command, append(args, "--json")...)
	if err := json.Unmarshal([]byte(text), into); err != nil {
		r.Fatal(err)
	}
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

// report writes a worker's metrics with an age.
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

// renew raises a lease's counter repeatedly until end is called.
func (r *resourceTest) renew(lease string) (end func()) {
	ctx, cancel := context.WithCancel(r.Context())
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
	return func() {
		cancel()
		<-renewed
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
	if s.Streams[0].Status != "ACTIVE" || s.Streams[0].OpenShards != 3 || s.Leases.Total != 3 || s.Leases.Blocked != 3 || s.Tables[0].Index != "ACTIVE" {
		t.Errorf("status %+v", s)
	}
	// The default is the daemon's layout. Check it for a version that is not in the table.
	if want := map[string]string{"3.1.3": "kcl3"}[bootstrap.DaemonVersion]; s.Layout != want {
		t.Errorf("layout %s; KCL %s makes %q", s.Layout, bootstrap.DaemonVersion, want)
	}
	shards := r.leases().Shards
	if len(shards) != 3 {
		t.Errorf("leases %+v", shards)
	}
	for _, shard := range shards {
		if shard.Checkpoint != "TRIM_HORIZON" || shard.State != "open" {
			t.Errorf("shard %+v", shard)
		}
	}
	_, errs := r.infra(1, "create", "--seed-leases", "LATEST")
	r.wants(errs, "is at TRIM_HORIZON, not at LATEST")

	_, errs = r.infra(2, "delete", "--stream") // nobody can confirm
	r.wants(errs, "--yes")
	if s := r.status(); s.Tables[0].Status != "ACTIVE" || s.Leases.Total != 3 {
		t.Errorf("something was deleted unasked: %+v", s)
	}
	out, _ = r.infra(0, "delete", "--yes")
	if strings.Contains(out, "stream") {
		t.Errorf("deleted the stream unasked:\n%s", out)
	}
	if s := r.status(); s.Streams[0].Status != "ACTIVE" || s.Tables[0].Status != "missing" || s.Tables[2].Status != "missing" {
		t.Errorf("after delete: %+v", s)
	}
	out, _ = r.infra(0, "delete", "--yes", "--stream")
	r.wants(out, "deleted stream")
	if s := r.status(); s.Streams[0].Status != "missing" {
		t.Errorf("after delete --stream: %+v", s)
	}
	out, _ = r.infra(0, "delete", "--yes", "--stream")
	r.wants(out, "nothing to delete")
}

func TestInfraSeedGoesOnAfterAnInterruption(t *testing.T) {
	t.Parallel()
	r := newResourceTest(t, "kcl-infra")
	r.infra(0, "create", "--shards", "3", "--seed-leases", "LATEST")
	gone := r.leases().Shards[1].ShardID
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

	// A worker has taken a lease, so that it belongs to the application.
	r.ownLease(gone, "w")
	_, errs := r.infra(1, "create", "--seed-leases", "LATEST")
	r.wants(errs, gone, "owned by worker w")
	r.infra(0, "create")
}

func TestInfraSeedsTheShardsOfThePosition(t *testing.T) {
	t.Parallel()
	r := newResourceTest(t, "kcl-infra")
	r.infra(0, "create", "--shards", "1")
	r.split(r.name)
	leases := func() (keys []string) {
		for _, s := range r.leases().Shards {
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
	if s := r.status(); s.Streams[0].Status != "missing" || s.Tables[0].Status != "missing" {
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

	// A worker with an old report, or without one, that renews its lease.
	r.report("w", time.Hour)
	for _, owner := range []string{"w", "silent"} {
		const lease = "shardId-000000000000"
		r.ownLease(lease, owner)
		end := r.renew(lease)
		_, errs = r.infra(1, "delete", "--yes")
		r.wants(errs, "worker "+owner+" renewed lease "+lease)
		end()
	}
	if s := r.status(); s.Leases.Total != 1 {
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

// putRows puts rows of infra's fixtures into the tables of their keys. The workers in them
// reported some time ago.
func (r *resourceTest) putRows(fixture string, reported time.Duration) {
	r.Helper()
	text, err := os.ReadFile(filepath.Join(shared.root, "infra/internal/kcl/testdata", fixture+".jsonl"))
	if err != nil {
		r.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var row map[string]any
		if err := json.Unmarshal(line, &row); err != nil {
			r.Fatal(err)
		}
		table := r.name
		switch {
		case row["key"] != nil:
			table += "-CoordinatorState"
		case row["wid"] != nil:
			table += "-WorkerMetricStats"
		}
		item := map[string]ddb.AttributeValue{}
		for name, value := range row {
			switch v := value.(type) {
			case string:
				item[name] = &ddb.AttributeValueMemberS{Value: v}
			case float64:
				item[name] = &ddb.AttributeValueMemberN{Value: fmt.Sprintf("%.0f", v)}
			}
		}
		if item["lut"] != nil {
			item["lut"] = &ddb.AttributeValueMemberN{Value: fmt.Sprint(time.Now().Add(-reported).Unix())}
		}
		if _, err := r.dynamoDB.PutItem(r.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item}); err != nil {
			r.Fatal(err)
		}
	}
}

// Each command recognises the tables of each version of KCL by their rows.
func TestInfraLayouts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		layout, fixture string
		tables          int
		leases, workers int
		leader          string
		renews          string // a lease, where workers do not report
		other           string // a layout that it cannot become
	}{
		{"kcl2", "kcl-2.5.4", 1, 4, 0, "", "shardId-000000000001", ""},
		{"kcl3", "kcl-3.1.3", 3, 1, 2, "worker-1", "", "kcl3.5"},
		{"kcl3.5", "kcl-3.5.1", 1, 4, 1, "worker-1", "", "kcl3"},
	} {
		t.Run(tt.layout, func(t *testing.T) {
			t.Parallel()
			r := newResourceTest(t, "kcl-infra")
			r.name = strings.ReplaceAll(r.name, "/", ".")
			out, _ := r.infra(0, "create", "--shards", "2", "--layout", tt.layout, "--seed-leases", "LATEST")
			if n := strings.Count(out, "made    table"); n != tt.tables {
				t.Errorf("made %d tables:\n%s", n, out)
			}
			if l := r.leaseTable(r.name)["shardId-000000000000"]; (l["entityType"] != nil) != (tt.layout == "kcl3.5") {
				t.Errorf("first lease %v", l)
			}
			out, _ = r.infra(0, "create", "--seed-leases", "LATEST")
			r.wants(out, "nothing to do")
			for lease := range r.leaseTable(r.name) {
				_, err := r.dynamoDB.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{
					TableName: &r.name, Key: map[string]ddb.AttributeValue{"leaseKey": &ddb.AttributeValueMemberS{Value: lease}},
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			r.putRows(tt.fixture, time.Second)

			s := r.status()
			if s.Layout != tt.layout || len(s.Tables) != tt.tables || s.Leases.Total != tt.leases || len(s.Workers) != tt.workers || s.Leader != tt.leader || len(s.Migrations) != 0 {
				t.Errorf("status %+v", s)
			}
			l := r.leases()
			if l.Layout != tt.layout || len(l.Others) != 0 {
				t.Errorf("leases %+v", l)
			}
			for _, shard := range l.Shards {
				if !strings.HasPrefix(shard.ShardID, "shardId-") || shard.OwnerReported.IsZero() != (tt.workers == 0 || shard.Owner == "") {
					t.Errorf("lease %+v", shard)
				}
			}
			out, _ = r.infra(0, "create")
			r.wants(out, "nothing to do")
			if tt.other != "" {
				_, errs := r.infra(1, "create", "--layout", tt.other)
				r.wants(errs, "has layout "+tt.layout, "nothing was created")
			}
			out, _ = r.infra(0, "iam-policy", "--layout", tt.layout)
			if got := strings.Contains(out, "-CoordinatorState"); got != (tt.layout != "kcl2") {
				t.Errorf("policy %s", out)
			}

			end := func() {}
			if tt.renews != "" {
				end = r.renew(tt.renews)
			}
			_, errs := r.infra(1, "delete", "--yes")
			end()
			r.wants(errs, "the application is running", "layout "+tt.layout)
			out, _ = r.infra(0, "delete", "--yes", "--force", "--stream")
			if n := strings.Count(out, "deleted table"); n != tt.tables {
				t.Errorf("deleted %d tables:\n%s", n, out)
			}
			if s := r.status(); s.Layout != "" || s.Leases.Total != 0 {
				t.Errorf("status %+v", s)
			}
		})
	}
}

// An application that is migrating from three tables to one is shown as such, and its
// tables are deleted together or not at all.
func TestInfraMigration(t *testing.T) {
	t.Parallel()
	r := newResourceTest(t, "kcl-infra")
	r.infra(0, "create", "--shards", "1")
	r.putRows("kcl-3.1.3", time.Hour)
	r.putRows("kcl-3.5.1-pending", 0)
	out, _ := r.infra(0, "status")
	r.wants(out, "layout kcl3 (", "migration from three tables to one: PENDING since 2026-11-29T", "leader worker-1")
	if s := r.status(); s.Leases.Total != 2 || len(s.Workers) != 2 || len(s.Migrations) != 1 || s.Migrations[0].State != "PENDING" {
		t.Errorf("status %+v", s)
	}
	_, errs := r.infra(1, "delete", "--yes")
	r.wants(errs, "PENDING", "its tables are deleted together", "worker worker-1 reported")
	_, errs = r.infra(1, "create", "--layout", "kcl3.5")
	r.wants(errs, "has layout kcl3")

	protect := func(on bool) {
		_, err := r.dynamoDB.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{TableName: aws.String(r.name + "-WorkerMetricStats"), DeletionProtectionEnabled: &on})
		if err != nil {
			t.Fatal(err)
		}
	}
	protect(true)
	_, errs = r.infra(1, "delete", "--yes", "--force")
	r.wants(errs, "is protected from deletion: nothing was deleted")
	if s := r.status(); s.Leases.Total != 2 || s.Leader == "" {
		t.Errorf("status %+v", s)
	}
	protect(false)
	out, _ = r.infra(0, "delete", "--yes", "--force", "--stream")
	if n := strings.Count(out, "deleted table"); n != 3 {
		t.Errorf("deleted %d tables:\n%s", n, out)
	}
}

// Control characters in the tables are printed as text, on both output streams.
func TestInfraHostileRows(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	r := newResourceTest(t, "kcl-infra")
	r.infra(0, "create", "--shards", "1", "--seed-leases", "LATEST")
	const evil = "w\x1b[2J\ndeleted all\r\u009b1A\u202e"
	r.ownLease("shardId-000000000000", evil)
	r.ownLease(evil, evil)
	r.report(evil, time.Second)
	for _, args := range [][]string{
		{"status"},
		{"leases"},
		{"rewind", "--to", "TRIM_HORIZON", "--dry-run"},
		{"rewind", "--to", "TRIM_HORIZON", "--shard", evil, "--dry-run"},
		{"delete", "--yes"}, // refused: a worker runs
		{"delete", "--yes", "--leases-of", "1:" + evil + ":1"},
	} {
		c := exec.CommandContext(t.Context(), r.binary, append(args, "--application", r.name, "-s", r.name)...)
		c.Env = r.env
		out, _ := c.CombinedOutput()
		text := strings.ReplaceAll(string(out), "\n", "")
		if !strings.Contains(text, "w\\x1b[2J") || strings.Contains(string(out), "\ndeleted all") ||
			strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%v: %q", args, out)
		}
	}
}

// Leases shows how far a shard was read and why it cannot be read. A watch shows renewals
// and ends with Ctrl-C.
func TestInfraLeases(t *testing.T) {
	t.Parallel()
	r := newResourceTest(t, "kcl-infra")
	r.infra(0, "create", "--shards", "1", "--seed-leases", "TRIM_HORIZON")
	var at []string
	for range 3 {
		out, err := r.kinesis.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: &r.name, PartitionKey: aws.String("k"), Data: []byte("x")})
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, *out.SequenceNumber)
	}
	const first = "shardId-000000000000"
	set := func(checkpoint string) infraLease {
		t.Helper()
		if err := r.setLease(t.Context(), first, "SET checkpoint = :c", map[string]ddb.AttributeValue{":c": &ddb.AttributeValueMemberS{Value: checkpoint}}); err != nil {
			t.Fatal(err)
		}
		return r.leases().Shards[0]
	}
	none := set("LATEST")
	if none.LagSeconds != nil || !none.Arrival.IsZero() || !slices.Equal(none.BlockedBy, []string{"no worker has it", "there is no leader"}) {
		t.Errorf("at LATEST: %+v", none)
	}
	oldest, middle, newest := set("TRIM_HORIZON"), set(at[1]), set(at[2])
	for _, l := range []infraLease{oldest, middle, newest} {
		if l.LagSeconds == nil || time.Since(l.Arrival) > patience || l.Expired {
			t.Errorf("%+v", l)
		}
	}
	if newest.LagSeconds != nil && *newest.LagSeconds != 0 || oldest.Arrival.After(middle.Arrival) {
		t.Errorf("oldest %+v\nnewest %+v", oldest, newest)
	}
	if stray := set("17"); !strings.Contains(stray.Problem, "before its first sequence number") || stray.LagSeconds != nil {
		t.Errorf("a checkpoint of another stream: %+v", stray)
	}

	set(at[1])
	r.split(r.name)
	r.ownLease(first, "w")
	r.report("w", time.Second)
	shards := r.leases().Shards
	children := []string{"shardId-000000000001", "shardId-000000000002"}
	if len(shards) != 3 || shards[0].State != "closed" || !slices.Equal(shards[0].Children, children) || len(shards[0].BlockedBy) != 0 {
		t.Fatalf("%+v", shards)
	}
	for _, child := range shards[1:] {
		if !slices.Equal(child.Parents, []string{first}) || child.BlockedBy[0] != "parent "+first+" is not read to its end" {
			t.Errorf("%+v", child)
		}
	}

	end := r.renew(first)
	defer end()
	c := exec.CommandContext(t.Context(), r.binary, "leases", "--application", r.name, "-s", r.name, "--watch")
	c.Env = r.env
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	c.Stderr = &errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	looks := 0
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		fmt.Fprintln(&text, lines.Text())
		if strings.HasPrefix(lines.Text(), first) {
			looks++
		}
		if looks == 2 {
			if err := c.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.Wait(); err != nil || errs.Len() > 0 {
		t.Errorf("%v, stderr %s", err, &errs)
	}
	r.wants(text.String(), "\n\n20", " <") // two blocks, and a renewal between them
}

// The seeded leases are those that KCL's own classes write, for one stream and for several,
// one of which was resharded.
func TestInfraSeedsWhatKCLWrites(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	t.Run("kcl3", func(t *testing.T) { seedsWhatKCLWrites(t, "kcl3", bootstrap.DaemonLock()) })
	t.Run("kcl3.5", func(t *testing.T) {
		testenv.Nightly(t)
		text, err := os.ReadFile("testdata/kcl-3.5.1.lock")
		if err != nil {
			t.Fatal(err)
		}
		lock, err := bootstrap.ParseLock("kcl-3.5.1.lock", text)
		if err != nil {
			t.Fatal(err)
		}
		seedsWhatKCLWrites(t, "kcl3.5", lock)
	})
}

func seedsWhatKCLWrites(t *testing.T, layout string, lock *bootstrap.Lock) {
	r := newResourceTest(t, "kcl-infra")
	r.name = strings.ReplaceAll(r.name, "/", ".")
	java := testenv.JDK(t)
	program, err := filepath.Abs("testdata/FirstSync.java")
	if err != nil {
		t.Fatal(err)
	}
	fetched, err := bootstrap.Fetch(t.Context(), lock, nil)
	if err != nil {
		t.Fatal(err)
	}
	first, second := r.name+".first", r.name+".second"
	r.infra(0, "create", "-s", first, "-s", second)
	r.split(second)
	var input strings.Builder
	applications := map[string]string{} // ours, and KCL's
	for i, streams := range [][]string{{second}, {first, second}} {
		names, described := []string{}, ""
		for _, stream := range streams {
			out, err := r.kinesis.DescribeStreamSummary(t.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: &stream})
			if err != nil {
				t.Fatal(err)
			}
			is := out.StreamDescriptionSummary
			names = append(names, "-s", stream)
			described += fmt.Sprintf(" %s@%d", *is.StreamARN, is.StreamCreationTimestamp.Unix())
		}
		for _, position := range []string{"TRIM_HORIZON", "LATEST"} {
			ours, theirs := fmt.Sprint(r.name, ".ours", i, position), fmt.Sprint(r.name, ".theirs", i, position)
			applications[ours] = theirs
			r.run(0, "", append([]string{"create", "--layout", layout, "--application", ours, "--seed-leases", position}, names...)...)
			r.run(0, "", append([]string{"create", "--layout", layout, "--application", theirs}, names...)...)
			fmt.Fprintln(&input, theirs, position+described)
		}
	}
	sync := exec.CommandContext(t.Context(), java, "-cp", strings.Join(fetched.Files, string(os.PathListSeparator)), program,
		local(t).KinesisURL, local(t).DynamoDBURL, account)
	sync.Stdin = strings.NewReader(input.String())
	if out, err := sync.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for ours, theirs := range applications {
		want := r.leaseTable(theirs)
		if got := r.leaseTable(ours); len(want) == 0 || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v\nKCL wrote %v", ours, got, want)
		}
	}
}

// An application of several streams is created and shown, gets another stream, loses one,
// and is deleted.
func TestInfraSeveralStreams(t *testing.T) {
	t.Parallel()
	r := newResourceTest(t, "kcl-infra")
	orders, returns, refunds := r.name+".orders", r.name+".returns", r.name+".refunds"
	file := filepath.Join(t.TempDir(), "app.properties")
	write := func(streams ...string) {
		t.Helper()
		if err := os.WriteFile(file, []byte("applicationName = "+r.name+"\nstreams = "+strings.Join(streams, ", \\\n  ")+"\n"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write(orders+" initialPosition=TRIM_HORIZON", returns)
	_, errs := r.infra(2, "create", "-p", file, "--seed-leases", "LATEST")
	r.wants(errs, "stream "+orders+" starts at TRIM_HORIZON", "CONFIGURED")
	out, _ := r.infra(0, "create", "-p", file, "--shards", "1", "--seed-leases", "configured")
	if n := strings.Count(out, "made "); n != 2+3+2 {
		t.Errorf("made %d things:\n%s", n, out)
	}
	s := r.status("-p", file)
	l := r.leases("-p", file)
	if len(s.Streams) != 2 || len(l.Shards) != 2 || len(l.Others) != 0 || s.Leases.Total != 2 {
		t.Fatalf("status %+v, leases %+v", s, l)
	}
	for i, want := range []string{"TRIM_HORIZON", "LATEST"} {
		id := s.Streams[i].Identifier
		if lease := l.Shards[i]; lease.Checkpoint != want || lease.Stream != id || lease.State != "open" || strings.Count(id, ":") != 2 {
			t.Errorf("lease %+v of stream %+v", lease, s.Streams[i])
		}
		r.wants(out, "made    lease "+id+":shardId-000000000000 at "+want)
	}
	firstID, secondID := s.Streams[0].Identifier, s.Streams[1].Identifier
	out, _ = r.infra(0, "create", "-p", file, "--shards", "1", "--seed-leases", "configured")
	r.wants(out, "nothing to do")

	const shard = "shardId-000000000000"
	_, errs = r.infra(1, "rewind", "-p", file, "--to", "TRIM_HORIZON", "--dry-run", "--shard", shard)
	r.wants(errs, "several streams have a shard "+shard)
	out, _ = r.infra(0, "rewind", "-p", file, "--to", "TRIM_HORIZON", "--dry-run", "--shard", secondID+":"+shard)
	r.wants(out, "of stream "+orders+" and "+returns, "lease "+secondID+":"+shard+"\n  before  checkpoint=LATEST ", "\n  after   checkpoint=TRIM_HORIZON ")
	out, _ = r.infra(0, "rewind", "-p", file, "--to", "LATEST", "--dry-run")
	r.wants(out, "lease "+firstID+":"+shard+"\n  before  checkpoint=TRIM_HORIZON ")
	_, errs = r.infra(1, "rewind", "-s", orders, "--to", "LATEST", "--dry-run")
	r.wants(errs, "has no leases of stream "+orders)

	// A change between one stream and several is refused before anything is created.
	_, errs = r.infra(1, "create", "-s", refunds, "--seed-leases", "LATEST")
	r.wants(errs, "application of several streams", "--application", "AT_TIMESTAMP")
	single := r.name + ".single"
	r.run(0, "", "create", "--application", single, "-s", orders, "--seed-leases", "LATEST")
	_, errs = r.run(1, "", "create", "--application", single, "-s", orders, "-s", refunds, "--seed-leases", "LATEST")
	r.wants(errs, "application of one stream", "another --application", "AT_TIMESTAMP")
	_, errs = r.infra(1, "create", "-s", orders, "-s", s.Streams[0].ARN)
	r.wants(errs, "are the same stream")
	if s := r.status("-s", refunds); s.Streams[0].Status != "missing" {
		t.Errorf("made in spite of the refusal: %+v", s)
	}

	// One stream is added while a worker reads the first; the second is no longer read.
	r.ownLease(firstID+":shardId-000000000000", "w")
	write(orders+" initialPosition=TRIM_HORIZON", refunds)
	out, _ = r.infra(0, "create", "-p", file, "--shards", "2", "--seed-leases", "CONFIGURED")
	r.wants(out, "existed 1 lease of stream "+orders+" (already read: left as it is)", "made    stream "+refunds)
	if n := strings.Count(out, "made    lease"); n != 2 {
		t.Errorf("made %d leases:\n%s", n, out)
	}
	if l := r.leases("-p", file); len(l.Shards) != 3 || len(l.Others) != 1 || l.Others[0].Stream != secondID || l.Others[0].Checkpoint != "LATEST" {
		t.Errorf("leases %+v", l)
	}
	out, _ = r.infra(0, "status", "-p", file)
	r.wants(out, "stream    "+orders, "of stream "+refunds, " 4 leases,", "1 lease of streams that were not named")
	out, _ = r.infra(0, "leases", "-p", file)
	r.wants(out, "\nStream "+firstID+"\nSHARD ", "\nOf a stream that was not named: "+secondID+"\nSHARD ")

	// Its leases are deleted only on request, and only if no worker has them.
	_, errs = r.infra(1, "delete", "-p", file, "--yes", "--leases-of", orders)
	r.wants(errs, "which the application reads")
	_, errs = r.infra(2, "delete", "-p", file, "--leases-of", returns)
	r.wants(errs, "would delete lease "+secondID, "--yes")
	r.report("w", 0)
	r.ownLease(secondID+":shardId-000000000000", "w")
	end := r.renew(secondID + ":shardId-000000000000")
	_, errs = r.infra(1, "delete", "-p", file, "--yes", "--leases-of", returns)
	r.wants(errs, "watching for 12s", "worker w renewed lease "+secondID, "--force")
	end()
	out, errs = r.infra(0, "delete", "-p", file, "--yes", "--force", "--leases-of", secondID)
	r.wants(out, "deleted lease "+secondID+":shardId-000000000000")
	if s := r.status("-p", file); s.Leases.Total != 3 || s.Leases.Others != 0 || strings.Contains(errs, "watching") {
		t.Errorf("status %+v after %s", s, errs)
	}
	_, errs = r.infra(1, "delete", "-p", file, "--yes", "--leases-of", returns)
	r.wants(errs, "no leases of stream "+returns, "are of: "+firstID)

	// A stream that is named by its ARN is never created or deleted.
	arn := s.Streams[0].ARN
	out, errs = r.infra(0, "delete", "-s", arn, "-s", refunds, "--yes", "--force", "--stream")
	r.wants(out, "deleted stream "+refunds, "deleted table "+r.name+"\n")
	r.wants(errs, "stream "+arn+" stays")
	if s := r.status("-s", orders); s.Streams[0].Status != "ACTIVE" {
		t.Errorf("status %+v", s)
	}
	_, errs = r.infra(1, "create", "-s", orders, "-s", strings.TrimSuffix(arn, "orders")+"none")
	r.wants(errs, "does not exist", "by its name")
	r.run(0, "", "delete", "--application", single, "-s", orders, "--yes", "--force", "--stream")
}

// With the policies that iam-policy prints for the owner of another account's stream,
// leases of that stream can be seeded. A stream of the same name in the own account, and
// all that the owner has, stay unchanged.
func TestInfraStreamOfAnotherAccount(t *testing.T) {
	t.Parallel()
	r := newResourceTest(t, "kcl-infra")
	const theirs = "222222222222"
	options := r.kinesis.Options()
	options.Credentials = credentials.NewStaticCredentialsProvider(theirs, "secret", "")
	owner := kinesis.New(options)
	arn := "arn:aws:kinesis:" + region + ":" + theirs + ":stream/" + r.name
	_, errs := r.infra(1, "create", "-s", arn)
	r.wants(errs, "AccessDenied", "--account NUMBER --resource-policies")
	if _, err := owner.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: &r.name, ShardCount: aws.Int32(3)}); err != nil {
		t.Fatal(err)
	}
	registered, err := owner.RegisterStreamConsumer(t.Context(), &kinesis.RegisterStreamConsumerInput{StreamARN: &arn, ConsumerName: &r.name})
	if err != nil {
		t.Fatal(err)
	}
	consumer := *registered.Consumer.ConsumerARN
	r.infra(0, "create", "--shards", "1") // the namesake

	own := r.name + ".own"
	file := filepath.Join(t.TempDir(), "app.properties")
	text := fmt.Sprintf("applicationName = %s\nstreams = %s, %s consumerArn=%s\n", r.name, own, arn, consumer)
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	out, _ := r.infra(0, "iam-policy", "-p", file, "--account", kinesislocal.DefaultAccount, "--resource-policies")
	var policies map[string]json.RawMessage
	if err := json.Unmarshal([]byte(out), &policies); err != nil || len(policies) != 2 {
		t.Fatalf("%v in %s", err, out)
	}
	for resource, policy := range policies {
		_, err := owner.PutResourcePolicy(t.Context(), &kinesis.PutResourcePolicyInput{ResourceARN: &resource, Policy: aws.String(string(policy))})
		if err != nil {
			t.Fatalf("%s: %v", resource, err)
		}
	}

	out, _ = r.infra(0, "create", "-p", file, "--shards", "1", "--seed-leases", "LATEST")
	r.wants(out, "existed stream "+arn+" with 3 shards\n", "made    stream "+own, "made    lease "+theirs+":"+r.name+":")
	if n := strings.Count(out, "made    lease"); n != 4 {
		t.Errorf("made %d leases:\n%s", n, out)
	}
	if s := r.status("-p", file); s.Leases.Total != 4 || s.Streams[1].ARN != arn || s.Streams[1].OpenShards != 3 || s.Streams[1].Consumer != "ACTIVE" {
		t.Errorf("status %+v", s)
	}
	// If it is the only stream, its leases have the form for one stream.
	out, _ = r.run(0, "", "create", "--application", own, "-s", arn, "--seed-leases", "LATEST")
	r.wants(out, "made    lease shardId-000000000002 at LATEST")
	r.run(0, "", "delete", "--application", own, "-s", arn, "--yes")

	out, errs = r.infra(0, "delete", "-s", own, "-s", arn, "--yes", "--stream")
	r.wants(out, "deleted stream "+own)
	r.wants(errs, "stream "+arn+" stays")
	if strings.Contains(out, "consumer") || strings.Contains(out, arn) {
		t.Errorf("deleted what is of another account:\n%s", out)
	}
	for _, stream := range []string{r.name, arn} {
		if s := r.status("-s", stream); s.Streams[0].Status != "ACTIVE" {
			t.Errorf("%s: %+v", stream, s)
		}
	}
	described, err := owner.DescribeStreamConsumer(t.Context(), &kinesis.DescribeStreamConsumerInput{ConsumerARN: &consumer})
	if err != nil || described.ConsumerDescription.ConsumerStatus != "ACTIVE" {
		t.Errorf("the consumer: %+v, %v", described, err)
	}
}
