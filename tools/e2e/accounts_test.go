//go:build unix

package e2e

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal"
)

// otherAccount is the account of the streams that do not belong to the worker's account.
const otherAccount = "222222222222"

// A worker reads two streams, one of them of another account; its own account has a stream
// of the same name. Although one stream is resharded, a shard of the other cannot be
// written, and Java is killed, the files of each stream get each of its records once, and
// none of the stream with the same name. All calls on a stream of another account, and all
// calls that read, use the ARN.
func TestStreamsOfTwoAccounts(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	k := newAccountsTest(t)
	payments := k.create(otherAccount, "payments", 2)
	decoy := k.create(kinesislocal.DefaultAccount, "payments", 1)
	orders := k.create(kinesislocal.DefaultAccount, "orders", 2)
	payments.share("DescribeStreamSummary", "ListShards", "GetShardIterator", "GetRecords")
	a := k.application(t.Name(), "orders, "+payments.arn,
		stack.Setting{Name: "maxRecords", Value: "400"}, stack.Setting{Name: "failoverTimeMillis", Value: "10000"})
	both := []*accountStream{orders, payments}
	for _, s := range both {
		s.filesOf(a)
	}
	// A folder cannot be written to.
	bad := filepath.Join(payments.dir, *shardID(1)+".jsonl")
	if err := os.MkdirAll(bad, 0o755); err != nil {
		t.Fatal(err)
	}
	decoy.put(100)
	begun := len(k.log())
	d := a.start()
	orders.put(3000)
	payments.put(3000)
	orders.await(d, 3000)
	orders.split(0)
	orders.put(1000)
	// A killed worker may stay KCL's leader for two minutes, in which no new leases are
	// assigned. These are assigned before.
	a.await(d, "the children", func() bool {
		for _, child := range []int{2, 3} {
			if _, err := os.Stat(filepath.Join(orders.dir, *shardID(child)+".jsonl")); err != nil {
				return false
			}
		}
		return true
	})
	orders.put(3000)
	payments.put(4000)
	orders.await(d, 4500)
	first := d.JavaPID()
	killGroup(t, first, syscall.SIGKILL)
	t.Logf("Java was killed when %d of %d records were in the files", len(orders.files.Records), len(orders.sent))
	orders.put(3000)
	payments.put(3000)
	a.await(d, "three failures of the shard", func() bool {
		return strings.Contains(a.read("application.log"), "failures=3")
	})
	orders.await(d, 10_000)
	if len(payments.sent) != 10_000 || len(orders.sent) != 10_000 {
		t.Fatal("it is not 10,000 records each")
	}
	if err := os.Remove(bad); err != nil {
		t.Fatal(err)
	}
	payments.await(d, 10_000)
	a.await(d, "the end of the parent", func() bool { return strings.Contains(a.read("application.log"), "msg=shardEnded") })
	a.stop(d)
	if d.JavaPID() == first {
		t.Error("nobody said that Java was started again")
	}
	for _, s := range both {
		s.once()
	}
	k.onlyThese(a, orders, payments)
	k.byARN(begun, decoy, "orders")
	for _, s := range both {
		for _, operation := range []string{"DescribeStreamSummary", "ListShards", "GetShardIterator", "GetRecords"} {
			if s == orders && operation == "DescribeStreamSummary" {
				continue // it looks up the ARN
			}
			if k.requests(begun, operation, s.arn) == 0 {
				t.Errorf("no %s of %s in the log: the test shows nothing", operation, s.arn)
			}
		}
	}
}

