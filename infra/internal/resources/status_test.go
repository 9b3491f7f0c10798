package resources

import (
	"strings"
	"testing"
	"time"
)

func TestPrint(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	s := Status{
		Application: "app",
		Streams:     []StreamStatus{{Name: "s", Status: "ACTIVE", OpenShards: 1, Consumer: missing}},
		Tables: []TableStatus{
			{Name: "app", Status: "ACTIVE", Index: missing},
			{Name: "app-CoordinatorState", Status: "ACTIVE"},
			{Name: "app-WorkerMetricStats", Status: missing},
		},
		Leader:  "w",
		Workers: []WorkerStatus{{ID: "w", LastUpdate: now.Add(-90 * time.Second), Leases: 1}},
		Leases:  1,
		Shards: []ShardStatus{
			{ShardID: "shardId-0", State: "closed", Owner: "w", Checkpoint: "4711", SubSequence: 3, LeaseCounter: 9},
			{ShardID: "shardId-1", State: "open"},
		},
	}
	const want = `RESOURCE  NAME                   STATUS
stream    s                      ACTIVE  1 open shard
table     app                    ACTIVE  1 lease, index missing
table     app-CoordinatorState   ACTIVE  leader w
table     app-WorkerMetricStats  missing
consumer  app                    missing

WORKER  LEASES  LAST REPORT
w       1       1m30s ago

SHARD      STATE   CHECKPOINT  COUNTER  OWNER
shardId-0  closed  4711/3      9        w
shardId-1  open    no lease
`
	var out strings.Builder
	if err := s.Print(&out, now); err != nil {
		t.Fatal(err)
	}
	if out.String() != want {
		t.Errorf("got\n%s", out.String())
	}
	s.Shards[0].Problem = "it was read to its end, but is open"
	out.Reset()
	if err := s.Print(&out, now); err != nil {
		t.Fatal(err)
	}
	const stray = `
These are not read. If the stream was deleted and made again, stop all workers, remove the
old leases with kcl-infra delete --application app, and start again:
shardId-0: it was read to its end, but is open
`
	if out.String() != want+stray {
		t.Errorf("got\n%s", out.String())
	}
}

func TestPrintSeveralStreams(t *testing.T) {
	const orders, payments, former = "111111111111:orders:1764460800", "222222222222:payments:1764460801", "111111111111:orders:1764460000"
	s := Status{
		Application: "app",
		Streams: []StreamStatus{
			{Name: "orders", Status: "ACTIVE", OpenShards: 1, Identifier: orders, Consumer: "ACTIVE"},
			{Name: "arn:aws:kinesis:us-east-1:222222222222:stream/payments", Status: "ACTIVE", OpenShards: 1, Identifier: payments, Consumer: missing},
			{Name: "none", Status: missing, Consumer: missing},
		},
		Tables: []TableStatus{{Name: "app", Status: "ACTIVE", Index: "ACTIVE"}},
		Leases: 4,
		Shards: []ShardStatus{
			{Stream: orders, ShardID: "shardId-0", State: "open", Owner: "w", Checkpoint: "LATEST", LeaseCounter: 9},
			{Stream: payments, ShardID: "shardId-0", State: "gone", Owner: "w", Checkpoint: "17", LeaseCounter: 9, Problem: "it is not there"},
		},
		Others: []ShardStatus{
			{Stream: former, ShardID: "shardId-0", Checkpoint: "4711"},
			{ShardID: "shardId-1", Checkpoint: "LATEST"},
		},
	}
	const want = `RESOURCE  NAME                                                    STATUS
stream    orders                                                  ACTIVE  1 open shard
stream    arn:aws:kinesis:us-east-1:222222222222:stream/payments  ACTIVE  1 open shard
stream    none                                                    missing
table     app                                                     ACTIVE   4 leases, index ACTIVE
consumer  app                                                     ACTIVE   of stream orders
consumer  app                                                     missing  of stream arn:aws:kinesis:us-east-1:222222222222:stream/payments
consumer  app                                                     missing  of stream none

Stream 111111111111:orders:1764460800
SHARD      STATE  CHECKPOINT  COUNTER  OWNER
shardId-0  open   LATEST      9        w

Stream 222222222222:payments:1764460801
SHARD      STATE  CHECKPOINT  COUNTER  OWNER
shardId-0  gone   17          9        w

Of a stream that was not named: 111111111111:orders:1764460000
SHARD      STATE  CHECKPOINT  COUNTER  OWNER
shardId-0  -      4711        0        none

Of a stream that was not named: the only one of an earlier application
SHARD      STATE  CHECKPOINT  COUNTER  OWNER
shardId-1  -      LATEST      0        none

These are not read. If the stream was deleted and made again, stop all workers, remove the
old leases with kcl-infra delete --application app --leases-of STREAM, and start again:
222222222222:payments:1764460801:shardId-0: it is not there
`
	var out strings.Builder
	if err := s.Print(&out, time.Unix(1_700_000_000, 0)); err != nil {
		t.Fatal(err)
	}
	if out.String() != want {
		t.Errorf("got\n%s", out.String())
	}
}
