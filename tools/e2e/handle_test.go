//go:build unix

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/handle"
	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

func init() {
	children["handle-rate"] = func() { processor.Main(&perShard{make: rateProcessor}) }
	children["handle-poison"] = func() { processor.Main(&perShard{make: poisonProcessor}) }
	children["handle-retry"] = func() { processor.Main(&perShard{make: retryProcessor}) }
}

// perShard makes its processor when it gets its shard.
type perShard struct {
	processor.RecordProcessor
	make func(*processor.Lease) processor.RecordProcessor
}

func (p *perShard) Initialize(ctx context.Context, in processor.InitializeInput) error {
	p.RecordProcessor = p.make(in.Lease)
	return p.RecordProcessor.Initialize(ctx, in)
}

// TestParallelKeys compares two shards: the first has a concurrency of 1, the second a
// higher one and as many times the records, so that both take the same time.
const (
	rateConcurrency = 16
	rateRecords     = 300 // at a concurrency of 1: 3 s
	rateSleep       = 10 * time.Millisecond
)

func rateProcessor(lease *processor.Lease) processor.RecordProcessor {
	concurrency := rateConcurrency
	if lease.ShardID() == firstShard {
		concurrency = 1
	}
	var begin sync.Once
	var began time.Time
	var done atomic.Int64
	return handle.Record(func(ctx context.Context, r processor.Record) error {
		begin.Do(func() { began = time.Now() })
		time.Sleep(rateSleep) // a handler that waits
		if n := done.Add(1); n == int64(rateRecords*concurrency) {
			return note("events.txt", "rate %s %d %d", lease.ShardID(), n, time.Since(began).Nanoseconds())
		}
		return nil
	}, &handle.Options{Concurrency: concurrency, MaxInFlightRecords: 20000, MaxInFlightBytes: 1 << 30})
}

// With a handler that waits 10 ms for each record and 100 keys, a concurrency of 16 is at
// least 12 times as fast as 1.
func TestParallelKeys(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newApplication(t, 2, childProperties)
	last := new(big.Int).Lsh(big.NewInt(1), 128)
	a.put(rateRecords, "0")
	a.put(rateRecords*rateConcurrency, last.Sub(last, big.NewInt(1)).String())
	d := a.start(childEnv + "=handle-rate")
	a.await(d, "both shards done", func() bool { return strings.Count(a.read("events.txt"), "rate ") == 2 })
	a.stop(d)
	rate := map[string]float64{}
	for line := range strings.Lines(a.read("events.txt")) {
		var shard string
		var n, took float64
		if _, err := fmt.Sscanf(line, "rate %s %g %g", &shard, &n, &took); err != nil {
			t.Fatal(err)
		}
		rate[shard] = n / took * 1e9
	}
	one := rate[firstShard]
	delete(rate, firstShard)
	for _, many := range rate {
		t.Logf("concurrency %d: %.0f records/s, 1: %.1f; %.1f times", rateConcurrency, many, one, many/one)
		if many < 12*one {
			t.Errorf("a concurrency of %d is %.1f times as fast as 1, want 12", rateConcurrency, many/one)
		}
	}
}

// put puts n records of 100 keys into the shard with a hash key.
func (a *application) put(n int, hashKey string) {
	a.t.Helper()
	client := a.kinesis()
	for n > 0 {
		entries := make([]types.PutRecordsRequestEntry, min(n, 500))
		for i := range entries {
			n--
			entries[i] = types.PutRecordsRequestEntry{Data: []byte("x"), PartitionKey: aws.String(fmt.Sprint("key", n%100)), ExplicitHashKey: &hashKey}
		}
		out, err := client.PutRecords(a.t.Context(), &kinesis.PutRecordsInput{StreamName: &a.name, Records: entries})
		if err != nil {
			a.t.Fatal(err)
		}
		if failed := aws.ToInt32(out.FailedRecordCount); failed > 0 {
			a.t.Fatalf("%d records were not put", failed)
		}
	}
}

// putLines puts n lines of text with different keys.
func (a *application) putLines(n int, text func(line int) string) {
	a.t.Helper()
	var lines strings.Builder
	for i := range n {
		fmt.Fprintln(&lines, text(i))
	}
	name := filepath.Join(a.dir, "lines.txt")
	if err := os.WriteFile(name, []byte(lines.String()), 0o600); err != nil {
		a.t.Fatal(err)
	}
	receipts, err := sample.Receipts(strings.NewReader(a.run("producer", "--stream", a.name, "--file", name)))
	if err != nil {
		a.t.Fatal(err)
	}
	if len(receipts) != n {
		a.t.Fatalf("%d receipts for %d lines", len(receipts), n)
	}
	a.sent = append(a.sent, receipts...)
}

