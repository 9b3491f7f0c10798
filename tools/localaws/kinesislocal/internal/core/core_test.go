package core

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const account = "000000000000"

func newService(delay time.Duration) *Account {
	return New(&Options{TransitionDelay: delay}).AccountOf(account, "Test")
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// mustPut is must for Put.
func mustPut(t *testing.T) func([]PutResult, string, error) []PutResult {
	return func(placed []PutResult, _ string, err error) []PutResult {
		t.Helper()
		return must[[]PutResult](t)(placed, err)
	}
}

func create(t *testing.T, s *Account, name string, shards int) {
	t.Helper()
	if err := s.CreateStream(NewStream{Name: name, ShardCount: shards, Region: "us-east-1"}); err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, err error, code Code) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("error %v, want %s", err, code)
	}
}

func put(t *testing.T, s *Account, stream, key, data string) PutResult {
	t.Helper()
	return mustPut(t)(s.Put(stream, []Entry{{PartitionKey: key, HashKey: HashKeyOf(key), Data: []byte(data)}}, false))[0]
}

func ids(shards []Shard) string {
	var list []string
	for _, s := range shards {
		list = append(list, strings.TrimLeft(strings.TrimPrefix(s.ID, "shardId-"), "0")+"")
	}
	for i := range list {
		if list[i] == "" {
			list[i] = "0"
		}
	}
	return strings.Join(list, " ")
}

func listIDs(t *testing.T, s *Account, f Filter) string {
	t.Helper()
	shards, _, err := s.ListShards("s", time.Time{}, f, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	return ids(shards)
}

// readAll reads a shard from a position to its end, or to its tip if it is open, in
// calls of up to limit records.
func readAll(t *testing.T, s *Account, shardID string, p Position, limit int) (records []Record, children []Child) {
	t.Helper()
	token := must[string](t)(s.ShardIterator("s", shardID, p))
	for {
		b := must[Batch](t)(s.GetRecords(token, "s", limit))
		records = append(records, b.Records...)
		switch {
		case b.Next == "":
			return records, b.Children
		case b.Behind == 0 && len(b.Records) < limit:
			return records, nil
		}
		token = b.Next
	}
}

// Records are put while the stream is resharded at random, then all shards are
// read as a consumer does.
//
// Guarantee: GetRecords returns every record exactly once and in order, children
// after their parents, even while the stream is resharded.
func TestEveryRecordIsReadOnceInOrder(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 1))
				s := newService(time.Duration(seed%2) * time.Second)
				create(t, s, "s", 1+r.IntN(4))
				time.Sleep(time.Second)
				wrote := map[string][]string{} // by partition key
				last := map[string]SequenceNumber{}
				for i := range 400 {
					switch r.IntN(20) {
					case 0:
						reshardAtRandom(t, s, r)
					case 1:
						time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
					default:
						key, data := fmt.Sprint("key", r.IntN(20)), fmt.Sprint(i)
						p := put(t, s, "s", key, data)
						wrote[key] = append(wrote[key], data)
						if prev, ok := last[key]; ok && p.Sequence.Compare(prev) <= 0 {
							t.Fatalf("%s of %s is not above %s", p.Sequence, key, prev)
						}
						last[key] = p.Sequence
					}
				}
				time.Sleep(time.Second)
				read := walk(t, s, 1+r.IntN(50))
				for key, want := range wrote {
					if !slices.Equal(read[key], want) {
						t.Errorf("%s: read %v, want %v", key, read[key], want)
					}
				}
				if len(read) != len(wrote) {
					t.Errorf("%d keys read, %d written", len(read), len(wrote))
				}
				checkOpenShards(t, s)
			})
		})
	}
}

