package resources

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/seed96110120/kinesis-client-go/infra/internal/activity"
	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

// Without a lock, too, leases are watched as long as a worker may need to renew one.
func TestTimeThatUnlockWatches(t *testing.T) {
	now := time.Now()
	text := func(s string) ddb.AttributeValue { return &ddb.AttributeValueMemberS{Value: s} }
	number := func(n int64) ddb.AttributeValue { return &ddb.AttributeValueMemberN{Value: fmt.Sprint(n)} }
	lease := kcl.Item{kcl.LeaseKey: text("shardId-0"), kcl.LeaseOwner: text("w"), kcl.LeaseCounter: number(1)}
	free := kcl.Item{kcl.LeaseKey: text("shardId-1"), kcl.LeaseCounter: number(1)}
	worker := func(age time.Duration) []kcl.Item {
		return []kcl.Item{{kcl.WorkerID: text("w"), kcl.LastUpdate: number(now.Add(-age).Unix())}}
	}
	lock := func(millis int64) kcl.Item {
		return kcl.Item{kcl.StateKey: text(kcl.LeaderKey), kcl.LockOwner: text("w"), kcl.LockDuration: number(millis)}
	}
	for name, tt := range map[string]struct {
		first activity.Snapshot
		want  time.Duration
	}{
		"nothing has an owner":              {activity.Snapshot{Leases: []kcl.Item{free}}, 0},
		"no lock, a report of a second ago": {activity.Snapshot{Leases: []kcl.Item{lease, free}, Workers: worker(time.Second)}, 2 * time.Minute},
		"no lock, an old report":            {activity.Snapshot{Leases: []kcl.Item{lease}, Workers: worker(time.Hour)}, 2 * time.Minute},
		"no lock, KCL 2":                    {activity.Snapshot{Leases: []kcl.Item{lease}}, 2 * time.Minute},
		"a lock that does not say":          {activity.Snapshot{Leader: lock(0)}, 2 * time.Minute},
		"a short lock":                      {activity.Snapshot{Leases: []kcl.Item{lease}, Workers: worker(time.Second), Leader: lock(1000)}, 2 * time.Minute},
		"a long lock":                       {activity.Snapshot{Leader: lock(300_000)}, 5 * time.Minute},
	} {
		got := watchTime(tt.first)
		if got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
		if least := max(tt.first.WatchTime(), tt.first.TimeUntilQuiet(now)); got > 0 && got < least {
			t.Errorf("%s: %v, want at least the %v after which a rewind considers workers dead", name, got, least)
		}
	}
}

// A misspelt name, or another kind of table, is an error.
func TestUnlockWithoutALeaseTable(t *testing.T) {
	for want, service := range map[string]http.Handler{
		"application app has no lease table": &fanOut{},
		"table app is not a table of KCL": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/x-amz-json-1.0")
			switch {
			case strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".DescribeTable"):
				fmt.Fprint(w, `{"Table":{"TableName":"app","TableStatus":"ACTIVE","KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}]}}`)
			default: // Scan
				fmt.Fprint(w, `{"Items":[]}`)
			}
		}),
	} {
		if _, err := appAt(t, service).PlanUnlock(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