// A worker reads a stream of another account, with the consumer that the owner has
// registered, and one of its own account. It registers no consumer at the stream with the
// same name, and does not subscribe to it.
func TestStreamsOfTwoAccountsByFanOut(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	k := newAccountsTest(t)
	payments := k.create(otherAccount, "payments", 2)
	decoy := k.create(kinesislocal.DefaultAccount, "payments", 2)
	orders := k.create(kinesislocal.DefaultAccount, "orders", 1)
	payments.share("DescribeStreamSummary", "ListShards")
	consumer := payments.register("readers")
	share(t, payments.client, consumer, "DescribeStreamConsumer", "SubscribeToShard")
	a := k.application(t.Name(), "orders, "+payments.arn+" consumerArn="+consumer, stack.Setting{Name: "retrievalMode", Value: "FANOUT"})
	decoy.put(100)
	begun := len(k.log())
	d := a.start()
	for _, s := range []*accountStream{orders, payments} {
		s.filesOf(a)
		s.put(500)
		s.await(d, 500)
	}
	a.stop(d)
	orders.once()
	payments.once()
	k.onlyThese(a, orders, payments)
	k.byARN(begun, decoy, "orders")
	if k.requests(begun, "SubscribeToShard", consumer) == 0 {
		t.Errorf("nobody subscribed as %s", consumer)
	}
	if list := decoy.consumers(); len(list) != 0 {
		t.Errorf("the namesake has the consumers %v", list)
	}
	if list := payments.consumers(); len(list) != 1 {
		t.Errorf("the other account's stream has the consumers %v", list)
	}
}

// One stream of another account, by KCL's own property, which Amazon's main class takes for
// the name of a stream in its own account. Leases and files have the form for one stream.
func TestStreamOfAnotherAccount(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	k := newAccountsTest(t)
	payments := k.create(otherAccount, "payments", 1)
	decoy := k.create(kinesislocal.DefaultAccount, "payments", 1)
	payments.share("DescribeStreamSummary", "ListShards", "GetShardIterator", "GetRecords")
	a := k.application(t.Name(), "", stack.Setting{Name: "streamArn", Value: payments.arn})
	payments.filesIn(filepath.Join(a.dir, "data"))
	payments.put(500)
	decoy.put(100)
	begun := len(k.log())
	d := a.start()
	payments.await(d, 500)
	payments.put(500)
	payments.await(d, 1000)
	a.stop(d)
	payments.once()
	k.byARN(begun, decoy)
}

// The tables of an application of one stream cannot be used for several streams, nor the
// other way round: the worker ends, says what to do, and has read nothing.
func TestWorkerRefusesLeasesOfAnotherForm(t *testing.T) {
	testenv.Nightly(t) // TestStreamsRefused tests Java's message
	t.Parallel()
	k := newAccountsTest(t)
	orders, returns := k.create(kinesislocal.DefaultAccount, "orders", 1), k.create(kinesislocal.DefaultAccount, "returns", 1)
	for i, c := range []struct{ before, after string }{{"orders", "orders, returns"}, {"orders, returns", "orders"}} {
		name := fmt.Sprint(t.Name(), i)
		k.application(name, c.before)
		a := k.configure(name, c.after)
		d := a.start()
		if status := a.awaitEnd(d); status != 1 || !strings.Contains(d.Tail(), "choose another applicationName") {
			t.Errorf("from %s to %s: status %d, and the reason does not say what to do:\n%s", c.before, c.after, status, d.Tail())
		}
		if files, _ := os.ReadDir(filepath.Join(a.dir, "data")); len(files) > 0 {
			t.Errorf("from %s to %s: it wrote %v", c.before, c.after, files)
		}
	}
	for _, s := range []*accountStream{orders, returns} {
		if n := k.requests(0, "GetShardIterator", s.arn) + k.requests(0, "GetShardIterator", s.name); n != 0 {
			t.Errorf("%s was read", s.name)
		}
	}
}

