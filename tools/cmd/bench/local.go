package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/tools/internal/measure"
	"github.com/seed96110120/kinesis-client-go/tools/internal/rivals"
	"github.com/seed96110120/kinesis-client-go/tools/kinesislocal"
)

const localHelp = `Usage: go run ./tools/cmd/bench local [flags]

Compares kinesislocal with kinesis-local (npm) and ferrokinesis (Cargo):
what each can do, its start, its memory, and how fast the AWS SDK puts and reads
records of 1 KiB. Needs node and npm, and cargo for ferrokinesis, whose first
build takes minutes.

Flags:
%s
Example:
  go run ./tools/cmd/bench local --rounds 3 --records 20000
`

// serveEnv makes this program a kinesislocal on the port that it names: a
// contender is a process of its own.
const serveEnv = "BENCH_SERVE_KINESISLOCAL"

func init() {
	if port := os.Getenv(serveEnv); port != "" {
		os.Exit(serveKinesisLocal(port))
	}
}

func serveKinesisLocal(port string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	s, err := kinesislocal.Start(kinesislocal.Config{Addr: "127.0.0.1:" + port})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	<-ctx.Done()
	s.Close()
	return 0
}

// A localContender is one emulator with what was measured of it.
type localContender struct {
	name, from string
	start      func(context.Context) (*rivals.Emulator, error)

	ready, memory, put, get                  measure.Sample
	operations                               int
	refused                                  []string
	polling, fanOut, pollingEnds, fanOutEnds bool
}

func benchLocal(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := newFlags("local", localHelp, 3, 100)
	records := flags.Int("records", 20_000, "`number` of records of 1 KiB put and read in a round, 500 to 1000000")
	skipRust := flags.Bool("without-ferrokinesis", false, "leave out ferrokinesis and its long first build")
	if helped, err := flags.parse(args, stdout); helped || err != nil {
		return err
	}
	if err := within("records", *records, 500, 1_000_000); err != nil {
		return err
	}

	contenders := []*localContender{
		{name: "kinesislocal", from: "this project", start: startOurs},
		{name: "kinesis-local " + rivals.KinesisLocalVersion, from: "npm", start: rivals.StartKinesisLocal},
	}
	if !*skipRust {
		contenders = append(contenders, &localContender{name: "ferrokinesis " + rivals.FerrokinesisVersion, from: "Cargo", start: rivals.StartFerrokinesis})
	}
	for _, c := range contenders {
		fmt.Fprintf(stderr, "bench local: what %s can do\n", c.name)
		if err := c.probe(ctx); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	err := measure.Rounds(ctx, flags.rounds, len(contenders), func(round, i int) error {
		fmt.Fprintf(stderr, "bench local: round %d of %d, %s\n", round+1, flags.rounds, contenders[i].name)
		if err := contenders[i].measure(ctx, *records); err != nil {
			return fmt.Errorf("%s: %w", contenders[i].name, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flags.write(localReport(contenders, flags.rounds, *records), stdout)
}

// startOurs starts a kinesislocal.
func startOurs(ctx context.Context) (*rivals.Emulator, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return rivals.Start(ctx, "kinesislocal", func(port, _ int) *exec.Cmd {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), serveEnv+"="+strconv.Itoa(port))
		return cmd
	})
}

// localClient speaks HTTP/1.1 to all of them: kinesis-local was seen to close an
// HTTP/2 connection with calls under way.
func localClient(url string) *kinesis.Client {
	return kinesis.New(kinesis.Options{
		HTTPClient:   &http.Client{Transport: plainBodies{&http.Transport{}}},
		BaseEndpoint: &url,
		Region:       "us-east-1",
		Credentials:  credentials.NewStaticCredentialsProvider("test", "test", ""),
		Retryer:      aws.NopRetryer{},
	})
}

// plainBodies hides from net/http that the SDK's bodies are an io.WriterTo: it
// may read the end of one that the SDK has closed, because the answer has come,
// and smithy-go 1.28.8 makes that an error, for which HTTP/1.1 cuts the
// connection.
type plainBodies struct{ http.RoundTripper }

func (p plainBodies) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return p.RoundTripper.RoundTrip(r)
}

const benchShards = 4

// measure starts the emulator, puts and reads, and ends it.
func (c *localContender) measure(ctx context.Context, records int) error {
	e, err := c.start(ctx)
	if err != nil {
		return err
	}
	defer e.Close()
	client := localClient(e.URL)
	if err := createStream(ctx, client, "bench", benchShards); err != nil {
		return err
	}
	put, err := putAll(ctx, client, "bench", records)
	if err != nil {
		return fmt.Errorf("put: %w", err)
	}
	get, err := getAll(ctx, client, "bench", records)
	if err != nil {
		return fmt.Errorf("get: %w", err)
	}
	peak := measure.Memory(e.PID(), "VmHWM")
	if math.IsNaN(peak) {
		return errors.New("no peak memory of a process: it needs Linux")
	}
	c.ready = append(c.ready, float64(e.Ready.Microseconds())/1000)
	c.put = append(c.put, float64(records)/put.Seconds())
	c.get = append(c.get, float64(records)/get.Seconds())
	c.memory = append(c.memory, peak)
	return nil
}

func createStream(ctx context.Context, client *kinesis.Client, name string, shards int32) error {
	if _, err := client.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: &name, ShardCount: &shards}); err != nil {
		return err
	}
	return active(ctx, client, name)
}