func reshardAtRandom(t *testing.T, s *Account, r *rand.Rand) {
	t.Helper()
	open, _, err := s.ListShards("s", time.Time{}, Filter{Type: AtLatest}, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(open, func(a, b Shard) int { return a.HashKeys.First.Compare(b.HashKeys.First) })
	i := r.IntN(len(open))
	switch r.IntN(3) {
	case 0:
		err = s.SplitShard("s", open[i].ID, HashKeyOf(fmt.Sprint(r.Int()))) // may lie outside
	case 1:
		a, b := open[i], open[(i+1)%len(open)] // may be the two ends
		if r.IntN(2) == 0 {
			a, b = b, a
		}
		err = s.MergeShards("s", a.ID, b.ID)
	case 2:
		_, err = s.UpdateShardCount("s", 1+r.IntN(2*len(open)))
	}
	var e *Error
	if err != nil && (!errors.As(err, &e) || e.Code != InvalidArgument && e.Code != ResourceInUse) {
		t.Fatal(err)
	}
}

// walk reads a stream from TRIM_HORIZON, each shard after all of its parents.
func walk(t *testing.T, s *Account, limit int) map[string][]string {
	t.Helper()
	read := map[string][]string{}
	roots, _, err := s.ListShards("s", time.Time{}, Filter{Type: AtTrimHorizon}, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	var queue []string
	for _, shard := range roots {
		queue = append(queue, shard.ID)
	}
	done := map[string]bool{}
	bounds := map[string]Shard{}
	all, _, err := s.ListShards("s", time.Time{}, Filter{Type: FromTrimHorizon}, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, shard := range all {
		bounds[shard.ID] = shard
	}
	for len(queue) > 0 {
		id := queue[0]
		queue = queue[1:]
		if done[id] {
			t.Fatalf("%s is met twice", id)
		}
		records, children := readAll(t, s, id, Position{Type: TrimHorizon}, limit)
		done[id] = true
		low := bounds[id].First
		for _, rec := range records {
			if rec.Sequence.Compare(low) <= 0 {
				t.Fatalf("%s: %s is not above %s", id, rec.Sequence, low)
			}
			low = rec.Sequence
			read[rec.PartitionKey] = append(read[rec.PartitionKey], string(rec.Data))
		}
		if b := bounds[id]; b.Closed {
			if b.Last.Compare(low) <= 0 {
				t.Fatalf("%s: ends with %s, below its records", id, b.Last)
			}
			if len(children) == 0 {
				t.Fatalf("%s is closed without children", id)
			}
		}
		for _, c := range children {
			if bounds[c.ID].First.Compare(bounds[id].Last) <= 0 {
				t.Fatalf("%s starts below the end of its parent %s", c.ID, id)
			}
			ready := !slices.Contains(queue, c.ID)
			for _, p := range c.Parents {
				ready = ready && done[p]
			}
			if ready {
				queue = append(queue, c.ID)
			}
		}
	}
	if len(done) != len(all) {
		t.Errorf("%d shards walked of %d", len(done), len(all))
	}
	return read
}

// checkOpenShards checks that the shards that are open at one time cover each hash
// key once: now, at the horizon, and in each millisecond after the stream was
// created.
func checkOpenShards(t *testing.T, s *Account) {
	t.Helper()
	filters := []Filter{{Type: AtLatest}, {Type: AtTrimHorizon}}
	created := must[Summary](t)(s.Describe("s")).Created
	for ms := range 20 {
		filters = append(filters, Filter{Type: AtTimestamp, Timestamp: created.Add(time.Duration(ms) * time.Millisecond)})
	}
	for _, f := range filters {
		shards, _, err := s.ListShards("s", time.Time{}, f, "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(shards, func(a, b Shard) int { return a.HashKeys.First.Compare(b.HashKeys.First) })
		next := HashKey{}
		for _, shard := range shards {
			if shard.HashKeys.First != next {
				t.Errorf("%v: hole or overlap before %s", f, shard.ID)
			}
			next = shard.HashKeys.Last.next()
		}
		if next != (HashKey{}) {
			t.Errorf("%v: the last shard ends before the space does", f)
		}
	}
}

func TestConcurrentPutsWhileResharding(t *testing.T) {
	s := newService(0)
	create(t, s, "s", 2)
	const writers, each = 4, 200
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			key := fmt.Sprint("writer", w)
			for i := range each {
				if _, _, err := s.Put("s", []Entry{{PartitionKey: key, HashKey: HashKeyOf(key), Data: []byte(fmt.Sprint(i))}}, false); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for _, n := range []int{4, 8, 5, 3, 6} {
			if _, err := s.UpdateShardCount("s", n); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	read := walk(t, s, 100)
	for w := range writers {
		got := read[fmt.Sprint("writer", w)]
		for i := range each {
			if len(got) != each || got[i] != fmt.Sprint(i) {
				t.Fatalf("writer %d: read %d records: %v", w, len(got), got)
			}
		}
	}
}

func TestStreamStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(10 * time.Second)
		status := func(want Status) {
			t.Helper()
			if sum := must[Summary](t)(s.Describe("s")); sum.Status != want {
				t.Errorf("status %s, want %s", sum.Status, want)
			}
		}
		create(t, s, "s", 2)
		status(Creating)
		wantCode(t, s.CreateStream(NewStream{Name: "s", ShardCount: 1}), ResourceInUse)
		_, _, err := s.Put("s", []Entry{{PartitionKey: "k"}}, false)
		wantCode(t, err, ResourceNotFound)
		_, _, err = s.ListShards("s", time.Time{}, Filter{Type: AtLatest}, "", 10)
		wantCode(t, err, ResourceInUse)
		_, err = s.ShardIterator("s", "shardId-000000000000", Position{Type: Latest})
		wantCode(t, err, ResourceNotFound)
		_, shards, more, err := s.DescribeShards("s", "", 10)
		if len(shards) != 0 || more || err != nil {
			t.Errorf("shards %v, more %v, error %v while CREATING", shards, more, err)
		}
		time.Sleep(10 * time.Second)
		status(Active)
		put(t, s, "s", "k", "before")
		if err := s.MergeShards("s", "shardId-000000000000", "shardId-000000000001"); err != nil {
			t.Fatal(err)
		}
		status(Updating)
		wantCode(t, s.SplitShard("s", "shardId-000000000000", HashKey{lo: 1000}), ResourceInUse)
		put(t, s, "s", "k", "meanwhile")
		if got := listIDs(t, s, Filter{Type: AtLatest}); got != "0 1" {
			t.Errorf("open shards %s while UPDATING, want 0 1", got)
		}
		time.Sleep(10 * time.Second)
		status(Active)
		if got := listIDs(t, s, Filter{Type: AtLatest}); got != "2" {
			t.Errorf("open shards %s after the merge, want 2", got)
		}
		if err := s.DeleteStream("s", false); err != nil {
			t.Fatal(err)
		}
		status(Deleting)
		wantCode(t, s.DeleteStream("s", false), ResourceInUse)
		put(t, s, "s", "k", "still accepted")
		time.Sleep(10 * time.Second)
		_, err = s.Describe("s")
		wantCode(t, err, ResourceNotFound)
		if names := s.StreamNames(""); len(names) != 0 {
			t.Errorf("streams %v, want none", names)
		}
		create(t, s, "s", 1)
		status(Creating)
		if err := s.DeleteStream("s", false); err != nil { // before it has shards
			t.Fatal(err)
		}
		_, _, err = s.Put("s", []Entry{{PartitionKey: "k"}}, false)
		wantCode(t, err, ResourceNotFound)
	})
}

func TestShardFilters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(0)
		create(t, s, "s", 2)
		start := time.Now()
		time.Sleep(time.Hour)
		if err := s.SplitShard("s", "shardId-000000000000", HashKey{lo: 1 << 40}); err != nil { // 2, 3
			t.Fatal(err)
		}
		split := time.Now()
		time.Sleep(time.Hour)
		if err := s.MergeShards("s", "shardId-000000000003", "shardId-000000000001"); err != nil { // 4
			t.Fatal(err)
		}
		for _, c := range []struct {
			name string
			f    Filter
			want string
		}{
			{"all", Filter{Type: FromTrimHorizon}, "0 1 2 3 4"},
			{"after", Filter{Type: AfterShardID, ShardID: "shardId-000000000002"}, "3 4"},
			{"at the horizon", Filter{Type: AtTrimHorizon}, "0 1"},
			{"latest", Filter{Type: AtLatest}, "2 4"},
			{"before the stream was created", Filter{Type: AtTimestamp, Timestamp: start.Add(-time.Hour)}, "0 1"},
			{"before the split", Filter{Type: AtTimestamp, Timestamp: split.Add(-time.Millisecond)}, "0 1"},
			{"at the split", Filter{Type: AtTimestamp, Timestamp: split}, "1 2 3"},
			{"after all", Filter{Type: AtTimestamp, Timestamp: time.Now()}, "2 4"},
			{"from the start", Filter{Type: FromTimestamp, Timestamp: start}, "0 1 2 3 4"},
			{"from the split", Filter{Type: FromTimestamp, Timestamp: split}, "1 2 3 4"},
			{"from the end", Filter{Type: FromTimestamp, Timestamp: time.Now()}, "2 4"},
		} {
			if got := listIDs(t, s, c.f); got != c.want {
				t.Errorf("%s: shards %s, want %s", c.name, got, c.want)
			}
		}
		time.Sleep(MinRetention - time.Hour + time.Minute) // the split is past the horizon, the merge is not
		if got := listIDs(t, s, Filter{Type: FromTrimHorizon}); got != "1 2 3 4" {
			t.Errorf("shards %s are kept, want 1 2 3 4", got)
		}
		if got := listIDs(t, s, Filter{Type: AtTrimHorizon}); got != "1 2 3" {
			t.Errorf("shards %s at the horizon, want 1 2 3", got)
		}
		_, err := s.ShardIterator("s", "shardId-000000000000", Position{Type: TrimHorizon})
		wantCode(t, err, ResourceNotFound)
	})
}

func TestReshardsFasterThanTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // no time passes at all
		s := newService(0)
		create(t, s, "s", 1)
		put(t, s, "s", "k", "1")
		for _, n := range []int{2, 4, 8, 4, 3, 2, 1} {
			if _, err := s.UpdateShardCount("s", n); err != nil {
				t.Fatal(err)
			}
			put(t, s, "s", "k", fmt.Sprint(n))
			checkOpenShards(t, s)
		}
		// The two shards have different creation times.
		open, _, _ := s.ListShards("s", time.Time{}, Filter{Type: AtLatest}, "", 10)
		if err := s.SplitShard("s", open[0].ID, HashKey{hi: 1 << 62}); err != nil {
			t.Fatal(err)
		}
		open, _, _ = s.ListShards("s", time.Time{}, Filter{Type: AtLatest}, "", 10)
		if err := s.SplitShard("s", open[0].ID, HashKey{hi: 1 << 60}); err != nil {
			t.Fatal(err)
		}
		if err := s.MergeShards("s", open[1].ID, shardID(s.streams[s.key("s")].shardsCreated-1)); err != nil {
			t.Fatal(err)
		}
		checkOpenShards(t, s)
		if got := listIDs(t, s, Filter{Type: AtTrimHorizon}); got != "0" {
			t.Errorf("shards %s at the horizon, want 0", got)
		}
		if got := walk(t, s, 10)["k"]; strings.Join(got, " ") != "1 2 4 8 4 3 2 1" {
			t.Errorf("read %v, want 1 2 4 8 4 3 2 1", got)
		}
	})
}

func TestListShardsInPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(0)
		create(t, s, "s", 5)
		time.Sleep(time.Second)
		shards, token, err := s.ListShards("s", time.Time{}, Filter{Type: AtLatest}, "", 2)
		if err != nil || ids(shards) != "0 1" || token == "" {
			t.Fatalf("shards %v, token %q, error %v, want 0 1 and a token", ids(shards), token, err)
		}
		first := token
		time.Sleep(time.Second)
		if err := s.MergeShards("s", "shardId-000000000003", "shardId-000000000004"); err != nil {
			t.Fatal(err)
		}
		shards, token, err = s.ListShardsNext(token, 3)
		if err != nil || ids(shards) != "2 3 4" || token != "" {
			t.Fatalf("second page %v, error %v, token %q: want the shards open at the first", ids(shards), err, token)
		}
		time.Sleep(IteratorLifetime)
		_, _, err = s.ListShardsNext(first, 1)
		wantCode(t, err, ExpiredNextToken)
		_, _, err = s.ListShardsNext("garbage", 1)
		wantCode(t, err, InvalidArgument)
		_, token, _ = s.ListShards("s", time.Time{}, Filter{Type: FromTrimHorizon}, "", 1)
		s.DeleteStream("s", false)
		create(t, s, "s", 1)
		_, _, err = s.ListShardsNext(token, 1)
		wantCode(t, err, ResourceNotFound)
	})
}

