package core

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/kinesislocal/internal/journal"
)

// kept opens a service that is kept in a folder.
func kept(t *testing.T, dir string, config ...func(*Config)) *Service {
	t.Helper()
	c := Config{Account: account}
	for _, f := range config {
		f(&c)
	}
	return must[*Service](t)(Open(c, dir))
}

func shut(t *testing.T, s *Service) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// killed copies what the folder of a service that runs has on it: that is what
// is left when its process is killed at this moment.
func killed(t *testing.T, dir string) string {
	t.Helper()
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return copied
}

// dump returns all that callers can find out about the streams now.
func dump(t *testing.T, s *Service) string {
	t.Helper()
	var b strings.Builder
	for _, st := range s.all() {
		st.mu.Lock()
		now := time.Now()
		st.settle(now)
		if st.status != gone {
			var saved savedStream
			if err := json.Unmarshal(st.appendState(nil)[1:], &saved); err != nil {
				t.Fatal(err)
			}
			if saved.Change == nil {
				saved.Due = time.Time{}
			}
			for i, sh := range st.shards {
				saved.Shards[i].First = sh.since(now.Add(-st.Retention))
				for _, r := range sh.records[saved.Shards[i].First-sh.base:] {
					fmt.Fprintln(&b, r.Sequence, r.Arrival.UnixMilli(), r.PartitionKey, string(r.Data))
				}
			}
			b.Write(appendJSON(nil, saved))
			b.WriteString("\n")
		}
		st.mu.Unlock()
	}
	return b.String()
}

// countUsed is what the records take, counted afresh.
func countUsed(s *Service) (used int64) {
	for _, st := range s.all() {
		for _, sh := range st.shards {
			for i := range sh.records {
				used += sh.records[i].memory()
			}
		}
	}
	return used
}

// TestRestartChangesNothing does at random what changes a service, ends it in
// each way, and compares what was there before with what is there after.
func TestRestartChangesNothing(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 2))
				config := func(c *Config) {
					c.TransitionDelay = time.Duration(seed%2) * time.Second
					if seed%3 == 0 {
						c.MaxBytes = 20_000
					}
				}
				dir := t.TempDir()
				s := kept(t, dir, config)
				defer func() { s.Close() }()
				create(t, s, "s", 1+r.IntN(4))
				time.Sleep(time.Second)
				for i := range 400 {
					changeAtRandom(t, s, r, i)
					if r.IntN(15) > 0 {
						continue
					}
					before := dump(t, s)
					if r.IntN(2) == 0 {
						next := killed(t, dir)
						shut(t, s)
						dir = next
					} else {
						shut(t, s)
					}
					s = kept(t, dir, config)
					if after := dump(t, s); after != before {
						t.Fatalf("before:\n%s\nafter:\n%s", before, after)
					}
					if used := countUsed(s); used != s.used.Load() {
						t.Fatalf("%d bytes are counted, %d used", s.used.Load(), used)
					}
				}
				shut(t, s)
			})
		})
	}
}

// changeAtRandom lets nothing happen to stream s that would keep it from being
// resharded.
func changeAtRandom(t *testing.T, s *Service, r *rand.Rand, i int) {
	t.Helper()
	name := []string{"s", "t"}[r.IntN(2)]
	switch r.IntN(24) {
	case 0, 1:
		reshardAtRandom(t, s, r)
	case 2:
		time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
	case 3:
		if r.IntN(3) == 0 {
			time.Sleep(time.Duration(r.IntN(20)) * time.Hour)
		}
	case 4:
		_ = s.CreateStream(NewStream{Name: "t", ShardCount: 1 + r.IntN(3), Region: "eu-west-1", Tags: map[string]string{"i": fmt.Sprint(i)}})
	case 5:
		_ = s.DeleteStream("t", r.IntN(2) == 0)
	case 6:
		_, _ = s.RegisterConsumer(name, fmt.Sprint("c", r.IntN(3)), map[string]string{"i": fmt.Sprint(i)})
	case 7:
		_ = s.DeregisterConsumer(name, fmt.Sprint("c", r.IntN(3)), "")
	case 8:
		_ = s.AddTags(name, "", map[string]string{fmt.Sprint(r.IntN(3)): fmt.Sprint(i)})
		_ = s.RemoveTags(name, "", []string{fmt.Sprint(r.IntN(3))})
	case 9:
		_ = s.IncreaseRetention(name, 24+r.IntN(100))
	case 10:
		_ = s.DecreaseRetention(name, 24+r.IntN(100))
	case 11:
		_ = s.SetOnDemand("t", r.IntN(2) == 0)
		_ = s.SetMaxRecordBytes(name, (1+r.IntN(10))<<20)
		_ = s.SetEncryption(name, fmt.Sprint("key", r.IntN(2)))
	case 12:
		if err := s.checkpoint(); err != nil {
			t.Fatal(err)
		}
	default:
		var batch []Entry
		for j := range 1 + r.IntN(5) {
			key := fmt.Sprint("key", r.IntN(50))
			batch = append(batch, Entry{key, HashKeyOf(key), []byte(strings.Repeat(fmt.Sprint(i, j, ","), 1+r.IntN(30)))})
		}
		_, _, err := s.Put(name, batch, false)
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Code != ResourceNotFound) {
			t.Fatal(err)
		}
	}
}

