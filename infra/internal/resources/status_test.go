package resources

import (
	"io"
	"strings"
	"testing"
	"time"

	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

const (
	orders   = "111111111111:orders:1764460800"
	payments = "222222222222:payments:1764460801"
	former   = "111111111111:orders:1764460000"
)

func TestPrint(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	workers := []WorkerStatus{{ID: "w", LastUpdate: now.Add(-90 * time.Second), Leases: 1}}
	stream := []StreamStatus{{Name: "s", Status: "ACTIVE", OpenShards: 1, Consumer: missing, ConsumerName: "app"}}
	const paymentsARN = "arn:aws:kinesis:us-east-1:222222222222:stream/payments"
	for _, tt := range []struct {
		name string
		s    Status
		want string
	}{
		{"nothing", Status{
			Overview: Overview{Application: "app"},
			Streams:  []StreamStatus{{Name: "s", Status: missing, Consumer: missing, ConsumerName: "app"}},
			Tables:   []TableStatus{{Name: "app", Status: missing}},
		}, `
RESOURCE  NAME  STATUS
stream    s     missing
table     app   missing
consumer  app   missing
`},
		{"kcl2", Status{
			Overview: Overview{Application: "app", Layout: "kcl2"},
			Streams:  stream, Tables: []TableStatus{{Name: "app", Status: "ACTIVE", Index: missing}},
			Leases: LeaseCounts{Total: 2, Ended: 1},
		}, `
RESOURCE  NAME  STATUS
stream    s     ACTIVE  1 open shard
table     app   ACTIVE  2 leases (1 ended)
consumer  app   missing

layout kcl2 (only the lease table, as of KCL 2)
`},
		{"kcl3", Status{
			Overview: Overview{Application: "app", Layout: "kcl3", Leader: "w", Migrations: []kcl.Migration{
				{What: "from three tables to one", State: "PENDING", Since: now.UTC()},
			}},
			Streams: stream,
			Tables: []TableStatus{
				{Name: "app", Status: "ACTIVE", Index: missing},
				{Name: "app-CoordinatorState", Status: "ACTIVE"},
				{Name: "app-WorkerMetricStats", Status: missing},
			},
			Workers: workers, Leases: LeaseCounts{Total: 1, Blocked: 1},
			Problems: []string{"shardId-0: it was read to its end, but is open"},
		}, `
RESOURCE  NAME                   STATUS
stream    s                      ACTIVE  1 open shard
table     app                    ACTIVE  1 lease, index missing
table     app-CoordinatorState   ACTIVE  leader w
table     app-WorkerMetricStats  missing
consumer  app                    missing

WORKER  LEASES  LAST REPORT
w       1       1m30s ago

layout kcl3 (three tables, as of KCL 3.0 to 3.4)
migration from three tables to one: PENDING since 2023-11-14T22:13:20Z
1 shard not being read: kcl-infra leases says why

These are not read. If the stream was deleted and created again, stop all workers, delete the
old leases with kcl-infra delete --application app, and start again:
shardId-0: it was read to its end, but is open
`},
		{"kcl3.5, several streams", Status{
			Overview: Overview{Application: "app", Layout: "kcl3.5"},
			Streams: []StreamStatus{
				{Name: "orders", Status: "ACTIVE", OpenShards: 1, Identifier: orders, Consumer: "ACTIVE", ConsumerName: "app"},
				{Name: paymentsARN, Status: missing, Consumer: missing, ConsumerName: paymentsARN + "/consumer/app:1"},
			},
			Tables: []TableStatus{
				{Name: "app", Status: "ACTIVE", Index: "ACTIVE"},
				{Name: "app-CoordinatorState", Status: "ACTIVE", Former: true},
			},
			Workers: workers, Leases: LeaseCounts{Total: 5, Others: 2, OtherForm: 1},
			Problems: []string{payments + ":shardId-0: it is not there"},
		}, `
RESOURCE  NAME                                                                   STATUS
stream    orders                                                                 ACTIVE  1 open shard
stream    arn:aws:kinesis:us-east-1:222222222222:stream/payments                 missing
table     app                                                                    ACTIVE  5 leases, index ACTIVE, leader none, 1 worker
table     app-CoordinatorState                                                   ACTIVE  left over from an earlier version; until it is deleted, the role needs kcl3 too
consumer  app                                                                    ACTIVE  of stream orders
consumer  arn:aws:kinesis:us-east-1:222222222222:stream/payments/consumer/app:1  missing

WORKER  LEASES  LAST REPORT
w       1       1m30s ago

layout kcl3.5 (one table for all, as of KCL 3.5)
2 leases of streams that were not named: kcl-infra leases shows which
1 lease of an application of one stream, and several were named
KCL does not read those leases: name the streams of that application, or choose another --application

These are not read. If the stream was deleted and created again, stop all workers, delete the
old leases with kcl-infra delete --application app --leases-of STREAM, and start again:
222222222222:payments:1764460801:shardId-0: it is not there
`},
	} {
		var out strings.Builder
		if err := tt.s.Print(&out, now); err != nil {
			t.Fatal(err)
		}
		if out.String() != tt.want[1:] {
			t.Errorf("%s: got\n%swant%s", tt.name, out.String(), tt.want)
		}
	}
}

// Anyone who can write to the tables determines the rows' values. They add no lines and do
// not control a terminal.
func TestPrintHostileRows(t *testing.T) {
	const evil = "w\x1b[2J\n\rstream  s\u009b1A\u202e\tx"
	status := Status{
		Overview: Overview{Application: "app", Layout: "kcl3", Leader: evil, Migrations: []kcl.Migration{{What: "from KCL 2 to 3", State: evil}}},
		Streams:  []StreamStatus{{Name: "s", Status: "ACTIVE", Consumer: missing, ConsumerName: "app"}},
		Tables:   []TableStatus{{Name: "app", Status: "ACTIVE", Index: evil, Problem: evil}, {Name: "app-CoordinatorState", Status: "ACTIVE"}},
		Workers:  []WorkerStatus{{ID: evil}}, Problems: []string{evil + ": it is not there"},
	}
	shard := Shard{Stream: evil, ShardID: evil, State: "gone", Owner: evil, Checkpoint: evil, BlockedBy: []string{"worker " + evil}}
	leases := Leases{Overview: status.Overview, Shards: []Shard{shard, shard}, Others: []Shard{shard, {Stream: evil + "2", ShardID: evil, OtherForm: true}}}
	for name, tt := range map[string]struct {
		print func(w io.Writer) error
		lines int
	}{
		"status": {func(w io.Writer) error { return status.Print(w, time.Now()) }, 15},
		"leases": {leases.Print, 17},
	} {
		var out strings.Builder
		if err := tt.print(&out); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if len(lines) != tt.lines {
			t.Errorf("%s: %d lines, want %d:\n%q", name, len(lines), tt.lines, lines)
		}
		for _, line := range lines {
			if kcl.Printable(line) != line {
				t.Errorf("%s: got %q, want no characters that control a terminal", name, line)
			}
		}
	}
}

func TestPrintLeases(t *testing.T) {
	now := time.Unix(1_700_000_000, 0).UTC()
	before := func(d time.Duration) *time.Time { at := now.Add(-d); return &at }
	lag := 192.4
	l := Leases{
		At: now,
		Overview: Overview{Application: "app", Layout: "kcl3.5", Leader: "w", Migrations: []kcl.Migration{
			{What: "from KCL 2 to 3", State: "2X", Since: now},
		}},
		Shards: []Shard{
			{
				Stream: orders, ShardID: "shardId-000000000000", State: "closed", Children: []string{"shardId-000000000001", "shardId-000000000002"},
				Owner: "w", OwnerReported: before(12 * time.Second), RenewedWithin: 5.2, Checkpoint: "4711", SubSequence: 3,
				Arrival: before(4 * time.Minute), LagSeconds: &lag,
			},
			{Stream: orders, ShardID: "shardId-000000000001", State: "open", Parents: []string{"shardId-000000000000"}, BlockedBy: []string{"parent P", "there is no leader"}},
			{Stream: payments, ShardID: "shardId-000000000000", State: "gone", Checkpoint: "17", NotRenewedFor: 20, Owner: "v", Problem: "it is not there", LagUnknown: "no", Expired: true},
		},
		Others: []Shard{{Stream: former, ShardID: "shardId-000000000000", Checkpoint: "LATEST"}, {ShardID: "shardId-000000000001", Checkpoint: "LATEST", OtherForm: true}},
	}
	const want = `2023-11-14T22:13:20Z  application app, layout kcl3.5 (one table for all, as of KCL 3.5), leader w
migration from KCL 2 to 3: 2X since 2023-11-14T22:13:20Z

Stream 111111111111:orders:1764460800
SHARD                 STATE   OWNER  REPORTED  RENEWED  LAG    ARRIVED               CHECKPOINT  PARENTS  CHILDREN  NOTE
shardId-000000000000  closed  w      12s ago   <5s      3m12s  2023-11-14T22:09:20Z  4711/3      -        1,2       -
shardId-000000000001  open    -      -         -        -      -                     no lease    0        -         parent P; there is no leader

Stream 222222222222:payments:1764460801
SHARD                 STATE  OWNER  REPORTED  RENEWED  LAG  ARRIVED  CHECKPOINT  PARENTS  CHILDREN  NOTE
shardId-000000000000  gone   v      -         >20s     -    -        17          -        -         not read: it is not there; the record at its checkpoint has expired, and those after it may have; lag unknown: no

Of a stream that was not named: 111111111111:orders:1764460000
SHARD                 STATE  OWNER  REPORTED  RENEWED  LAG  ARRIVED  CHECKPOINT  PARENTS  CHILDREN  NOTE
shardId-000000000000  -      -      -         -        -    -        LATEST      -        -         -

Leases of an application of one stream, and several were named
SHARD                 STATE  OWNER  REPORTED  RENEWED  LAG  ARRIVED  CHECKPOINT  PARENTS  CHILDREN  NOTE
shardId-000000000001  -      -      -         -        -    -        LATEST      -        -         -

KCL does not read those leases: name the streams of that application, or choose another --application
`
	var out strings.Builder
	if err := l.Print(&out); err != nil {
		t.Fatal(err)
	}
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

// Leases of the other form are not shown as those of a stream that was not named: it may
// have been.
func TestLeasesOfTheOtherForm(t *testing.T) {
	for _, tt := range []struct {
		streams       []streamShards
		others        []kcl.Item
		status, table string
	}{
		{
			[]streamShards{{stream: stream{Stream: kcl.Stream{Name: "orders"}}}},
			[]kcl.Item{leaseOf(orders, "shardId-000000000000"), leaseOf(payments, "shardId-000000000000")},
			"2 leases of an application of several streams, and one was named\n" + otherFormAdvice,
			"Leases of an application of several streams, and one was named: " + orders + "\n",
		},
		{
			[]streamShards{{stream: stream{Stream: kcl.Stream{Name: "orders"}, id: orders}}, {stream: stream{Stream: kcl.Stream{Name: "payments"}, id: payments}}},
			[]kcl.Item{lease("shardId-000000000000", "", "LATEST")},
			"1 lease of an application of one stream, and several were named\n" + otherFormAdvice,
			"Leases of an application of one stream, and several were named\n",
		},
	} {
		v := inventory{rows: kcl.SortRows(tt.others)}
		v.shardTable = joinShards(tt.streams, v.rows, kcl.KCL3, time.Now())
		var status, table strings.Builder
		s := Status{Streams: make([]StreamStatus, len(tt.streams)), Leases: countLeases(v)}
		if err := s.Print(&status, time.Now()); err != nil || !strings.HasSuffix(status.String(), tt.status) {
			t.Errorf("error %v, status:\n%swant at its end\n%s", err, &status, tt.status)
		}
		l := Leases{Others: v.others}
		if err := l.Print(&table); err != nil || !strings.Contains(table.String(), tt.table) || !strings.HasSuffix(table.String(), "\n\n"+otherFormAdvice) {
			t.Errorf("error %v, leases:\n%swant\n%s", err, &table, tt.table)
		}
		if strings.Contains(status.String()+table.String(), "was not named") {
			t.Errorf("the stream was named, but got\n%s%s", &status, &table)
		}
	}
}

// leaseOf returns a lease of an application with several streams.
func leaseOf(id, shard string) kcl.Item {
	l := lease(id+":"+shard, "", "LATEST")
	l[kcl.StreamID], l[kcl.ShardID] = &ddb.AttributeValueMemberS{Value: id}, &ddb.AttributeValueMemberS{Value: shard}
	return l
}