// active waits until the stream is there and ACTIVE.
func active(ctx context.Context, client *kinesis.Client, name string) error {
	return kinesis.NewStreamExistsWaiter(client, func(o *kinesis.StreamExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 5*time.Millisecond, 20*time.Millisecond
	}).Wait(ctx, &kinesis.DescribeStreamInput{StreamName: &name}, time.Minute)
}

// putAll puts records of 1 KiB, 500 in a call, four calls at once.
func putAll(ctx context.Context, client *kinesis.Client, stream string, records int) (time.Duration, error) {
	const batch = 500
	data := []byte(strings.Repeat("0123456789abcdef", 64))
	var next atomic.Int64
	begin := time.Now()
	err := together(benchShards, func(int) error {
		for {
			from := int(next.Add(batch)) - batch
			if from >= records {
				return nil
			}
			var entries []types.PutRecordsRequestEntry
			for i := from; i < min(from+batch, records); i++ {
				entries = append(entries, types.PutRecordsRequestEntry{Data: data, PartitionKey: aws.String(strconv.Itoa(i))})
			}
			out, err := client.PutRecords(ctx, &kinesis.PutRecordsInput{StreamName: &stream, Records: entries})
			if err != nil {
				return err
			}
			if n := aws.ToInt32(out.FailedRecordCount); n > 0 {
				return fmt.Errorf("%d of %d records failed", n, len(entries))
			}
		}
	})
	return time.Since(begin), err
}

// getAll reads every shard from its beginning until all records have come.
func getAll(ctx context.Context, client *kinesis.Client, stream string, records int) (time.Duration, error) {
	var got atomic.Int64
	begin := time.Now()
	err := together(benchShards, func(i int) error {
		it, err := client.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{StreamName: &stream, ShardId: shardID(i), ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
		if err != nil {
			return err
		}
		for iterator := it.ShardIterator; iterator != nil; {
			out, err := client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: iterator})
			if err != nil {
				return err
			}
			got.Add(int64(len(out.Records)))
			if len(out.Records) == 0 && aws.ToInt64(out.MillisBehindLatest) == 0 {
				return nil
			}
			iterator = out.NextShardIterator
		}
		return nil
	})
	if err == nil && got.Load() != int64(records) {
		err = fmt.Errorf("%d records came of %d", got.Load(), records)
	}
	return time.Since(begin), err
}

func shardID(n int) *string { return aws.String(fmt.Sprintf("shardId-%012d", n)) }

// together calls f n times side by side and returns the first error.
func together(n int, f func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func localReport(contenders []*localContender, rounds, records int) *measure.Report {
	r := &measure.Report{Title: "Emulators of Kinesis", Machine: measure.ThisMachine()}
	can := &measure.Table{Title: "What each can do:", Header: []string{"emulator", "from", "operations", "reads", "ends a shard for GetRecords", "fan-out by aws-sdk-go-v2", "ends a shard for fan-out"}}
	fast := &measure.Table{
		Title:  "What each takes, medians of the rounds with their range:",
		Header: []string{"emulator", "start to ready, ms", "peak memory, MB", "put, records/s", "read, records/s", "put against ours"},
	}
	for _, c := range contenders {
		can.Add(measure.Text("%s", c.name), measure.Text("%s", c.from), measure.Text("%d of %d", c.operations, len(operations)),
			yes(c.polling), yes(c.pollingEnds), yes(c.fanOut), yes(c.fanOutEnds))
		fast.Add(measure.Text("%s", c.name), measure.Range("%.0f", c.ready), measure.Range("%.0f", c.memory),
			measure.Range("%.0f", c.put), measure.Range("%.0f", c.get), measure.Range("%.2f", measure.Ratio(c.put, contenders[0].put)))
		if len(c.refused) > 0 {
			r.Notes = append(r.Notes, fmt.Sprintf("%s does not know %s.", c.name, strings.Join(c.refused, ", ")))
		}
	}
	r.Tables = []*measure.Table{can, fast}
	r.Notes = append(r.Notes, fmt.Sprintf("%d rounds in turns; in each a fresh process, %d records of 1 KiB over %d shards, PutRecords of 500 and GetRecords "+
		"through aws-sdk-go-v2 with four calls at once; the client shares the machine.", rounds, records, benchShards))
	return r
}

func yes(ok bool) measure.Cell {
	if ok {
		return measure.Text("yes")
	}
	return measure.Text("no")
}
