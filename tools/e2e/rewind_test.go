//go:build unix

package e2e

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// keyed is a record: the nth of its key.
type keyed struct {
	key, n int
	put    time.Time
}

// rewinding is an application whose records have keys.
type rewinding struct {
	*application
	records map[sample.Key]keyed
	batches int
}

// aggregate is the key of records that contain two, like those of the Kinesis Producer
// Library.
const aggregate = -1

// put puts batches of 500 records with as many keys.
func (r *rewinding) put(batches int) {
	r.t.Helper()
	client := r.kinesis()
	for range batches {
		left := make([]int, 500)
		for key := range left {
			left[key] = key
		}
		for len(left) > 0 {
			var entries []kinesistypes.PutRecordsRequestEntry
			for _, key := range left {
				entries = append(entries, kinesistypes.PutRecordsRequestEntry{PartitionKey: aws.String(fmt.Sprint(key)), Data: []byte("x")})
			}
			out, err := client.PutRecords(r.t.Context(), &kinesis.PutRecordsInput{StreamName: &r.name, Records: entries})
			if err != nil {
				r.t.Fatal(err)
			}
			var failed []int
			for i, result := range out.Records {
				if result.ErrorCode != nil {
					failed = append(failed, left[i])
					continue
				}
				id := sample.Key{ShardID: *result.ShardId, SequenceNumber: *result.SequenceNumber}
				r.records[id] = keyed{left[i], r.batches, time.Now()}
				r.sent = append(r.sent, id)
			}
			left = failed
		}
		r.batches++
	}
}

// putAggregates puts an aggregated record into each open shard.
func (r *rewinding) putAggregates() {
	r.t.Helper()
	client := r.kinesis()
	shards, err := client.ListShards(r.t.Context(), &kinesis.ListShardsInput{StreamName: &r.name})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, shard := range shards.Shards {
		if shard.SequenceNumberRange.EndingSequenceNumber != nil {
			continue
		}
		// The tables of keys and of explicit hash keys, and two records with the first of each.
		hash := *shard.HashKeyRange.StartingHashKey
		message := []byte("\x0a\x01k\x12" + string(rune(len(hash))) + hash + strings.Repeat("\x1a\x09\x08\x00\x10\x00\x1a\x03abc", 2))
		sum := md5.Sum(message)
		out, err := client.PutRecord(r.t.Context(), &kinesis.PutRecordInput{
			StreamName: &r.name, PartitionKey: aws.String("k"), ExplicitHashKey: &hash, Data: slices.Concat([]byte("\xf3\x89\x9a\xc2"), message, sum[:]),
		})
		if err != nil {
			r.t.Fatal(err)
		}
		id := sample.Key{ShardID: *out.ShardId, SequenceNumber: *out.SequenceNumber}
		r.records[id] = keyed{aggregate, r.batches, time.Now()}
		r.sent = append(r.sent, id)
	}
}

// now is a time between two batches: records arrive at whole milliseconds.
func (r *rewinding) now() time.Time {
	time.Sleep(5 * time.Millisecond)
	defer time.Sleep(5 * time.Millisecond)
	return time.Now()
}

// readExactly checks that the processors have recorded these records, each once, in the
// order of each key; and clears what they have recorded.
func (r *rewinding) readExactly(want map[sample.Key]bool) {
	r.t.Helper()
	last := map[int]int{}
	twice, foreign, disordered, got := 0, 0, 0, map[sample.Key]bool{}
	for line := range strings.Lines(r.read("records.txt")) {
		shard, sequence, _ := strings.Cut(strings.TrimSpace(line), " ")
		id := sample.Key{ShardID: shard, SequenceNumber: sequence}
		record := r.records[id]
		switch {
		case got[id] && record.key != aggregate:
			twice++
		case !want[id]:
			foreign++
		}
		if n, seen := last[record.key]; seen && n >= record.n && record.key != aggregate {
			disordered++
		}
		got[id], last[record.key] = true, record.n
	}
	if twice+foreign+disordered > 0 || len(got) != len(want) {
		r.t.Errorf("%d records, want %d; %d twice, %d that are none of these, %d out of order", len(got), len(want), twice, foreign, disordered)
	}
	if err := os.Remove(filepath.Join(r.dir, "records.txt")); err != nil {
		r.t.Error(err)
	}
}