// save writes a record to its shard's file in the format of sample.ShardFiles.
func save(ctx context.Context, r processor.Record) error {
	line, err := json.Marshal(map[string]any{
		"shardId": handle.ShardID(ctx), "sequenceNumber": r.SequenceNumber, "subSequenceNumber": r.SubSequenceNumber, "data": string(r.Data),
	})
	if err != nil {
		return err
	}
	if err := os.MkdirAll("data", 0o755); err != nil {
		return err
	}
	return note(filepath.Join("data", handle.ShardID(ctx)+".jsonl"), "%s", line)
}

const poison = "the poison record"

var errPoison = errors.New("no handler can deal with this record")

func poisonProcessor(*processor.Lease) processor.RecordProcessor {
	return handle.Record(func(ctx context.Context, r processor.Record) error {
		if string(r.Data) == poison {
			return errPoison
		}
		return save(ctx, r)
	}, &handle.Options{Concurrency: 4, MaxAttempts: 3, DeadLetters: handle.NewFiles("dead")})
}

// One record of a thousand fails permanently. It is written to the dead-letter file, the
// others to the shard files, and checkpoints pass it.
func TestPoisonRecord(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newApplication(t, 2, childProperties)
	a.putLines(1000, func(line int) string {
		if line == 500 {
			return poison
		}
		return fmt.Sprint("line ", line)
	})
	d := a.start(childEnv + "=handle-poison")
	a.await(d, "999 records in the shard files, 1 in the dead-letter file", func() bool {
		if err := a.files.Read(); err != nil {
			t.Fatal(err)
		}
		return a.files.Missing(a.sent) == 1 && a.deadLetters() != ""
	})
	last := map[string]string{}
	for _, key := range a.sent {
		at := processor.Position{SequenceNumber: key.SequenceNumber}
		if at.Compare(processor.Position{SequenceNumber: last[key.ShardID]}) > 0 {
			last[key.ShardID] = key.SequenceNumber
		}
	}
	a.await(d, "each shard's last record checkpointed", func() bool { return maps.Equal(a.checkpoints(), last) })
	a.stop(d)
	var letter handle.DeadLetter
	if err := json.Unmarshal([]byte(a.deadLetters()), &letter); err != nil { // fails for more than one line
		t.Fatal(err)
	}
	if string(letter.Data) != poison || letter.Attempts != 3 || letter.Reason != handle.ReasonAttempts || letter.Error != errPoison.Error() {
		t.Errorf("dead letter: %+v", letter)
	}
	if _, ok := a.files.Records[sample.Key{ShardID: letter.ShardID, SequenceNumber: letter.SequenceNumber}]; ok {
		t.Error("the poison record is in a shard file")
	}
	if a.files.Duplicates != 0 {
		t.Errorf("%d records came again", a.files.Duplicates)
	}
}

// checkpoints returns the sequence number of each lease's checkpoint. It is called
// repeatedly; kcl-infra leases would use up the shards' reads.
func (a *application) checkpoints() map[string]string {
	a.t.Helper()
	of := map[string]string{}
	for key, lease := range a.leaseRows() {
		of[key] = lease["checkpoint"].(*ddb.AttributeValueMemberS).Value
	}
	return of
}

// deadLetters returns the lines of all dead-letter files.
func (a *application) deadLetters() string {
	a.t.Helper()
	names, err := filepath.Glob(filepath.Join(a.dir, "dead", "*.jsonl"))
	if err != nil {
		a.t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			a.t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// retryGrace is the grace of retryProcessor, which needs far less.
const retryGrace = 8 * time.Second

// retryProcessor saves all records but the sixth, which it retries for hours.
func retryProcessor(*processor.Lease) processor.RecordProcessor {
	return handle.Record(func(ctx context.Context, r processor.Record) error {
		if string(r.Data) == "line 5" {
			return errPoison
		}
		return save(ctx, r)
	}, &handle.Options{MinBackoff: time.Hour, MaxBackoff: 2 * time.Hour, StopGrace: retryGrace, Observer: handle.Observer{
		Retry: func(r handle.Retry) { note("events.txt", "retry %s in %v", r.Position.SequenceNumber, r.Delay) },
		Checkpoint: func(c handle.Checkpoint) {
			note("events.txt", "checkpoint %s %d %v", c.Position.SequenceNumber, time.Now().UnixNano(), c.Err)
		},
	}})
}
