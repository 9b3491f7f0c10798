package resources

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

// row returns a row with the attributes in name, value pairs, of strings and numbers.
func row(pairs ...any) kcl.Item {
	r := kcl.Item{}
	for i := 0; i < len(pairs); i += 2 {
		switch v := pairs[i+1].(type) {
		case string:
			r[pairs[i].(string)] = &ddb.AttributeValueMemberS{Value: v}
		case int64:
			r[pairs[i].(string)] = &ddb.AttributeValueMemberN{Value: fmt.Sprint(v)}
		}
	}
	return r
}

func lease(shard, owner, checkpoint string) kcl.Item {
	l := row(kcl.LeaseKey, shard, kcl.Checkpoint, checkpoint)
	if owner != "" {
		l[kcl.LeaseOwner] = &ddb.AttributeValueMemberS{Value: owner}
	}
	return l
}

// shard is open unless it ends.
func shard(id, end string, parents ...string) kinesistypes.Shard {
	s := kinesistypes.Shard{ShardId: &id, SequenceNumberRange: &kinesistypes.SequenceNumberRange{StartingSequenceNumber: aws.String("100")}}
	if end != "" {
		s.SequenceNumberRange.EndingSequenceNumber = &end
	}
	for i, p := range parents {
		if i == 0 {
			s.ParentShardId = &p
		} else {
			s.AdjacentParentShardId = &p
		}
	}
	return s
}

// The reasons why nobody reads a shard, of one that was split, and whose halves were
// merged again: 0 is the parent of 1 and 2, and these are of 3.
func TestWhatBlocksAShard(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	shards := []kinesistypes.Shard{
		shard("0", "199", "expired"), shard("1", "299", "0"), shard("2", "299", "0"), shard("3", "", "1", "2"),
	}
	report := func(worker string, ago time.Duration) kcl.Item {
		return row(kcl.WorkerID, worker, kcl.LastUpdate, now.Add(-ago).Unix())
	}
	lock := func(worker string) kcl.Item { return row(kcl.StateKey, kcl.LeaderKey, kcl.LockOwner, worker) }
	alive := []kcl.Item{report("w", time.Second), report("dead", 5*time.Minute), lock("w")}
	handing := lease("3", "w", "400")
	handing[kcl.CheckpointOwner] = &ddb.AttributeValueMemberS{Value: "v"}
	for _, tt := range []struct {
		name   string
		rows   []kcl.Item
		layout kcl.Layout
		want   []string // of each shard
	}{
		{"all is well", append(alive, lease("0", "", "SHARD_END"), lease("1", "w", "SHARD_END"), lease("2", "w", "SHARD_END"), lease("3", "w", "400")), kcl.KCL3, []string{"", "", "", ""}},
		{
			"parents", append(alive, lease("0", "w", "SHARD_END"), lease("1", "w", "250"), lease("2", "w", "SHARD_END"), lease("3", "w", "LATEST")),
			kcl.KCL35,
			[]string{"", "", "", "parent 1 is not read to its end"},
		},
		{
			"a lease that comes at the parents' end", append(alive, lease("1", "w", "250"), lease("2", "w", "250")), kcl.KCL3,
			[]string{"", "", "", "parent 1 is not read to its end, parent 2 is not read to its end"},
		},
		{"owners", append(alive, lease("1", "dead", "250"), lease("2", "", "250"), lease("3", "stranger", "SHARD_END")), kcl.KCL3, []string{"", "its owner has not reported for 5m0s", "no worker has it", ""}},
		{"a hand-off, and a stranger", append(alive, handing, lease("2", "stranger", "250")), kcl.KCL3, []string{"", "", "its owner has never reported", "parent 2 is not read to its end, worker v is handing it over"}},
		{
			"no leader",
			[]kcl.Item{report("w", 0), lease("1", "w", "250"), lease("2", "", "250")},
			kcl.KCL3,
			[]string{"", "", "no worker has it, there is no leader", "parent 1 is not read to its end, parent 2 is not read to its end, there is no leader"},
		},
		{"a dead leader", []kcl.Item{report("w", 0), report("dead", time.Hour), lock("dead"), lease("3", "", "250")}, kcl.KCL35, []string{"", "", "", "no worker has it, the leader has not reported for 1h0m0s"}},
		{"KCL 2 reports nothing and has no lock", []kcl.Item{lease("1", "w", "250"), lease("2", "", "250")}, kcl.KCL2, []string{"", "", "no worker has it", "parent 1 is not read to its end, parent 2 is not read to its end"}},
		{
			"KCL 3 as KCL 2",
			[]kcl.Item{report("w", 0), row(kcl.StateKey, "Migration3.0", "cv", "CLIENT_VERSION_UPGRADE_FROM_2X"), lease("3", "", "250")},
			kcl.KCL3,
			[]string{"", "", "", "no worker has it"},
		},
		{"nobody has begun", nil, kcl.KCL3, []string{
			"it has no lease, there is no leader", "it has no lease, there is no leader", "it has no lease, there is no leader", "it has no lease, there is no leader",
		}},
	} {
		streams := []streamShards{{stream: stream{Stream: kcl.Stream{Name: "s"}, description: &kinesistypes.StreamDescriptionSummary{}}, shards: shards}}
		j := joinShards(streams, kcl.SortRows(tt.rows), tt.layout, now)
		var got []string
		for _, s := range j.shards {
			got = append(got, strings.Join(s.BlockedBy, ", "))
		}
		if !slices.Equal(got, tt.want) || len(j.others) != 0 {
			t.Errorf("%s: %q\nwant %q", tt.name, got, tt.want)
		}
		if s := j.shards; !slices.Equal(s[0].Children, []string{"1", "2"}) || len(s[0].Parents) != 0 || !slices.Equal(s[3].Parents, []string{"1", "2"}) || s[0].State != "closed" || s[3].State != "open" {
			t.Errorf("%s: got %+v, want the parents and children of each shard", tt.name, s)
		}
	}
}