func TestIterators(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const id = "shardId-000000000000"
		s := newService(0)
		create(t, s, "s", 1)
		create(t, s, "other", 1)
		var at []time.Time
		var seq []string
		for i := range 3 {
			time.Sleep(time.Second)
			at = append(at, time.Now())
			seq = append(seq, put(t, s, "s", "k", fmt.Sprint(i)).Sequence.String())
		}
		foreign := put(t, s, "other", "k", "x").Sequence.String()
		read := func(p Position) string {
			t.Helper()
			records, _ := readAll(t, s, id, p, 10)
			var data []string
			for _, r := range records {
				data = append(data, string(r.Data))
			}
			return strings.Join(data, " ")
		}
		for _, c := range []struct {
			p    Position
			want string
		}{
			{Position{Type: TrimHorizon}, "0 1 2"},
			{Position{Type: Latest}, ""},
			{Position{Type: AtSequenceNumber, Sequence: seq[1]}, "1 2"},
			{Position{Type: AfterSequenceNumber, Sequence: seq[1]}, "2"},
			{Position{Type: AfterSequenceNumber, Sequence: seq[2]}, ""},
			{Position{Type: AtTime, Timestamp: at[0].Add(-time.Hour)}, "0 1 2"},
			{Position{Type: AtTime, Timestamp: at[1]}, "1 2"},
			{Position{Type: AtTime, Timestamp: at[1].Add(time.Millisecond)}, "2"},
		} {
			if got := read(c.p); got != c.want {
				t.Errorf("%v: read %q, want %q", c.p, got, c.want)
			}
		}
		_, err := s.ShardIterator("s", id, Position{Type: AtTime, Timestamp: time.Now().Add(time.Second)})
		wantCode(t, err, InvalidArgument)
		_, err = s.ShardIterator("s", "shardId-000000000009", Position{Type: Latest})
		wantCode(t, err, ResourceNotFound)
		for _, bad := range []string{"0", "17", foreign[:55] + "9"} {
			_, err = s.ShardIterator("s", id, Position{Type: AtSequenceNumber, Sequence: bad})
			wantCode(t, err, InvalidArgument)
		}
		_, err = s.GetRecords("garbage", "", 1)
		wantCode(t, err, InvalidArgument)
		token := must[string](t)(s.ShardIterator("s", id, Position{Type: TrimHorizon}))
		_, err = s.GetRecords(token, "other", 1)
		wantCode(t, err, InvalidArgument)

		// For five minutes, an iterator at the tip gets later records.
		tip := must[string](t)(s.ShardIterator("s", id, Position{Type: Latest}))
		put(t, s, "s", "k", "3")
		time.Sleep(IteratorLifetime)
		if b := must[Batch](t)(s.GetRecords(tip, "s", 10)); len(b.Records) != 1 || string(b.Records[0].Data) != "3" {
			t.Errorf("read %v at the tip, want record 3", b.Records)
		}
		time.Sleep(time.Millisecond)
		_, err = s.GetRecords(tip, "s", 10)
		wantCode(t, err, ExpiredIterator)

		fresh := must[string](t)(s.ShardIterator("s", id, Position{Type: TrimHorizon}))
		s.DeleteStream("s", false)
		_, err = s.GetRecords(fresh, "", 10)
		wantCode(t, err, ResourceNotFound)
		create(t, s, "s", 1)
		_, err = s.GetRecords(fresh, "", 10)
		wantCode(t, err, ResourceNotFound)
		_, err = newService(0).GetRecords(fresh, "", 10)
		wantCode(t, err, InvalidArgument)
	})
}

func TestBehindLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(0)
		create(t, s, "s", 1)
		put(t, s, "s", "k", "0")
		time.Sleep(2 * time.Second)
		put(t, s, "s", "k", "1")
		token := must[string](t)(s.ShardIterator("s", "shardId-000000000000", Position{Type: TrimHorizon}))
		b := must[Batch](t)(s.GetRecords(token, "", 1))
		if b.Behind != 2*time.Second {
			t.Errorf("%s behind, want 2 s", b.Behind)
		}
		if b = must[Batch](t)(s.GetRecords(b.Next, "", 1)); b.Behind != 0 || len(b.Records) != 1 {
			t.Errorf("%s behind at the tip, %d records, want 0 and 1", b.Behind, len(b.Records))
		}
	})
}

func TestRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const id = "shardId-000000000000"
		s := newService(0)
		create(t, s, "s", 1)
		var seq string
		for i := range 5 {
			seq = put(t, s, "s", "k", fmt.Sprint(i)).Sequence.String()
			time.Sleep(6 * time.Hour)
		}
		// 0 is 30 hours old. 1 is 24 hours old and just kept.
		records, _ := readAll(t, s, id, Position{Type: TrimHorizon}, 2)
		if len(records) != 4 || string(records[0].Data) != "1" {
			t.Errorf("kept %d records, want 4 that start with 1", len(records))
		}
		time.Sleep(72 * time.Hour)
		if records, _ = readAll(t, s, id, Position{Type: AtSequenceNumber, Sequence: seq}, 2); len(records) != 0 {
			t.Errorf("%d records after three days, want 0", len(records))
		}
		put(t, s, "s", "k", "new")
		if n := len(s.streams[s.key("s")].shards[0].records); n != 1 {
			t.Errorf("%d records are in memory, want 1", n)
		}
		if records, _ = readAll(t, s, id, Position{Type: AfterSequenceNumber, Sequence: seq}, 2); len(records) != 1 {
			t.Errorf("%d records, want the new one", len(records))
		}
	})
}

func TestReadLimits(t *testing.T) {
	s := newService(0)
	if err := s.CreateStream(NewStream{Name: "s", ShardCount: 1, MaxRecordBytes: 10 << 20}); err != nil {
		t.Fatal(err)
	}
	big := Entry{PartitionKey: "k", Data: make([]byte, 4<<20)}
	for range 5 {
		mustPut(t)(s.Put("s", []Entry{big}, false))
	}
	token := must[string](t)(s.ShardIterator("s", "shardId-000000000000", Position{Type: TrimHorizon}))
	var sizes []int
	for total := 0; total < 5; {
		b := must[Batch](t)(s.GetRecords(token, "", MaxRecordsRead))
		sizes = append(sizes, len(b.Records))
		total += len(b.Records)
		token = b.Next
	}
	if !slices.Equal(sizes, []int{2, 2, 1}) {
		t.Errorf("records per call %v, want 2 2 1: at most 10 MiB", sizes)
	}
	if records, _ := s.streams[s.key("s")].shards[0].read(1, 10, 1); len(records) != 1 {
		t.Errorf("%d records below the size of the first, want that one", len(records))
	}
	_, _, err := s.Put("s", []Entry{{PartitionKey: "k", Data: make([]byte, 10<<20)}}, false)
	wantCode(t, err, InvalidArgument)
}