// since returns the records that were put after a time.
func (r *rewinding) since(from time.Time) map[sample.Key]bool {
	records := map[sample.Key]bool{}
	for id, record := range r.records {
		if record.put.After(from) {
			records[id] = true
		}
	}
	return records
}

func (a *application) dynamoDB() *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		BaseEndpoint: aws.String(local(a.t).DynamoDBURL), Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	})
}

// leaseRows returns the lease table, by key.
func (a *application) leaseRows() map[string]map[string]ddb.AttributeValue {
	a.t.Helper()
	return (&resourceTest{T: a.t, dynamoDB: a.dynamoDB()}).leaseTable(a.name)
}

// wereStoppedLongAgo makes the workers' last reports so old that kcl-infra does not wait.
func (a *application) wereStoppedLongAgo() {
	a.t.Helper()
	table := aws.String(a.name + "-WorkerMetricStats")
	out, err := a.dynamoDB().Scan(a.t.Context(), &dynamodb.ScanInput{TableName: table})
	if err != nil {
		a.t.Fatal(err)
	}
	for _, worker := range out.Items {
		worker["lut"] = &ddb.AttributeValueMemberN{Value: fmt.Sprint(time.Now().Add(-2 * time.Minute).Unix())}
		if _, err := a.dynamoDB().PutItem(a.t.Context(), &dynamodb.PutItemInput{TableName: table, Item: worker}); err != nil {
			a.t.Fatal(err)
		}
	}
}

// infraCommand returns a command of kcl-infra for the application and its stream.
func (a *application) infraCommand(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(a.t.Context(), sample.Command(shared.bin, "kcl-infra"), append(args, "--application", a.name, "-s", a.name)...)
	cmd.Dir, cmd.Env = a.dir, a.environ
	return cmd
}