// TestKilledAtAnyByte ends the process at each byte of what some puts write:
// those before are there, the one under way is there whole or not at all.
func TestKilledAtAnyByte(t *testing.T) {
	dir := t.TempDir()
	s := kept(t, dir)
	create(t, s, "s", 2)
	name := filepath.Join(dir, "00000001.log")
	size := func() int64 {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	states, ends := []string{dump(t, s)}, []int64{size()}
	for i := range 5 {
		placedBy(t)(s.Put("s", []Entry{{"a", HashKeyOf("a"), []byte{byte('a' + i)}}, {"b", HashKeyOf("b"), []byte("x")}}, false))
		states, ends = append(states, dump(t, s)), append(ends, size())
	}
	shut(t, s)
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for n := ends[0]; n <= int64(len(whole)); n++ {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "00000001.log"), whole[:n], 0o666); err != nil {
			t.Fatal(err)
		}
		s := kept(t, dir)
		i := 0
		for i+1 < len(ends) && ends[i+1] <= n {
			i++
		}
		if got := dump(t, s); got != states[i] {
			t.Errorf("%d bytes, %d puts:\n%s", n, i, got)
		}
		put(t, s, "s", "a", "goes on")
		shut(t, s)
	}
}

// What a client holds stays good: iterators go on, and lists.
func TestTokensOutlastARestart(t *testing.T) {
	dir := t.TempDir()
	s := kept(t, dir)
	create(t, s, "s", 3)
	put(t, s, "s", "k", "one")
	shardID := put(t, s, "s", "k", "two").ShardID
	token := must[string](t)(s.ShardIterator("s", shardID, Position{Type: TrimHorizon}))
	token = must[Batch](t)(s.GetRecords(token, "s", 1)).Next
	_, listed, err := s.ListShards("s", time.Time{}, Filter{Type: FromTrimHorizon}, "", 2)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // also those that were made in the first life
		shut(t, s)
		s = kept(t, dir)
		if b := must[Batch](t)(s.GetRecords(token, "s", 10)); len(b.Records) != 1 || string(b.Records[0].Data) != "two" {
			t.Errorf("records %v", b.Records)
		}
		if shards, _, err := s.ListShardsNext(listed, 10); err != nil || ids(shards) != "2" {
			t.Errorf("shards %s, error %v", ids(shards), err)
		}
	}
	// One that was made for a stream that is gone is not one for its namesake.
	if err := s.DeleteStream("s", true); err != nil {
		t.Fatal(err)
	}
	if err := s.checkpoint(); err != nil {
		t.Fatal(err)
	}
	shut(t, s)
	s = kept(t, dir)
	create(t, s, "s", 3)
	_, err = s.GetRecords(token, "s", 10)
	wantCode(t, err, ResourceNotFound)
	shut(t, s)
}

// Sequence numbers rise from one life to the next, also when no record is left
// and when the clock was set back.
func TestSequenceNumbersRiseOverRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := kept(t, dir)
		create(t, s, "s", 1)
		last := put(t, s, "s", "k", "first").Sequence
		for i := range 6 {
			if i%2 == 1 {
				time.Sleep(MinRetention + time.Hour)
			}
			if i > 2 {
				if err := s.checkpoint(); err != nil {
					t.Fatal(err)
				}
			}
			shut(t, s)
			s = kept(t, dir)
			n := put(t, s, "s", "k", "next").Sequence
			if n.Compare(last) <= 0 || n.index() != last.index()+1 {
				t.Errorf("%s after %s", n, last)
			}
			last = n
		}
		shut(t, s)
	})
}

