package journal

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/tools/cmd/chaos/internal/check"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/fault"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal"
)

// Although Kinesis loses answers, it has each acknowledged record where the journal says,
// and no record that is not in the journal.
func TestProducer(t *testing.T) {
	s := kinesislocal.StartTest(t, nil)
	client := kinesis.NewFromConfig(s.AWSConfig())
	ctx := t.Context()
	stream := aws.String("chaos")
	if _, err := client.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: stream, ShardCount: aws.Int32(4)}); err != nil {
		t.Fatal(err)
	}
	if err := kinesis.NewStreamExistsWaiter(client).Wait(ctx, &kinesis.DescribeStreamInput{StreamName: stream}, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := s.SetFaults(fault.Rule{Kind: fault.DropResponse, Operation: "PutRecord", Rate: 0.2}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p, err := NewProducer(dir, s.URL(), "us-east-1", *stream, 1)
	if err != nil {
		t.Fatal(err)
	}
	producing, stop := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- p.Run(producing) }()
	for p.acked.Load() < 50 {
		time.Sleep(time.Millisecond)
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}

	put := make(map[int64]string)
	acked := make(map[string]int64)
	f, err := os.Open(filepath.Join(dir, "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var entry struct {
			check.Put
			check.Ack
		}
		if err := json.Unmarshal(lines.Bytes(), &entry); err != nil {
			t.Fatal(err)
		}
		if entry.Key != "" {
			put[entry.Put.N] = entry.Key
		} else {
			acked[entry.Shard+" "+entry.Seq] = entry.Ack.N
		}
	}
	if int64(len(acked)) != p.acked.Load() {
		t.Errorf("%d records are acknowledged in the journal, %d of the producer", len(acked), p.acked.Load())
	}
	if err := s.SetFaults(); err != nil {
		t.Fatal(err)
	}
	shards := make(map[string]bool)
	repeated := -len(put)
	for n := range 4 {
		shardID := fmt.Sprintf("shardId-%012d", n)
		for _, r := range records(t, client, stream, shardID) {
			number, _, _ := strings.Cut(string(r.Data), " ")
			var n int64
			if _, err := fmt.Sscan(number, &n); err != nil || put[n] != *r.PartitionKey {
				t.Errorf("record %q of key %s is not in the journal", r.Data, *r.PartitionKey)
			}
			repeated++
			shards[shardID] = true
			if of, ok := acked[shardID+" "+*r.SequenceNumber]; ok && of != n {
				t.Errorf("record %d was acknowledged as %d", n, of)
			}
			delete(acked, shardID+" "+*r.SequenceNumber)
		}
	}
	if len(acked) > 0 || len(shards) != 4 || repeated <= 0 {
		t.Errorf("acknowledged records that are missing: %v; %d shards have records, want 4; %d repeats, want some", acked, len(shards), repeated)
	}
}

func records(t *testing.T, client *kinesis.Client, stream *string, shardID string) (all []types.Record) {
	t.Helper()
	it, err := client.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{StreamName: stream, ShardId: &shardID, ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
	if err != nil {
		t.Fatal(err)
	}
	out, err := client.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: it.ShardIterator})
	if err != nil {
		t.Fatal(err)
	}
	return out.Records
}