// infra runs a command of kcl-infra for the application and returns its output and status.
func (a *application) infra(args ...string) (output string, status int) {
	a.t.Helper()
	cmd := a.infraCommand(args...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		a.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// A killer is a proxy between kcl-infra and DynamoDB. It kills its process when the first
// write is done.
type killer struct {
	url    string
	victim chan *os.Process
}

func newKiller(t *testing.T) *killer {
	k := &killer{victim: make(chan *os.Process)}
	k.url = losesAnswers(t, func() bool {
		(<-k.victim).Kill()
		return true
	})
	return k
}

// losesAnswers returns the endpoint of a DynamoDB that does each write but does not answer
// if lose returns true.
func losesAnswers(t *testing.T, lose func() bool) (endpoint string) {
	dynamoDB, err := url.Parse(local(t).DynamoDBURL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(dynamoDB)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, operation, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
		if !slices.Contains([]string{"PutItem", "UpdateItem", "DeleteItem"}, operation) {
			proxy.ServeHTTP(w, req)
			return
		}
		answer := httptest.NewRecorder()
		proxy.ServeHTTP(answer, req)
		if lose() {
			panic(http.ErrAbortHandler)
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		w.Write(answer.Body.Bytes())
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// run runs kcl-infra, and reports whether it was killed.
func (k *killer) run(a *application, args ...string) bool {
	a.t.Helper()
	cmd := a.infraCommand(args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env = append(slices.Clone(a.environ), "AWS_ENDPOINT_URL_DYNAMODB="+k.url)
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case k.victim <- cmd.Process:
		<-ended
		return true
	case err := <-ended:
		if err != nil {
			a.t.Fatalf("%v: %v: %s", args, err, &out)
		}
		return false
	}
}

// Of 10,000 records, with a split and a merge, a rewind delivers exactly those from a time
// on again, in the order of each key, although kcl-infra is killed after each of its
// writes. After a rewind that was undone nothing is delivered again.
func TestRewindOverReshards(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	rewindOverReshards(t, "POLLING")
}

func TestRewindOverReshardsWithFanOut(t *testing.T) {
	testenv.Nightly(t)
	t.Parallel()
	rewindOverReshards(t, "FANOUT")
}

func rewindOverReshards(t *testing.T, mode string) {
	r := &rewinding{application: newApplication(t, 3, stack.Setting{Name: "retrievalMode", Value: mode}), records: map[sample.Key]keyed{}}
	w := r.startWorker("worker-1")
	r.put(3)
	early := r.now()
	r.put(2)
	r.split(0)
	r.put(4)
	r.putAggregates() // the last before the time
	middle := r.now()
	r.put(5)
	r.merge(1, 2)
	r.put(6)
	w.awaitAll()
	w.await("the end of each parent", func() bool { return r.count("shardEnded") == 3 })
	to := []string{"rewind", "--to", middle.Format(time.RFC3339Nano), "--yes"}
	if out, status := r.infra(to...); status != 1 || !strings.Contains(out, "is running") {
		t.Errorf("with a worker at work: status %d: %s", status, out)
	}
	w.stopInTime()
	r.readExactly(r.since(time.Time{}))
	r.wereStoppedLongAgo()

	before := r.leaseRows()
	if out := r.kclInfra(to[0], append(to[1:], "--dry-run")...); strings.Count(out, "checkpointSubSequenceNumber=2147483647") != 4 {
		t.Errorf("not behind the four aggregated records: %s", out)
	}
	if !reflect.DeepEqual(r.leaseRows(), before) {
		t.Fatal("--dry-run has changed leases")
	}
	k := newKiller(t)
	writes := 0
	for k.run(r.application, append(to, "--backup", fmt.Sprint("backup-", writes))...) {
		writes++
	}
	after := r.leaseRows()
	if writes < 4 || reflect.DeepEqual(after, before) {
		t.Fatalf("%d writes", writes)
	}
	// The first backup is complete, and the result without a kill is the same.
	if out, status := r.infra(append(to, "--backup", "backup-0")...); !strings.Contains(out, "nothing to do: no lease must change\n") {
		t.Fatalf("status %d: %s", status, out)
	}
	r.kclInfra("restore", "backup-0", "--yes")
	if !reflect.DeepEqual(r.leaseRows(), before) {
		t.Errorf("restored to %v, want %v", r.leaseRows(), before)
	}
	if out, status := r.infra(append(to, "--backup", "backup-0")...); status != 1 || !strings.Contains(out, "backup-0") || !reflect.DeepEqual(r.leaseRows(), before) {
		t.Errorf("over a backup that is there: status %d: %s", status, out)
	}
	r.kclInfra(to[0], append(to[1:], "--backup", "backup")...)
	if !reflect.DeepEqual(r.leaseRows(), after) {
		t.Errorf("rewound to %v, want %v", r.leaseRows(), after)
	}

	want := r.since(middle)
	w = r.startWorker("worker-1")
	w.await("each record since the middle", func() bool { return r.noted() >= len(want) })
	w.await("the end of the merged again", func() bool { return r.count("shardEnded") == 3+2 })
	w.stopInTime()
	t.Logf("%d of %d records came again, %d writes", r.noted(), len(r.records), writes)
	r.readExactly(want)
	r.wereStoppedLongAgo()

	// Undone.
	before = r.leaseRows()
	r.kclInfra("rewind", "--to", early.Format(time.RFC3339Nano), "--yes", "--backup", "early")
	if reflect.DeepEqual(r.leaseRows(), before) {
		t.Error("nothing was rewound")
	}
	if out, status := r.infra("restore", "backup", "--yes"); status != 1 || !strings.Contains(out, "--force") {
		t.Errorf("of a backup before that: status %d: %s", status, out)
	}
	r.kclInfra("restore", "early", "--yes")
	if !reflect.DeepEqual(r.leaseRows(), before) {
		t.Errorf("restored to %v, want %v", r.leaseRows(), before)
	}
	now := r.now()
	w = r.startWorker("worker-1")
	r.put(1)
	w.await("what is new", func() bool { return r.noted() >= 500 })
	w.stopInTime()
	r.readExactly(r.since(now))
}

// rewind and restore support the tables of each version of KCL.
func TestInfraRewindsEachLayout(t *testing.T) {
	t.Parallel()
	for _, layout := range []string{"kcl2", "kcl3", "kcl3.5"} {
		t.Run(layout, func(t *testing.T) {
			t.Parallel()
			r := newResourceTest(t, "kcl-infra")
			r.name = strings.ReplaceAll(r.name, "/", ".")
			r.infra(0, "create", "--shards", "1", "--layout", layout, "--seed-leases", "TRIM_HORIZON")
			const first, last = "0", "340282366920938463463374607431768211455" // hash keys
			put := func(hash string) (sequence string) {
				t.Helper()
				for range 3 {
					out, err := r.kinesis.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: &r.name, PartitionKey: aws.String("k"), ExplicitHashKey: &hash, Data: []byte("x")})
					if err != nil {
						t.Fatal(err)
					}
					sequence = *out.SequenceNumber
				}
				return sequence
			}
			const parent, child, other = "shardId-000000000000", "shardId-000000000001", "shardId-000000000002"
			before := put(first)
			time.Sleep(5 * time.Millisecond) // records arrive at whole milliseconds
			middle := time.Now()
			time.Sleep(5 * time.Millisecond)
			put(first)
			r.split(r.name)
			low, high := put(first), put(last)
			at := func(lease, checkpoint string) {
				t.Helper()
				set, values := "SET checkpoint = :c, checkpointSubSequenceNumber = :n, leaseCounter = :n", map[string]ddb.AttributeValue{
					":c": &ddb.AttributeValueMemberS{Value: checkpoint}, ":n": &ddb.AttributeValueMemberN{Value: "0"},
				}
				if layout == "kcl3.5" {
					set += ", entityType = :e"
					values[":e"] = &ddb.AttributeValueMemberS{Value: "LEASE"}
				}
				if err := r.setLease(t.Context(), lease, set, values); err != nil {
					t.Fatal(err)
				}
			}
			at(parent, "SHARD_END")
			at(child, low)
			at(other, high)
			rows := r.leaseTable(r.name)

			backup := filepath.Join(t.TempDir(), "backup")
			to := []string{"--to", middle.Format(time.RFC3339Nano), "--backup", backup, "--yes"}
			r.ownLease(child, "w")
			end := r.renew(child)
			_, errs := r.infra(1, "rewind", to...)
			end()
			r.wants(errs, "the application is running", "worker w renewed lease "+child, "nothing was changed")
			if _, err := os.Stat(backup); err == nil {
				t.Error("there is a backup of a rewind that was refused")
			}
			at(child, low)
			if err := r.setLease(t.Context(), child, "REMOVE leaseOwner", nil); err != nil {
				t.Fatal(err)
			}
			_, errs = r.infra(2, "rewind", to[:4]...)
			r.wants(errs, "would change 3 leases", "--yes")
			if layout == "kcl3" {
				r.report("w", 80*time.Second) // it waits until that is old
			}
			// Each write is done twice, because the answer to the first one is lost.
			direct, writes := r.env, 0
			r.env = append(slices.Clone(r.env), "AWS_ENDPOINT_URL_DYNAMODB="+losesAnswers(t, func() bool {
				writes++
				return writes%2 == 1
			}))
			out, errs := r.infra(0, "rewind", to...)
			r.env = direct
			if layout == "kcl3" {
				r.wants(errs, "workers were running: watching for")
			}
			if writes != 2*3 {
				t.Errorf("%d writes", writes)
			}
			r.wants(out, "changed lease "+parent+": SHARD_END -> "+before, "changed lease "+child+": "+low+" -> none", "changed lease "+other+": "+high+" -> none")
			got := r.leaseTable(r.name)
			if len(got) != len(rows)-2 || !reflect.DeepEqual(got[parent]["checkpoint"], &ddb.AttributeValueMemberS{Value: before}) {
				t.Errorf("rewound to %v", got)
			}
			// A deleted lease is created again as KCL would create it.
			r.infra(0, "restore", "--dry-run", backup)
			r.infra(0, "restore", "--yes", backup)
			if got := r.leaseTable(r.name); !reflect.DeepEqual(got, rows) {
				t.Errorf("restored to %v, want %v", got, rows)
			}
			_, err := r.dynamoDB.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{
				TableName: &r.name, Key: map[string]ddb.AttributeValue{"leaseKey": &ddb.AttributeValueMemberS{Value: parent}},
			})
			if err != nil {
				t.Fatal(err)
			}
			r.infra(0, "rewind", "--to", "TRIM_HORIZON", "--backup", backup+"2", "--yes")
			made := r.leaseTable(r.name)[parent]
			if (made["entityType"] != nil) != (layout == "kcl3.5") || !reflect.DeepEqual(made["checkpoint"], &ddb.AttributeValueMemberS{Value: "TRIM_HORIZON"}) {
				t.Errorf("made %v", made)
			}
			r.infra(0, "restore", "--yes", backup+"2")
		})
	}
}

// unlock supports them too: it releases what a dead worker has, and refuses if the leader
// is alive.
func TestInfraUnlocksEachLayout(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	for _, tt := range []struct{ layout, fixture, lockTable, lockKey string }{
		{"kcl2", "kcl-2.5.4", "", ""},
		{"kcl3", "kcl-3.1.3", "-CoordinatorState", "key"},
		{"kcl3.5", "kcl-3.5.1", "", "leaseKey"},
	} {
		t.Run(tt.layout, func(t *testing.T) {
			if tt.lockKey == "" {
				testenv.Nightly(t) // nobody refuses
			}
			t.Parallel()
			r := newResourceTest(t, "kcl-infra")
			r.name = strings.ReplaceAll(r.name, "/", ".")
			r.infra(0, "create", "--shards", "1", "--layout", tt.layout)
			r.putRows(tt.fixture, time.Hour)
			if tt.lockKey != "" {
				lock := func(set, value string) error {
					_, err := r.dynamoDB.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
						TableName:                 aws.String(r.name + tt.lockTable),
						Key:                       map[string]ddb.AttributeValue{tt.lockKey: &ddb.AttributeValueMemberS{Value: "Leader"}},
						UpdateExpression:          aws.String("SET " + set + " = :v"),
						ExpressionAttributeValues: map[string]ddb.AttributeValue{":v": &ddb.AttributeValueMemberS{Value: value}},
					})
					return err
				}
				done, renewed := make(chan struct{}), make(chan error)
				go func() {
					for n := 0; ; n++ {
						select {
						case <-done:
							renewed <- nil
							return
						case <-time.After(time.Second): // KCL does every 30 s
						}
						if err := lock("recordVersionNumber", fmt.Sprint(n)); err != nil {
							renewed <- err
							return
						}
					}
				}()
				_, errs := r.infra(1, "unlock", "--yes")
				close(done)
				r.wants(errs, "watching for 2m0s", "worker worker-1 is the leader", "nothing was changed")
				if err := <-renewed; err != nil {
					t.Fatal(err)
				}
			}
			testenv.Nightly(t) // it watches for two minutes
			out, errs := r.infra(0, "unlock", "--yes")
			r.wants(out, "released lease shardId-000000000000 of worker worker-1")
			if (tt.lockKey != "") != strings.Contains(out, "released the leader lock of worker worker-1") {
				t.Errorf("released %s", out)
			}
			r.wants(errs, " of 120 s; workers running: none")
			for key, row := range r.leaseTable(r.name) {
				if row["leaseOwner"] != nil || key == "Leader" {
					t.Errorf("left: %v", row)
				}
			}
			out, _ = r.infra(0, "unlock", "--yes")
			r.wants(out, "nothing to release")
		})
	}
}
