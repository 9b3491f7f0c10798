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
		Stream:      StreamStatus{Name: "s", Status: "ACTIVE", OpenShards: 1},
		Tables: []TableStatus{
			{Name: "app", Status: "ACTIVE", Index: missing},
			{Name: "app-CoordinatorState", Status: "ACTIVE"},
			{Name: "app-WorkerMetricStats", Status: missing},
		},
		Consumer: missing,
		Leader:   "w",
		Workers:  []WorkerStatus{{ID: "w", LastUpdate: now.Add(-90 * time.Second), Leases: 1}},
		Leases:   1,
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