// Two workers share the shards of three streams, one of them of another account. A rolling
// restart adds a fourth, which meanwhile only a worker reads that knows it. At the end the
// files have all records of each stream.
func TestFleetOfStreams(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	k := newAccountsTest(t)
	fleet := []*accountStream{
		k.create(kinesislocal.DefaultAccount, "orders", 2), k.create(kinesislocal.DefaultAccount, "returns", 2),
		k.create(otherAccount, "payments", 2), k.create(kinesislocal.DefaultAccount, "refunds", 2),
	}
	fleet[2].share("DescribeStreamSummary", "ListShards", "GetShardIterator", "GetRecords")
	names := func(n int) string {
		var list []string
		for _, s := range fleet[:n] {
			list = append(list, s.arn)
		}
		return strings.Join(list, ", ")
	}
	a := k.application(t.Name(), names(3))
	for _, s := range fleet {
		s.filesOf(a)
	}
	put := func(n int) {
		for _, s := range fleet {
			s.put(n)
		}
	}
	first := a.startSample("worker-1", put)
	second := a.startSample("worker-2", put)
	for _, s := range fleet[:3] {
		s.await(second, len(s.sent))
	}

	a.set("streams", names(4))
	a.run("kcl-infra", "create", "--properties", a.properties, "--seed-leases", "TRIM_HORIZON")
	a.stop(second)
	second = a.startSample("worker-2", put)
	a.stop(first)
	first = a.startSample("worker-1", put)
	for _, s := range fleet {
		s.await(second, len(s.sent))
	}
	a.stop(first)
	a.stop(second)
	for _, s := range fleet {
		s.once()
	}
	k.onlyThese(a, fleet...)
}

// set sets a property: of two lines with the same name, the last one counts.
func (a *application) set(name, value string) {
	a.t.Helper()
	properties, err := os.ReadFile(a.properties)
	if err != nil {
		a.t.Fatal(err)
	}
	if err := os.WriteFile(a.properties, fmt.Appendf(properties, "%s = %s\n", name, value), 0o644); err != nil {
		a.t.Fatal(err)
	}
}

// startSample starts a worker of a fleet that shares the folder of the files, and returns
// when it has a shard. It puts records meanwhile, because KCL balances throughput.
func (a *application) startSample(name string, put func(int)) *sample.Daemon {
	a.t.Helper()
	a.set("workerId", name)
	own := name + ".properties"
	a.write(own, a.read(filepath.Base(a.properties)))
	initialized := func() int { return strings.Count(a.read(name+".log"), "msg=initialize") }
	before := initialized()
	d, err := sample.StartDaemon(sample.DaemonConfig{
		Bin: shared.bin, Dir: a.dir, Environ: a.environ, Properties: own,
		Log: filepath.Join(a.dir, name+".out"), Worker: true, Args: []string{"--log", name + ".log"},
	})
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() {
		d.Stop()
		if a.t.Failed() {
			text := a.read(name + ".log")
			a.t.Logf("the log of %s ends:\n%s", name, text[max(0, len(text)-8000):])
		}
	})
	for deadline := time.Now().Add(patience); initialized() == before; put(20) {
		select {
		case <-d.Done():
			a.t.Fatalf("%s has ended:\n%s", name, d.Tail())
		case <-time.After(100 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			a.t.Fatalf("%s has no shard after %v", name, patience)
		}
	}
	return d
}

// accountsTest is the Kinesis of a test, with streams of several accounts, and its log of
// requests.
type accountsTest struct {
	t       *testing.T
	server  *kinesislocal.Server
	logName string
}