// A lease without a shard is gone, and a lease of a stream that was not named is another. A
// checkpoint that the stream cannot have is a problem.
func TestLeasesWithoutAShard(t *testing.T) {
	description := &kinesistypes.StreamDescriptionSummary{}
	several := func(id, shard, checkpoint string) kcl.Item {
		l := leaseOf(id, shard)
		l[kcl.Checkpoint] = &ddb.AttributeValueMemberS{Value: checkpoint}
		return l
	}
	one := []streamShards{{stream: stream{Stream: kcl.Stream{Name: "s"}, description: description}, shards: []kinesistypes.Shard{shard("1", "")}}}
	two := []streamShards{
		{stream: stream{Stream: kcl.Stream{Name: "orders"}, description: description, id: orders}, shards: []kinesistypes.Shard{shard("1", "")}},
		{stream: stream{Stream: kcl.Stream{Name: "none"}}},
	}
	rows := kcl.SortRows([]kcl.Item{lease("0", "", "150"), lease("1", "", "50"), several(orders, "1", "150"), several(former, "1", "150")})
	text := func(shards []Shard) (all []string) {
		for _, s := range shards {
			all = append(all, strings.Join([]string{s.Stream, s.ShardID, s.State, s.Checkpoint, s.Problem}, " "))
		}
		return all
	}
	for _, tt := range []struct {
		name           string
		streams        []streamShards
		shards, others []string
	}{
		{
			"one stream", one,
			[]string{
				"s 0 gone 150 the stream does not have this shard, and it was not read to its end",
				"s 1 open 50 its checkpoint is before its first sequence number, 100",
			},
			[]string{former + " 1  150 ", orders + " 1  150 "},
		},
		{"several", two, []string{orders + " 1 open 150 "}, []string{" 0  150 ", " 1  50 ", former + " 1  150 "}},
	} {
		j := joinShards(tt.streams, rows, kcl.KCL3, time.Now())
		if shards, others := text(j.shards), text(j.others); !slices.Equal(shards, tt.shards) || !slices.Equal(others, tt.others) {
			t.Errorf("%s: got %q\nothers %q\nwant %q\nothers %q", tt.name, shards, others, tt.shards, tt.others)
		}
	}
}

// positions answers as Kinesis does for a shard with one record, of the number 200.
type positions struct {
	*testing.T
	behind  int
	records string
	refuse  string
	asked   string
	reads   int
}