func TestPutIsAllOrNothing(t *testing.T) {
	s := newService(0)
	create(t, s, "s", 1)
	_, _, err := s.Put("s", []Entry{{PartitionKey: "k"}, {PartitionKey: "k", Data: make([]byte, DefaultRecordBytes)}}, false)
	wantCode(t, err, InvalidArgument)
	mustPut(t)(s.Put("s", []Entry{{PartitionKey: "k"}}, true)) // dry run
	if records, _ := readAll(t, s, "shardId-000000000000", Position{Type: TrimHorizon}, 10); len(records) != 0 {
		t.Errorf("%d records stored, want 0", len(records))
	}
}

func TestReshardErrors(t *testing.T) {
	s := newService(0)
	create(t, s, "s", 3)
	const a, b, c, none = "shardId-000000000000", "shardId-000000000001", "shardId-000000000002", "shardId-000000000077"
	shards, _, _ := s.ListShards("s", time.Time{}, Filter{Type: AtLatest}, "", 10)
	last := shards[2].HashKeys.Last
	for name, test := range map[string]struct {
		err  error
		code Code
	}{
		"split of none":         {s.SplitShard("s", none, HashKey{lo: 5}), ResourceNotFound},
		"split of no stream":    {s.SplitShard("t", a, HashKey{lo: 5}), ResourceNotFound},
		"split at the start":    {s.SplitShard("s", a, HashKey{}), InvalidArgument},
		"split after the start": {s.SplitShard("s", a, HashKey{lo: 1}), InvalidArgument},
		"split at the end":      {s.SplitShard("s", c, last), InvalidArgument},
		"split elsewhere":       {s.SplitShard("s", c, HashKey{lo: 5}), InvalidArgument},
		"merge with none":       {s.MergeShards("s", a, none), ResourceNotFound},
		"merge with itself":     {s.MergeShards("s", a, a), InvalidArgument},
		"merge of strangers":    {s.MergeShards("s", a, c), InvalidArgument},
		"merge round the end":   {s.MergeShards("s", c, a), InvalidArgument},
		"up beyond double":      {second(s.UpdateShardCount("s", 7)), InvalidArgument},
		"down below half":       {second(s.UpdateShardCount("s", 1)), InvalidArgument},
		"too many shards":       {s.CreateStream(NewStream{Name: "t", ShardCount: MaxShards + 1}), LimitExceeded},
	} {
		t.Run(name, func(t *testing.T) { wantCode(t, test.err, test.code) })
	}
	if err := s.MergeShards("s", b, a); err != nil { // the upper shard first
		t.Fatal(err)
	}
	wantCode(t, s.SplitShard("s", a, HashKey{lo: 5}), InvalidArgument)
	wantCode(t, s.MergeShards("s", b, c), InvalidArgument)
	if err := s.CreateStream(NewStream{Name: "demand", OnDemand: true}); err != nil {
		t.Fatal(err)
	}
	if sum := must[Summary](t)(s.Describe("demand")); sum.OpenShards != OnDemandShards || !sum.OnDemand {
		t.Errorf("on demand: %+v, want %d shards", sum, OnDemandShards)
	}
	wantCode(t, s.SplitShard("demand", a, HashKey{lo: 5}), ValidationFailure)
}

func second[T any](_ T, err error) error { return err }

func FuzzTokens(f *testing.F) {
	s := newService(0)
	if err := s.CreateStream(NewStream{Name: "s", ShardCount: 2}); err != nil {
		f.Fatal(err)
	}
	it, err := s.ShardIterator("s", "shardId-000000000001", Position{Type: TrimHorizon})
	if err != nil {
		f.Fatal(err)
	}
	_, page, err := s.ListShards("s", time.Time{}, Filter{Type: FromTrimHorizon}, "", 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(it)
	f.Add(page)
	f.Add("")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := s.GetRecords(token, "", 1); err == nil && token != it {
			t.Errorf("%q is accepted as an iterator", token)
		}
		if _, _, err := s.ListShardsNext(token, 1); err == nil && token != page {
			t.Errorf("%q is accepted as a NextToken", token)
		}
	})
}
