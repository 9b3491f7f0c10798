//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/tools/internal/needs"
)

// local is the command, that runs.
type local struct {
	t        *testing.T
	cmd      *exec.Cmd
	stderr   *output
	kinesis  *kinesis.Client
	dynamodb *dynamodb.Client
	ended    chan struct{}
}

// output is what a process has printed so far.
type output struct {
	mu      sync.Mutex
	b       bytes.Buffer
	changed chan struct{} // closed at the next change
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.b.Write(p)
}

// await waits for a text: what a process prints comes a little later.
func (o *output) await(t *testing.T, text string) {
	t.Helper()
	for deadline := time.After(time.Minute); ; {
		o.mu.Lock()
		found, changed := strings.Contains(o.b.String(), text), o.changed
		o.mu.Unlock()
		if found {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("not there: %q\n%s", text, o)
		}
	}
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// startLocal returns when the command has said that it is ready.
func startLocal(t *testing.T, args ...string) *local {
	t.Helper()
	needs.Java(t)
	l := &local{t: t, cmd: exec.Command(os.Args[0], args...), stderr: &output{changed: make(chan struct{})}, ended: make(chan struct{})}
	l.cmd.Env, l.cmd.Stderr = append(os.Environ(), commandEnv+"=1"), l.stderr
	stdout, err := l.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.cmd.Process.Kill()
		<-l.ended
	})
	var printed strings.Builder
	buf := make([]byte, 4096)
	for !strings.Contains(printed.String(), "AWS_EC2_METADATA_DISABLED=true\n") {
		n, err := stdout.Read(buf)
		printed.Write(buf[:n])
		if err != nil {
			_ = l.cmd.Wait()
			close(l.ended)
			t.Fatalf("%v\n%s", err, l.stderr)
		}
	}
	go func() {
		io.Copy(io.Discard, stdout)
		_ = l.cmd.Wait()
		close(l.ended)
	}()
	l.stderr.await(t, "Paste these lines") // the last that it says
	endpoint := func(service string) *string {
		m := regexp.MustCompile(`AWS_ENDPOINT_URL_` + service + `=(\S+)\n`).FindStringSubmatch(printed.String())
		if m == nil {
			t.Fatalf("%s", printed.String())
		}
		return &m[1]
	}
	key := credentials.NewStaticCredentialsProvider("local", "local", "")
	l.kinesis = kinesis.New(kinesis.Options{BaseEndpoint: endpoint("KINESIS"), Region: "us-east-1", Credentials: key})
	l.dynamodb = dynamodb.New(dynamodb.Options{BaseEndpoint: endpoint("DYNAMODB"), Region: "us-east-1", Credentials: key})
	return l
}

// terminate sends SIGTERM, as a supervisor does, and returns how long it took.
func (l *local) terminate() time.Duration {
	l.t.Helper()
	began := time.Now()
	if err := l.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		l.t.Fatal(err)
	}
	<-l.ended
	took := time.Since(began)
	if code := l.cmd.ProcessState.ExitCode(); code != 0 {
		l.t.Errorf("exit status %d\n%s", code, l.stderr)
	}
	return took
}

// hold keeps connections of each kind open: with half a request, with one that
// was answered, with a subscription.
func (l *local) hold() {
	l.t.Helper()
	ctx := l.t.Context()
	for _, url := range []*string{l.kinesis.Options().BaseEndpoint, l.dynamodb.Options().BaseEndpoint} {
		c, err := net.Dial("tcp", strings.TrimPrefix(*url, "http://"))
		if err != nil {
			l.t.Fatal(err)
		}
		l.t.Cleanup(func() { c.Close() })
		if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"); err != nil {
			l.t.Fatal(err)
		}
	}
	stream, err := l.kinesis.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: aws.String("orders")})
	if err != nil {
		l.t.Fatal(err)
	}
	registered, err := l.kinesis.RegisterStreamConsumer(ctx, &kinesis.RegisterStreamConsumerInput{StreamARN: stream.StreamDescriptionSummary.StreamARN, ConsumerName: aws.String("c")})
	if err != nil {
		l.t.Fatal(err)
	}
	sub, err := l.kinesis.SubscribeToShard(ctx, &kinesis.SubscribeToShardInput{ConsumerARN: registered.Consumer.ConsumerARN, ShardId: aws.String("shardId-000000000001"), StartingPosition: &types.StartingPosition{Type: types.ShardIteratorTypeLatest}})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { sub.GetStream().Close() })
}

