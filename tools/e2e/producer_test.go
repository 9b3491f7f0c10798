package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// putResult is a line of the producer's output.
type putResult struct{ ShardID, SequenceNumber, PartitionKey string }

func (r *resourceTest) putResults(stdout string) (results []putResult) {
	r.Helper()
	for line := range strings.Lines(stdout) {
		var p putResult
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			r.Fatalf("%q: %v", line, err)
		}
		results = append(results, p)
	}
	return results
}

// readAll returns the stream's records by shard and sequence number.
func (r *resourceTest) readAll() map[putResult]string {
	r.Helper()
	shards, err := r.kinesis.ListShards(r.Context(), &kinesis.ListShardsInput{StreamName: &r.name})
	if err != nil {
		r.Fatal(err)
	}
	records := map[putResult]string{}
	for _, shard := range shards.Shards {
		iterator, err := r.kinesis.GetShardIterator(r.Context(), &kinesis.GetShardIteratorInput{
			StreamName: &r.name, ShardId: shard.ShardId, ShardIteratorType: kinesistypes.ShardIteratorTypeTrimHorizon,
		})
		if err != nil {
			r.Fatal(err)
		}
		for next, behind := iterator.ShardIterator, true; next != nil && behind; {
			out, err := r.kinesis.GetRecords(r.Context(), &kinesis.GetRecordsInput{ShardIterator: next})
			if err != nil {
				r.Fatal(err)
			}
			for _, record := range out.Records {
				records[putResult{*shard.ShardId, *record.SequenceNumber, *record.PartitionKey}] = string(record.Data)
			}
			next = out.NextShardIterator
			behind = len(out.Records) > 0 || out.MillisBehindLatest != nil && *out.MillisBehindLatest > 0
		}
	}
	return records
}

func TestProducerPutsTheLinesOfAFile(t *testing.T) {
	t.Parallel()
	r := newResourceTest(t, "producer")
	lines := []string{"first", "", "carriage return\r", "\xff\x00 no text", strings.Repeat("long", 200_000), "größe"}
	for i := range 1200 { // more than two calls can put
		lines = append(lines, fmt.Sprint("line ", i))
	}
	content := strings.Join(lines, "\n")
	file := filepath.Join(t.TempDir(), "lines")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, in := range []struct{ file, stdin string }{{file, ""}, {"-", content + "\n"}} {
		stdout, _ := r.run(0, in.stdin, "--stream", r.name, "--shards", "3", "--file", in.file)
		results := r.putResults(stdout)
		if len(results) != len(lines) {
			t.Fatalf("%d results of %d lines", len(results), len(lines))
		}
		records := r.readAll()
		shards := map[string]bool{}
		for i, p := range results {
			shards[p.ShardID] = true
			if data, ok := records[p]; !ok || data != lines[i] || p.PartitionKey != strconv.Itoa(i+1) {
				t.Fatalf("line %d is at %+v as %.40q, want %.40q", i+1, p, data, lines[i])
			}
		}
		if len(shards) != 3 {
			t.Errorf("lines in shards %v, want all 3", shards)
		}
	}
}

func TestProducerPutsSensorRecords(t *testing.T) {
	t.Parallel()
	r := newResourceTest(t, "producer")
	stdout, stderr := r.run(0, "", "--stream", r.name)
	r.wants(stderr, "creating stream "+r.name+" with 2 shards", "put 10 records")
	if n := len(r.putResults(stdout)); n != 10 {
		t.Errorf("%d results, want 10", n)
	}
	stdout, _ = r.run(0, "", "--stream", r.name, "-n", "7", "--size", "300", "--rate", "100")
	records := r.readAll()
	if len(records) != 17 {
		t.Errorf("%d records in the stream, want 17", len(records))
	}
	for _, p := range r.putResults(stdout) {
		var reading struct {
			Time, Reading *int64
			Sensor        string
		}
		data := records[p]
		if err := json.Unmarshal([]byte(data), &reading); err != nil || len(data) != 300 || reading.Sensor != p.PartitionKey || reading.Time == nil || reading.Reading == nil {
			t.Errorf("record %q, %v", data, err)
		}
	}
}