func newAccountsTest(t *testing.T) *accountsTest {
	t.Helper()
	require(t)
	k := &accountsTest{t: t, logName: filepath.Join(t.TempDir(), "kinesis.log")}
	log, err := os.Create(k.logName)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	k.server = kinesislocal.StartTest(t, &kinesislocal.Options{
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	return k
}

// log returns the log of the Kinesis.
func (k *accountsTest) log() string {
	k.t.Helper()
	text, err := os.ReadFile(k.logName)
	if err != nil {
		k.t.Fatal(err)
	}
	return string(text)
}

var requestLine = regexp.MustCompile(`msg=request operation=(\S+) .*account=(\d+)(?: resource=(\S+))?`)

// requests counts the requests of an operation that name a stream or consumer so.
func (k *accountsTest) requests(begun int, operation, resource string) (n int) {
	for _, m := range requestLine.FindAllStringSubmatch(k.log()[begun:], -1) {
		if m[1] == operation && m[3] == resource {
			n++
		}
	}
	return n
}

// byARN checks that all requests since then name their stream by an ARN, and none another
// stream of that name. Only streams that are configured without an ARN may be described by
// name.
func (k *accountsTest) byARN(begun int, decoy *accountStream, names ...string) {
	k.t.Helper()
	for _, m := range requestLine.FindAllStringSubmatch(k.log()[begun:], -1) {
		described := m[1] == "DescribeStreamSummary" && slices.Contains(names, m[3])
		if !strings.HasPrefix(m[3], "arn:") && !described {
			k.t.Errorf("%s of %q, which is no ARN", m[1], m[3])
		}
		if strings.HasPrefix(m[3], decoy.arn) {
			k.t.Errorf("%s of %s, the namesake", m[1], m[3])
		}
	}
}

// create makes a stream.
func (k *accountsTest) create(account, name string, shards int32) *accountStream {
	k.t.Helper()
	s := &accountStream{
		k: k, account: account, name: name, client: kinesis.NewFromConfig(k.server.AWSConfigForAccount(account)),
		arn: fmt.Sprintf("arn:aws:kinesis:%s:%s:stream/%s", kinesislocal.Region, account, name),
	}
	if _, err := s.client.CreateStream(k.t.Context(), &kinesis.CreateStreamInput{StreamName: &name, ShardCount: &shards}); err != nil {
		k.t.Fatal(err)
	}
	return s
}

// application makes an application of streams, given as in the property, with its tables
// and seeded leases. It runs the sample in one process.
func (k *accountsTest) application(name, streams string, settings ...stack.Setting) *application {
	k.t.Helper()
	a := k.configure(name, streams, settings...)
	a.run("kcl-infra", "create", "--properties", a.properties, "--seed-leases", "TRIM_HORIZON")
	return a
}

// configure makes an application without tables and leases.
func (k *accountsTest) configure(name, streams string, settings ...stack.Setting) *application {
	k.t.Helper()
	// The tables outlive the test, with the lock of a killed leader. The port of the
	// Kinesis makes the name unique to this run.
	name += "-" + k.server.URL()[strings.LastIndex(k.server.URL(), ":")+1:]
	settings = append(slices.Clone(settings), stack.Setting{Name: "streamName"}) // the sample's is not there
	if streams != "" {
		settings = append(settings, stack.Setting{Name: "streams", Value: streams})
	}
	a := configure(k.t, name, k.server.URL(), settings...)
	a.worker = true
	return a
}

// onlyThese checks that there are files of these streams only.
func (k *accountsTest) onlyThese(a *application, streams ...*accountStream) {
	k.t.Helper()
	entries, err := os.ReadDir(filepath.Join(a.dir, "data"))
	if err != nil {
		k.t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.ContainsFunc(streams, func(s *accountStream) bool { return filepath.Base(s.dir) == e.Name() }) {
			k.t.Errorf("the folder of the files has %s", e.Name())
		}
	}
}

// accountStream is a stream of an account, with the records that were put.
type accountStream struct {
	k                  *accountsTest
	account, name, arn string
	client             *kinesis.Client
	sent               []sample.Key
	dir                string // of its shards' files
	files              *sample.ShardFiles
}

// share allows the workers' account these operations.
func (s *accountStream) share(operations ...string) {
	s.k.t.Helper()
	share(s.k.t, s.client, s.arn, operations...)
}

func share(t *testing.T, owner *kinesis.Client, arn string, operations ...string) {
	t.Helper()
	policy := fmt.Sprintf(`{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": %q}, "Action": ["kinesis:%s"], "Resource": %q}}`,
		kinesislocal.DefaultAccount, strings.Join(operations, `", "kinesis:`), arn)
	if _, err := owner.PutResourcePolicy(t.Context(), &kinesis.PutResourcePolicyInput{ResourceARN: &arn, Policy: &policy}); err != nil {
		t.Fatal(err)
	}
}

// filesOf sets the application that writes the stream's files, in a folder with KCL's
// identifier of the stream.
func (s *accountStream) filesOf(a *application) {
	s.k.t.Helper()
	out, err := s.client.DescribeStreamSummary(s.k.t.Context(), &kinesis.DescribeStreamSummaryInput{StreamARN: &s.arn})
	if err != nil {
		s.k.t.Fatal(err)
	}
	created := out.StreamDescriptionSummary.StreamCreationTimestamp.Unix()
	s.filesIn(filepath.Join(a.dir, "data", fmt.Sprintf("%s_%s_%d", s.account, s.name, created)))
}

func (s *accountStream) filesIn(dir string) { s.dir, s.files = dir, sample.NewShardFiles(dir) }

// put puts n records, whose data name the stream.
func (s *accountStream) put(n int) {
	s.k.t.Helper()
	for n > 0 {
		in := &kinesis.PutRecordsInput{StreamARN: &s.arn}
		for range min(n, 500) {
			number := fmt.Sprint(len(s.sent) + len(in.Records))
			in.Records = append(in.Records, types.PutRecordsRequestEntry{PartitionKey: &number, Data: []byte(s.arn + " " + number)})
		}
		out, err := s.client.PutRecords(s.k.t.Context(), in)
		if err != nil {
			s.k.t.Fatal(err)
		}
		if *out.FailedRecordCount > 0 {
			s.k.t.Fatalf("%d records were refused", *out.FailedRecordCount)
		}
		for _, r := range out.Records {
			s.sent = append(s.sent, sample.Key{ShardID: *r.ShardId, SequenceNumber: *r.SequenceNumber})
		}
		n -= len(in.Records)
	}
}

// register registers a fan-out consumer and returns its ARN.
func (s *accountStream) register(name string) string {
	s.k.t.Helper()
	out, err := s.client.RegisterStreamConsumer(s.k.t.Context(), &kinesis.RegisterStreamConsumerInput{StreamARN: &s.arn, ConsumerName: &name})
	if err != nil {
		s.k.t.Fatal(err)
	}
	return *out.Consumer.ConsumerARN
}

// consumers returns the stream's fan-out consumers.
func (s *accountStream) consumers() (list []string) {
	s.k.t.Helper()
	out, err := s.client.ListStreamConsumers(s.k.t.Context(), &kinesis.ListStreamConsumersInput{StreamARN: &s.arn})
	if err != nil {
		s.k.t.Fatal(err)
	}
	for _, c := range out.Consumers {
		list = append(list, *c.ConsumerName)
	}
	return list
}

func (s *accountStream) split(shard int) {
	s.k.t.Helper()
	_, err := s.client.SplitShard(s.k.t.Context(), &kinesis.SplitShardInput{
		StreamARN: &s.arn, ShardToSplit: shardID(shard), NewStartingHashKey: aws.String("40000000000000000000000000000000000000"),
	})
	if err != nil {
		s.k.t.Fatal(err)
	}
}

// await waits until the stream's files have n records.
func (s *accountStream) await(d *sample.Daemon, n int) {
	s.k.t.Helper()
	a := &application{t: s.k.t}
	a.await(d, fmt.Sprintf("%d records of %s in its files", n, s.arn), func() bool {
		if err := s.files.Read(); err != nil {
			s.k.t.Fatal(err)
		}
		return len(s.files.Records) >= n
	})
}

// once checks that the stream's files have all of its records, each once, in the order of
// its shard, and none of another stream.
func (s *accountStream) once() {
	s.k.t.Helper()
	a := &application{t: s.k.t, sent: s.sent, files: s.files}
	a.exactlyOnce()
	for _, data := range s.files.Records {
		if !strings.HasPrefix(data, s.arn+" ") {
			s.k.t.Errorf("the files of %s hold %q", s.arn, data)
		}
	}
}
