//go:build unix

package e2e

import (
	"bytes"
	"fmt"
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
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// keyed is a record of one of some keys: the nth of its key.
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

// put puts batches of 500 records, of as many keys.
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

// now is a time between two batches: records arrive at whole milliseconds.
func (r *rewinding) now() time.Time {
	time.Sleep(5 * time.Millisecond)
	defer time.Sleep(5 * time.Millisecond)
	return time.Now()
}

// read checks that what has been noted is these records, each once, those of each key
// in order; and forgets it.
func (r *rewinding) readExactly(want map[sample.Key]bool) {
	r.t.Helper()
	last := map[int]int{}
	twice, foreign, disordered, got := 0, 0, 0, map[sample.Key]bool{}
	for line := range strings.Lines(r.read("records.txt")) {
		shard, sequence, _ := strings.Cut(strings.TrimSpace(line), " ")
		id := sample.Key{ShardID: shard, SequenceNumber: sequence}
		record := r.records[id]
		switch {
		case got[id]:
			twice++
		case !want[id]:
			foreign++
		}
		if n, seen := last[record.key]; seen && n >= record.n {
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

// since are the records that were put after a time.
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
		BaseEndpoint: aws.String(local(a.t).DynamoDBURL()), Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	})
}

// leaseRows returns the lease table, by key.
func (a *application) leaseRows() map[string]map[string]ddb.AttributeValue {
	a.t.Helper()
	return (&resourceTest{T: a.t, dynamoDB: a.dynamoDB()}).leaseTable(a.name)
}

// wereStoppedLongAgo has the workers' last reports as old as kcl-infra waits for.
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

// infra runs a command of kcl-infra for the application, and returns what it printed
// and its status.
func (a *application) infra(args ...string) (output string, status int) {
	a.t.Helper()
	cmd := exec.CommandContext(a.t.Context(), sample.Command(shared.bin, "kcl-infra"), append(args, "--application", a.name, "-s", a.name)...)
	cmd.Dir, cmd.Env = a.dir, a.environ
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		a.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// must is infra with status 0.
func (a *application) must(args ...string) string {
	a.t.Helper()
	out, status := a.infra(args...)
	if status != 0 {
		a.t.Fatalf("%v: status %d: %s", args, status, out)
	}
	return out
}

// A killer stands between kcl-infra and DynamoDB. It kills the process that it is given
// when its first write is done.
type killer struct {
	url    string
	victim chan *os.Process
}

func newKiller(t *testing.T) *killer {
	dynamoDB, err := url.Parse(local(t).DynamoDBURL())
	if err != nil {
		t.Fatal(err)
	}
	k := &killer{victim: make(chan *os.Process)}
	proxy := httputil.NewSingleHostReverseProxy(dynamoDB)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, operation, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
		if !slices.Contains([]string{"PutItem", "UpdateItem", "DeleteItem"}, operation) {
			proxy.ServeHTTP(w, req)
			return
		}
		proxy.ServeHTTP(httptest.NewRecorder(), req)
		(<-k.victim).Kill()
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(server.Close)
	k.url = server.URL
	return k
}

// run runs kcl-infra, and reports whether it was killed.
func (k *killer) run(a *application, args ...string) bool {
	a.t.Helper()
	cmd := exec.CommandContext(a.t.Context(), sample.Command(shared.bin, "kcl-infra"), append(args, "--application", a.name, "-s", a.name)...)
	var out bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = a.dir, &out, &out
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

// Of 10,000 records over a split and a merge exactly those from a time on come again,
// those of each key in order, though kcl-infra was killed after each of its writes. After
// a rewind that was taken back nothing comes again.
func TestRewindOverReshards(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	r := &rewinding{application: newApplication(t, 3), records: map[sample.Key]keyed{}}
	w := r.startWorker("worker-1")
	r.put(3)
	early := r.now()
	r.put(2)
	r.split(0)
	r.put(4)
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
	t.Log(r.must(append(to, "--dry-run")...))
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
	// The first backup has all of it, and without a kill the end is the same.
	if out, status := r.infra(append(to, "--backup", "backup-0")...); !strings.Contains(out, "nothing to do: each lease is there already\n") {
		t.Fatalf("status %d: %s", status, out)
	}
	t.Log(r.must("restore", "backup-0", "--yes"))
	if !reflect.DeepEqual(r.leaseRows(), before) {
		t.Errorf("restored to %v, want %v", r.leaseRows(), before)
	}
	if out, status := r.infra(append(to, "--backup", "backup-0")...); status != 1 || !strings.Contains(out, "backup-0") || !reflect.DeepEqual(r.leaseRows(), before) {
		t.Errorf("over a backup that is there: status %d: %s", status, out)
	}
	r.must(append(to, "--backup", "backup")...)
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

	// Taken back.
	before = r.leaseRows()
	r.must("rewind", "--to", early.Format(time.RFC3339Nano), "--yes", "--backup", "early")
	if reflect.DeepEqual(r.leaseRows(), before) {
		t.Error("nothing was rewound")
	}
	if out, status := r.infra("restore", "backup", "--yes"); status != 1 || !strings.Contains(out, "--force") {
		t.Errorf("of a backup before that: status %d: %s", status, out)
	}
	r.must("restore", "early", "--yes")
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