func (l *local) put(data string) {
	l.t.Helper()
	if _, err := l.kinesis.PutRecord(l.t.Context(), &kinesis.PutRecordInput{StreamName: aws.String("orders"), PartitionKey: aws.String("k"), ExplicitHashKey: aws.String("0"), Data: []byte(data)}); err != nil {
		l.t.Fatal(err)
	}
}

// records returns the data of those in the first shard.
func (l *local) records() (data []string) {
	l.t.Helper()
	it, err := l.kinesis.GetShardIterator(l.t.Context(), &kinesis.GetShardIteratorInput{StreamName: aws.String("orders"), ShardId: aws.String("shardId-000000000000"), ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
	if err != nil {
		l.t.Fatal(err)
	}
	out, err := l.kinesis.GetRecords(l.t.Context(), &kinesis.GetRecordsInput{ShardIterator: it.ShardIterator})
	if err != nil {
		l.t.Fatal(err)
	}
	for _, r := range out.Records {
		data = append(data, string(r.Data))
	}
	return data
}

// Streams, records and tables are there in the next run, whether the command was
// stopped or killed; the seed changes nothing that is there. It stops in time,
// whoever is connected.
func TestDataOutlastsTheCommand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	l := startLocal(t, "--data", dir, "--seed", "orders=2", "--seed", "clicks=1")
	for _, want := range []string{
		"local: ready in ", "  Data      " + dir + "\n", "  Streams   clicks (1 shard, new)\n            orders (2 shards, new)\n\n",
	} {
		if !strings.Contains(l.stderr.String(), want) {
			t.Errorf("not there: %q\n%s", want, l.stderr)
		}
	}
	l.put("one")
	if _, err := l.dynamodb.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName:            aws.String("leases"),
		BillingMode:          dynamodbtypes.BillingModePayPerRequest,
		AttributeDefinitions: []dynamodbtypes.AttributeDefinition{{AttributeName: aws.String("leaseKey"), AttributeType: dynamodbtypes.ScalarAttributeTypeS}},
		KeySchema:            []dynamodbtypes.KeySchemaElement{{AttributeName: aws.String("leaseKey"), KeyType: dynamodbtypes.KeyTypeHash}},
	}); err != nil {
		t.Fatal(err)
	}
	l.hold()

	// One folder is one command's.
	other := exec.Command(os.Args[0], "--data", dir)
	other.Env = append(os.Environ(), commandEnv+"=1")
	said, err := other.CombinedOutput()
	if other.ProcessState.ExitCode() != 1 || !bytes.Contains(said, []byte("in use by another process")) || bytes.Count(said, []byte("\n")) != 1 {
		t.Errorf("a second one in the folder: %v, %s", err, said)
	}

	if took := l.terminate(); took > 2*time.Second {
		t.Errorf("it took %s to stop", took)
	}

	l = startLocal(t, "--data", dir, "--seed", "orders=4", "--seed", "clicks=1,views=3")
	if want := "  Streams   clicks (1 shard)\n            orders (2 shards; --seed says 4: it was there, and stays as it is)\n            views (3 shards, new)\n"; !strings.Contains(l.stderr.String(), want) {
		t.Errorf("not there: %q\n%s", want, l.stderr)
	}
	l.put("two")
	if err := l.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-l.ended

	l = startLocal(t, "--data", dir)
	if got := l.records(); fmt.Sprint(got) != "[one two]" {
		t.Errorf("records %q", got)
	}
	if tables, err := l.dynamodb.ListTables(t.Context(), nil); err != nil || len(tables.TableNames) != 1 {
		t.Errorf("tables %v, error %v", tables, err)
	}
	if took := l.terminate(); took > 2*time.Second {
		t.Errorf("it took %s to stop", took)
	}
	if strings.Contains(l.stderr.String(), "level=") {
		t.Errorf("it complains:\n%s", l.stderr)
	}
}

// Beyond --max-bytes the oldest records go, and the command says so.
func TestMaxBytesIsKeptAndSaid(t *testing.T) {
	l := startLocal(t, "--max-bytes", "16MiB", "--seed", "orders=2")
	large := strings.Repeat("x", 1<<20-1)
	for range 20 {
		l.put(large)
	}
	l.stderr.await(t, `level=WARN msg="oldest records trimmed`)
	// 10 MiB in a call, from what is left.
	if got := l.records(); len(got) != 10 {
		t.Errorf("%d records", len(got))
	}
	l.hold()
	if took := l.terminate(); took > 2*time.Second {
		t.Errorf("it took %s to stop", took)
	}
	if _, err := os.Stat("kinesis"); !errors.Is(err, os.ErrNotExist) {
		t.Error("without --data it has written a folder")
	}
}