// TestDiskIsBounded puts many times what may be kept: the folder is rewritten
// without what is trimmed.
func TestDiskIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 16 << 20
		dir := t.TempDir()
		s := kept(t, dir, func(c *Config) { c.MaxBytes = limit })
		create(t, s, "s", 2)
		var largest int64
		data := strings.Repeat("x", 1<<20-10)
		for i := range 400 {
			put(t, s, "s", fmt.Sprint(i), data)
			if i%10 == 0 {
				time.Sleep(syncInterval)
				synctest.Wait()
			}
			largest = max(largest, s.store.journal.Size())
		}
		if most := int64(2*limit + checkpointSlack + 11<<20); largest > most || largest < checkpointSlack {
			t.Errorf("the folder had %d bytes, at most %d are right", largest, most)
		}
		before := dump(t, s)
		shut(t, s)
		s = kept(t, dir, func(c *Config) { c.MaxBytes = limit })
		if dump(t, s) != before {
			t.Error("it is not what it was")
		}
		shut(t, s)
		// Trimmed is trimmed, whatever the next one may keep.
		s = kept(t, dir)
		if dump(t, s) != before {
			t.Error("trimmed records are back")
		}
		shut(t, s)
	})
}

// A smaller bound is kept from the start.
func TestSmallerMaxBytesAfterRestart(t *testing.T) {
	dir := t.TempDir()
	s := kept(t, dir)
	create(t, s, "s", 2)
	for i := range 100 {
		put(t, s, "s", fmt.Sprint(i), strings.Repeat("x", 10<<10))
	}
	shut(t, s)
	var log bytes.Buffer
	s = kept(t, dir, func(c *Config) { c.MaxBytes = 100 << 10; c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	if used := s.used.Load(); used > 100<<10 || used != countUsed(s) || used == 0 {
		t.Errorf("%d bytes are used", used)
	}
	if !strings.Contains(log.String(), "oldest records trimmed") {
		t.Errorf("log %s", &log)
	}
	shut(t, s)
}

// What cannot be kept is refused, and is not there.
func TestWhatCannotBeStoredIsRefused(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	s := kept(t, dir, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	create(t, s, "s", 2)
	put(t, s, "s", "k", "one")
	before := dump(t, s)
	shut(t, s) // nothing can be stored from here on
	_, _, err := s.Put("s", []Entry{{"a", HashKeyOf("a"), []byte("SECRET")}, {"b", HashKeyOf("b"), []byte("SECRET")}}, false)
	wantCode(t, err, InternalFailure)
	if after := dump(t, s); after != before || s.used.Load() != countUsed(s) {
		t.Errorf("%s", after)
	}
	wantCode(t, s.CreateStream(NewStream{Name: "t", ShardCount: 1}), InternalFailure)
	if names := s.StreamNames(""); !slices.Equal(names, []string{"s"}) {
		t.Errorf("streams %v", names)
	}
	wantCode(t, s.SplitShard("s", shardID(0), HashKey{1, 1}), InternalFailure)
	// The split stays refused as long as it is not stored.
	_, _, err = s.Put("s", []Entry{{"a", HashKeyOf("a"), nil}}, false)
	wantCode(t, err, InternalFailure)
	if !strings.Contains(log.String(), "level=ERROR") || strings.Contains(log.String(), "SECRET") {
		t.Errorf("log %s", &log)
	}
}

// Puts go on while the folder is rewritten, and nothing is lost between the two.
func TestCheckpointsBesidePuts(t *testing.T) {
	dir := t.TempDir()
	s := kept(t, dir)
	create(t, s, "s", 4)
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() {
			for i := range 300 {
				key := fmt.Sprint(w)
				if _, _, err := s.Put("s", []Entry{{key, HashKeyOf(key), []byte(fmt.Sprint(i))}}, false); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for i := range 20 {
			name := fmt.Sprint("other", i)
			if err := s.CreateStream(NewStream{Name: name, ShardCount: 2}); err != nil {
				t.Error(err)
			}
			if i%2 == 0 {
				if err := s.DeleteStream(name, true); err != nil {
					t.Error(err)
				}
			}
		}
	})
	wg.Go(func() {
		for range 20 {
			if err := s.checkpoint(); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	before := dump(t, s)
	copied := killed(t, dir)
	shut(t, s)
	s = kept(t, copied)
	if after := dump(t, s); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	shut(t, s)
}

// Close does not wait for a checkpoint of much to end.
func TestCloseInterruptsACheckpoint(t *testing.T) {
	dir := t.TempDir()
	s := kept(t, dir)
	create(t, s, "s", 1)
	put(t, s, "s", "k", "x")
	before := dump(t, s)
	close(s.store.closing)
	if err := s.checkpoint(); !errors.Is(err, errClosing) {
		t.Errorf("error %v", err)
	}
	s.store.close.Do(func() {})
	shut(t, s)
	s = kept(t, dir)
	if dump(t, s) != before {
		t.Error("it is not what it was")
	}
	shut(t, s)
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		entry []byte
		want  string
	}{
		"an unknown kind":          {[]byte("?"), "later version"},
		"nothing":                  {nil, "empty"},
		"half a stream":            {[]byte(`s{"Number":1`), "JSON"},
		"a short key":              {[]byte(`v{"Key":"AAAA"}`), "key of 3 bytes"},
		"an unknown stream":        {[]byte{recordsEntry, 7}, "stream 7"},
		"no stream":                {[]byte{recordsEntry}, "no stream"},
		"an unknown shard":         {[]byte{recordsEntry, 1, 9, 1, 1, 0, 0}, "shardId-000000000009"},
		"half a record":            {[]byte{recordsEntry, 1, 0, 1, 1, 5, 'k'}, "no list of records"},
		"a record that is missing": {[]byte{recordsEntry, 1, 0, 3, 1, 0, 0}, "record 3 of shardId-000000000000 in stream s where 1 was to come"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := kept(t, dir)
			create(t, s, "s", 1)
			if err := s.store.journal.Append(append(journal.Begin(nil), c.entry...)); err != nil {
				t.Fatal(err)
			}
			shut(t, s)
			_, err := Open(Config{Account: account}, dir)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), dir) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// FuzzEntry: an entry that nobody wrote is an error or a state, never a panic.
func FuzzEntry(f *testing.F) {
	s := New(Config{Account: account})
	if err := s.CreateStream(NewStream{Name: "s", ShardCount: 2}); err != nil {
		f.Fatal(err)
	}
	if _, _, err := s.Put("s", []Entry{{"k", HashKeyOf("k"), []byte("data")}}, false); err != nil {
		f.Fatal(err)
	}
	st := s.streams["s"]
	state := st.appendState(nil)
	record := []byte(nil)
	for _, sh := range st.shards {
		for i := range sh.records {
			record = appendRecord(record, &sh.records[i])
		}
	}
	f.Add(s.appendState(nil))
	f.Add(state)
	f.Add(append(appendNumber(nil, recordsEntry, st), record...))
	f.Add(appendNumber(nil, goneEntry, st))
	f.Fuzz(func(t *testing.T, entry []byte) {
		l := loader{service: New(Config{Account: account}), streams: make(map[uint64]*stream)}
		if err := l.entry(state); err != nil {
			t.Fatal(err)
		}
		if err := l.entry(entry); err != nil && strings.Contains(err.Error(), "\n") {
			t.Error(err)
		}
	})
}

func BenchmarkPut(b *testing.B) {
	data := make([]byte, 1<<10)
	var batch []Entry
	for i := range 500 {
		key := fmt.Sprint(i)
		batch = append(batch, Entry{key, HashKeyOf(key), data})
	}
	for _, where := range []string{"memory", "folder"} {
		b.Run(where, func(b *testing.B) {
			s := New(Config{Account: account, MaxBytes: 256 << 20})
			if where == "folder" {
				var err error
				if s, err = Open(Config{Account: account, MaxBytes: 256 << 20}, b.TempDir()); err != nil {
					b.Fatal(err)
				}
			}
			defer s.Close()
			if err := s.CreateStream(NewStream{Name: "s", ShardCount: 4}); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, _, err := s.Put("s", batch, false); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(batch)*b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