func (p *positions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ShardIteratorType, StartingSequenceNumber, StreamName string
		Limit                                                 int
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		p.Error(err)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), "GetShardIterator") {
		p.asked = strings.TrimSpace(in.StreamName + " " + in.ShardIteratorType + " " + in.StartingSequenceNumber)
		fmt.Fprint(w, `{"ShardIterator":"it"}`)
		return
	}
	if p.reads++; in.Limit != 1 {
		p.Errorf("limit %d, want 1", in.Limit)
	}
	if p.refuse != "" {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"__type":%q,"message":"no"}`, p.refuse)
		return
	}
	fmt.Fprintf(w, `{"MillisBehindLatest":%d,"Records":[%s]}`, p.behind, p.records)
}

func TestLag(t *testing.T) {
	const record = `{"SequenceNumber":"200","Data":"","PartitionKey":"k","ApproximateArrivalTimestamp":1700000000}`
	arrived := time.Unix(1_700_000_000, 0)
	for _, tt := range []struct {
		name       string
		checkpoint string
		service    positions
		asked      string
		want       Shard
	}{
		{"at the newest record", "200", positions{records: record}, "s AT_SEQUENCE_NUMBER 200", Shard{Arrival: &arrived, LagSeconds: aws.Float64(0)}},
		{"behind", "200", positions{records: record, behind: 61500}, "s AT_SEQUENCE_NUMBER 200", Shard{Arrival: &arrived, LagSeconds: aws.Float64(61.5)}},
		{"not begun", "TRIM_HORIZON", positions{records: record, behind: 1000}, "s TRIM_HORIZON", Shard{Arrival: &arrived, LagSeconds: aws.Float64(1)}},
		{"its record has expired", "150", positions{records: record, behind: 1000}, "s AT_SEQUENCE_NUMBER 150", Shard{LagSeconds: aws.Float64(1), Expired: true}},
		{"its record has expired, and none came", "150", positions{}, "s AT_SEQUENCE_NUMBER 150", Shard{LagSeconds: aws.Float64(0)}},
		{"refused", "200", positions{refuse: "ProvisionedThroughputExceededException"}, "s AT_SEQUENCE_NUMBER 200", Shard{LagUnknown: "ProvisionedThroughputExceeded"}},
		{"at its end", "SHARD_END", positions{}, "", Shard{}},
		{"not begun, at the newest", "LATEST", positions{}, "", Shard{}},
		{"no lease", "", positions{}, "", Shard{}},
	} {
		service := tt.service
		service.T = t
		app := appAt(t, &service, kcl.Stream{Name: "s"})
		shards := []Shard{{Stream: "s", ShardID: "0", State: "open", Checkpoint: tt.checkpoint}}
		if err := app.addLags(t.Context(), []streamShards{{stream: stream{Stream: app.Streams[0]}}}, shards); err != nil {
			t.Fatal(err)
		}
		got := shards[0]
		same := service.asked == tt.asked && service.reads <= 1 && got.Expired == tt.want.Expired && strings.Contains(got.LagUnknown, tt.want.LagUnknown) &&
			(got.LagUnknown == "") == (tt.want.LagUnknown == "") && (got.LagSeconds == nil) == (tt.want.LagSeconds == nil) && (got.Arrival == nil) == (tt.want.Arrival == nil) &&
			(got.Arrival == nil || got.Arrival.Equal(arrived)) && aws.ToFloat64(got.LagSeconds) == aws.ToFloat64(tt.want.LagSeconds)
		if !same {
			t.Errorf("%s: asked %q, read %d times: %+v\nwant %q, at most once: %+v", tt.name, service.asked, service.reads, got, tt.asked, tt.want)
		}
	}
}

// A renewal is a change of the counter between two reads.
func TestRenewals(t *testing.T) {
	w := (&App{}).WatchLeases()
	began := time.Unix(1_700_000_000, 0)
	read := func(second int, counters ...int64) (shards []Shard) {
		for i, n := range counters {
			shards = append(shards, Shard{ShardID: fmt.Sprint(i), Owner: "w", Checkpoint: "1", LeaseCounter: n})
		}
		shards = append(shards, Shard{ShardID: "free", Checkpoint: "1"}, Shard{ShardID: "end", Owner: "w", Checkpoint: "SHARD_END"})
		before := began.Add(time.Duration(second) * time.Second)
		w.addRenewals(shards, before, before.Add(time.Second))
		w.before = before
		for _, s := range shards[len(counters):] {
			if s.RenewedWithin != 0 || s.NotRenewedFor != 0 {
				t.Errorf("got %+v, want no renewal of a shard without an owner or at its end", s)
			}
		}
		return shards
	}
	for i, tt := range []struct {
		counters [2]int64
		within   [2]float64
		not      [2]float64
		blocked  bool
	}{
		{[2]int64{5, 5}, [2]float64{}, [2]float64{}, false},
		{[2]int64{6, 5}, [2]float64{6}, [2]float64{0, 4}, false},
		{[2]int64{7, 5}, [2]float64{6}, [2]float64{0, 9}, false},
		{[2]int64{7, 5}, [2]float64{}, [2]float64{4, 14}, true},
		{[2]int64{7, 6}, [2]float64{0, 6}, [2]float64{9}, false},
	} {
		shards := read(5*i, tt.counters[:]...)
		for k := range tt.counters {
			if s := shards[k]; s.RenewedWithin != tt.within[k] || s.NotRenewedFor != tt.not[k] || len(s.BlockedBy) > 0 != (tt.blocked && k == 1) {
				t.Errorf("read %d, lease %d: %+v, want %+v", i, k, s, tt)
			}
		}
	}
}
