package resources

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

// leased is an application with one stream. Shard 1 has the records of a sparseShard, from
// the sequence number 100 on. Shard 2 was split from a shard that the stream no longer has.
type leased struct {
	sparseShard
	leases []kcl.Item
}

func (l *leased) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	switch operation {
	case "GetShardIterator", "GetRecords":
		l.sparseShard.ServeHTTP(w, r)
	case "DescribeStreamSummary":
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		fmt.Fprintf(w, `{"StreamDescriptionSummary":{"StreamName":"orders","StreamARN":%q,"StreamStatus":"ACTIVE","OpenShardCount":2,"RetentionPeriodHours":24,"StreamCreationTimestamp":1,"EnhancedMonitoring":[]}}`, streamARN)
	case "ListShards":
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		const shard = `{"ShardId":"%d",%s"HashKeyRange":{"StartingHashKey":"0","EndingHashKey":"1"},"SequenceNumberRange":{"StartingSequenceNumber":"50"}}`
		fmt.Fprintf(w, `{"Shards":[`+shard+`,`+shard+`]}`, 1, "", 2, `"ParentShardId":"0",`)
	case "DescribeTable":
		fmt.Fprint(w, `{"Table":{"TableStatus":"ACTIVE","KeySchema":[{"AttributeName":"leaseKey","KeyType":"HASH"}],"AttributeDefinitions":[{"AttributeName":"leaseKey","AttributeType":"S"}]}}`)
	default: // Scan
		var in struct{ TableName string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.TableName != "app" {
			fmt.Fprint(w, `{"Items":[]}`)
			return
		}
		var items []string
		for _, lease := range l.leases {
			text, err := attributevalue.MarshalMapJSON(lease)
			if err != nil {
				panic(err)
			}
			items = append(items, string(text))
		}
		fmt.Fprintf(w, `{"Items":[%s]}`, strings.Join(items, ","))
	}
}

// Leases of another stream, or of an earlier one with the name, are refused.
func TestRewindOfAnotherStream(t *testing.T) {
	defer func(every time.Duration) { readEvery = every }(readEvery)
	readEvery = 0
	now := time.Now()
	hourAgo, horizon := RewindTo{Time: now.Add(-time.Hour)}, RewindTo{Word: kcl.TrimHorizon}
	of := func(to RewindTo, shard string) RewindTo {
		to.Shard = shard
		return to
	}
	const own = "is --stream-name right?"
	for _, tt := range []struct {
		name    string
		expired int
		leases  []kcl.Item
		to      RewindTo
		want    []string // changes, or in the error
	}{
		{"its record is there", 0, []kcl.Item{lease("1", "", "102")}, of(hourAgo, "1"), []string{"lease 1: 102 -> 100/2147483647"}},
		{"its record has expired", 2, []kcl.Item{lease("1", "", "101")}, of(hourAgo, "1"), []string{"lease 1: 101 -> TRIM_HORIZON"}},
		{"all have expired", 3, []kcl.Item{lease("1", "", "101")}, of(hourAgo, "1"), []string{"lease 1: 101 -> TRIM_HORIZON"}},
		{"after all records", 0, []kcl.Item{lease("1", "", "177")}, hourAgo, []string{"lease 1 is at 177, which stream orders does not have: nothing was changed", own}},
		{"between records", 0, []kcl.Item{lease("1", "", "103")}, RewindTo{Word: kcl.Latest}, []string{own, "rewind --to TRIM_HORIZON"}},
		{"a shard of it", 0, []kcl.Item{lease("1", "", "103")}, of(hourAgo, "2"), []string{own}},
		{"before the shard", 0, []kcl.Item{lease("1", "", "7")}, hourAgo, []string{"lease 1 is at 7", "before its first sequence number", own}},
		{"of an open shard's end", 0, []kcl.Item{lease("1", "", "SHARD_END")}, hourAgo, []string{"lease 1 is at SHARD_END", own}},
		{"created again", 0, []kcl.Item{lease("1", "", "7")}, of(horizon, "1"), []string{"lease 1: 7 -> TRIM_HORIZON"}},
		{"a shard that is not listed", 0, []kcl.Item{lease("1", "", "102"), lease("9", "", "7")}, hourAgo, []string{own, "rewind --to TRIM_HORIZON --shard 9"}},
		{"such a shard to a time", 0, []kcl.Item{lease("9", "", "7")}, of(hourAgo, "9"), []string{"does not have shard 9", "rewind --to TRIM_HORIZON"}},
		{"such a shard dropped", 0, []kcl.Item{lease("9", "", "7")}, of(horizon, "9"), []string{"lease 9: 7 -> none"}},
		{"such a parent dropped", 0, []kcl.Item{lease("0", "", "7")}, of(horizon, "0"), []string{"lease 2: none -> TRIM_HORIZON", "lease 0: 7 -> SHARD_END"}},
		{"a shard of no lease", 0, []kcl.Item{lease("1", "", "102")}, of(horizon, "9"), []string{"no stream has a shard 9"}},
	} {
		service := &leased{leases: tt.leases}
		service.now, service.empty, service.expired = now, oldest, tt.expired
		for i := range 3 {
			service.times = append(service.times, now.Add(time.Duration(i*40-80)*time.Minute))
		}
		changes, err := appAt(t, service, kcl.Stream{Name: "orders"}).PlanRewind(t.Context(), tt.to)
		if err != nil {
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %v, want %q", tt.name, err, want)
				}
			}
			continue
		}
		var got []string
		for _, change := range changes.All {
			got = append(got, change.String())
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
