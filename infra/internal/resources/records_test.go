package resources

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
	"github.com/seed96110120/kinesis-client-go/infra/internal/rewind"
)

// sparseShard is a shard with few records. As at AWS, a page may be empty although there
// are later records.
type sparseShard struct {
	times   []time.Time // of the records; the nth has the sequence number 100 + n
	closed  bool
	expired int  // how many records have expired
	whole   bool // rounds times down to whole seconds
	now     time.Time
	empty   time.Duration // how much time an empty page covers
	calls   int
}

func (s *sparseShard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ShardIteratorType, StartingSequenceNumber, ShardIterator string
		Timestamp                                                float64
		Limit                                                    int
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	// An iterator is a time, and the next record.
	iterator := func(at time.Time, next int) string { return fmt.Sprint(at.UnixMilli(), " ", next) }
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), "GetShardIterator") {
		at := s.now.Add(-oldest)
		next := s.expired
		switch in.ShardIteratorType {
		case "AT_TIMESTAMP":
			at = time.UnixMilli(int64(in.Timestamp * 1000))
			if s.whole {
				at = at.Truncate(time.Second)
			}
			next = slices.IndexFunc(s.times, func(t time.Time) bool { return !t.Before(at) })
			if next < 0 {
				next = len(s.times)
			}
		case "AT_SEQUENCE_NUMBER":
			n, _ := strconv.Atoi(in.StartingSequenceNumber)
			next = max(n-100, s.expired)
			at = s.times[min(next, len(s.times)-1)]
		}
		fmt.Fprintf(w, `{"ShardIterator":%q}`, iterator(at, next))
		return
	}
	if s.calls++; s.calls > 1000 {
		http.Error(w, `{"__type":"InvalidArgumentException","message":"for ever"}`, http.StatusBadRequest)
		return
	}
	var milli int64
	var next int
	fmt.Sscan(in.ShardIterator, &milli, &next)
	at := time.UnixMilli(milli)
	records := []string{}
	to := at.Add(s.empty)
	for next < len(s.times) && len(records) < in.Limit && !s.times[next].After(to) {
		data := "eA=="
		if next%2 == 0 {
			data = "84mawgo=" // aggregated
		}
		records = append(records, fmt.Sprintf(`{"SequenceNumber":"%d","PartitionKey":"k","Data":%q,"ApproximateArrivalTimestamp":%.3f}`, 100+next, data, float64(s.times[next].UnixMilli())/1000))
		at = s.times[next]
		next++
	}
	if len(records) == 0 {
		at = to
	}
	if at.After(s.now) || next == len(s.times) && s.closed {
		at = s.now
	}
	more := fmt.Sprintf(`,"NextShardIterator":%q`, iterator(at, next))
	if s.closed && next == len(s.times) {
		more = `,"ChildShards":[]`
	}
	fmt.Fprintf(w, `{"Records":[%s],"MillisBehindLatest":%d%s}`, strings.Join(records, ","), s.now.Sub(at).Milliseconds(), more)
}

// The target of a shard is found with few calls, whatever the gaps between its records.
func TestTarget(t *testing.T) {
	defer func(every time.Duration) { readEvery = every }(readEvery)
	readEvery = 0
	now := time.UnixMilli(time.Now().UnixMilli())
	most := 0
	for seed := range uint64(6) {
		random := rand.New(rand.NewPCG(seed, 20))
		shard := &sparseShard{closed: random.IntN(2) == 0, now: now, empty: 30 * 24 * time.Hour}
		for at, n := now.Add(-time.Duration(random.Int64N(int64(300*24*time.Hour)))), random.IntN(16); len(shard.times) < n && at.Before(now); {
			shard.times = append(shard.times, at.Truncate(time.Millisecond))
			switch random.IntN(4) { // or at the same millisecond
			case 0:
				at = at.Add(time.Millisecond)
			case 1:
				at = at.Add(time.Duration(random.IntN(2000)) * time.Millisecond)
			case 2:
				at = at.Add(time.Duration(random.IntN(20*24*3600)) * time.Second)
			}
		}
		app := appAt(t, shard)
		listed := kinesistypes.Shard{ShardId: aws.String("shardId-000000000000"), SequenceNumberRange: &kinesistypes.SequenceNumberRange{}}
		if shard.closed {
			listed.SequenceNumberRange.EndingSequenceNumber = aws.String("9999")
		}
		s := stream{Stream: kcl.Stream{Name: "orders"}}
		ats := []time.Time{now.Add(-oldest + time.Hour), now, now.Add(-time.Duration(random.Int64N(int64(300 * 24 * time.Hour))))}
		for _, record := range shard.times {
			ats = append(ats, record, record.Add(time.Millisecond))
		}
		want := func(next int, at time.Time) rewind.Target {
			w := rewind.Target{At: rewind.Checkpoint{Sequence: kcl.TrimHorizon}, Time: at}
			if next > 0 {
				w.At = rewind.Checkpoint{Sequence: fmt.Sprint(99 + next)}
				if (next-1)%2 == 0 {
					w.At.Sub = rewind.WholeRecord
				}
			}
			return w
		}
		for _, at := range ats {
			at = at.Truncate(time.Millisecond)
			next := slices.IndexFunc(shard.times, func(t time.Time) bool { return !t.Before(at) })
			expected := rewind.Target{Exhausted: true}
			if next >= 0 || !shard.closed {
				if next < 0 {
					next = len(shard.times)
				}
				expected = want(next, at)
			}
			shard.calls = 0
			got, err := app.timeTarget(t.Context(), s, listed, at)
			if err != nil || got != expected {
				t.Fatalf("seed %d, from %v: %+v, %v, want %+v", seed, at, got, err, expected)
			}
			most = max(most, shard.calls)
		}
		for i, record := range shard.times {
			got, err := app.sequenceTarget(t.Context(), s, listed, fmt.Sprint(100+i))
			if expected := want(i, record); err != nil || got.At != expected.At || !got.Time.Equal(expected.Time) {
				t.Fatalf("seed %d, record %d: %+v, %v, want %+v", seed, i, got, err, expected)
			}
		}
	}
	t.Logf("at most %d calls of GetRecords", most)
	if most > 60 {
		t.Errorf("%d calls of GetRecords for one shard, want at most 60", most)
	}
}

// A Kinesis that rounds times down to whole seconds returns the same record repeatedly.
func TestTargetWithWholeSeconds(t *testing.T) {
	defer func(every time.Duration) { readEvery = every }(readEvery)
	readEvery = 0
	began := time.Now().Truncate(time.Second).Add(-time.Hour)
	shard := &sparseShard{times: []time.Time{began, began.Add(1900 * time.Millisecond)}, whole: true, now: time.Now(), empty: oldest}
	listed := kinesistypes.Shard{ShardId: aws.String("shardId-000000000000")}
	got, err := appAt(t, shard).sequenceTarget(t.Context(), stream{Stream: kcl.Stream{Name: "orders"}}, listed, "101")
	if err != nil || got.At != (rewind.Checkpoint{Sequence: "100", Sub: rewind.WholeRecord}) {
		t.Errorf("got %+v, error %v, want 100/2147483647", got, err)
	}
}
