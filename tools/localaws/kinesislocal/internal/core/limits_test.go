package core

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func realService(t *testing.T) *Account {
	t.Helper()
	s := New(&Options{ThroughputLimits: true}).AccountOf(account, "Test")
	create(t, s, "s", 1)
	return s
}

func entries(n, size int) []Entry {
	list := make([]Entry, n)
	for i := range list {
		list[i] = Entry{PartitionKey: "k", Data: make([]byte, size-1)}
	}
	return list
}

func accepted(placed []PutResult) (n int) {
	for _, p := range placed {
		if p.Err == nil {
			n++
		}
	}
	return n
}

func TestRealWriteLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := realService(t)
		if n := accepted(mustPut(t)(s.Put("s", entries(1200, 10), false))); n != 1000 {
			t.Errorf("%d records of 1200 in a second, want 1000", n)
		}
		time.Sleep(100 * time.Millisecond)
		placed := mustPut(t)(s.Put("s", entries(200, 10), false))
		if n := accepted(placed); n != 100 {
			t.Errorf("%d records after a tenth of a second, want 100", n)
		}
		if e := placed[199].Err; e == nil || e.Code != ThroughputExceeded || e.Message != "Rate exceeded for shard shardId-000000000000 in stream s under account 000000000000." {
			t.Errorf("refusal %v", e)
		}
		time.Sleep(time.Second)
		if n := accepted(mustPut(t)(s.Put("s", entries(20, 100<<10), false))); n != 10 {
			t.Errorf("%d records of 100 KiB in a second, want 10", n)
		}
		// Exactly the accepted records are stored.
		token := must[string](t)(s.ShardIterator("s", shardID(0), Position{Type: TrimHorizon}))
		if b := must[Batch](t)(s.GetRecords(token, "", MaxRecordsRead)); len(b.Records) != 1110 {
			t.Errorf("%d records, want 1110", len(b.Records))
		}
		// Shards have separate limits.
		create(t, s, "other", 1)
		if n := accepted(mustPut(t)(s.Put("other", entries(1000, 10), false))); n != 1000 {
			t.Errorf("%d records to another shard, want 1000", n)
		}
	})
}

// A record may be larger than the limit of one second.
func TestThroughputLimitsTakeLargeRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := realService(t)
		if err := s.SetMaxRecordBytes("s", 10<<20); err != nil {
			t.Fatal(err)
		}
		if n := accepted(mustPut(t)(s.Put("s", entries(2, 10<<20), false))); n != 1 {
			t.Errorf("%d records, want 1", n)
		}
		time.Sleep(10 * time.Second)
		if n := accepted(mustPut(t)(s.Put("s", entries(2, 10<<20), false))); n != 1 {
			t.Errorf("%d records 10 s later, want 1", n)
		}
	})
}

func TestRealReadLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := realService(t)
		token := must[string](t)(s.ShardIterator("s", shardID(0), Position{Type: TrimHorizon}))
		for range readsPerSecond {
			must[Batch](t)(s.GetRecords(token, "", 1))
		}
		_, err := s.GetRecords(token, "", 1)
		wantCode(t, err, ThroughputExceeded)
		time.Sleep(200 * time.Millisecond)
		must[Batch](t)(s.GetRecords(token, "", 1))

		for range 8 {
			time.Sleep(time.Second)
			mustPut(t)(s.Put("s", entries(1, 1<<20), false))
		}
		time.Sleep(time.Second)
		if b := must[Batch](t)(s.GetRecords(token, "", MaxRecordsRead)); len(b.Records) != 8 {
			t.Errorf("%d records, want 8", len(b.Records))
		}
		// 8 MiB are the reads of four seconds, and one second was unused.
		time.Sleep(3*time.Second - time.Millisecond)
		_, err = s.GetRecords(token, "", 1)
		wantCode(t, err, ThroughputExceeded)
		time.Sleep(2 * time.Millisecond)
		must[Batch](t)(s.GetRecords(token, "", 1))
	})
}

func TestThroughputLimitsPaceSubscriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := realService(t)
		for range 12 {
			mustPut(t)(s.Put("s", entries(1, 1<<20), false))
			time.Sleep(time.Second)
		}
		sub := subscribe(t, s, register(t, s, "c"), shardID(0), Position{Type: TrimHorizon})
		begin, got := time.Now(), 0
		for got < 12 {
			got += len(next(t, sub).Records)
		}
		// 2 MiB come at once, and the last event may exceed the limit by 1 MiB.
		if took := time.Since(begin); took < 4500*time.Millisecond || took > 5*time.Second {
			t.Errorf("12 MiB took %s, want 4.5s to 5s", took)
		}
	})
}

// Guarantee: Records take at most Options.MaxMemory; the oldest records of all
// streams are dropped first.
func TestMaxMemoryDropsTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 1 << 20
		var log bytes.Buffer
		s := New(&Options{MaxMemory: limit, Logger: slog.New(slog.NewTextHandler(&log, nil))}).AccountOf(account, "Test")
		create(t, s, "s", 2)
		create(t, s, "other", 1)
		var last PutResult
		for range 400 {
			time.Sleep(time.Millisecond)
			put(t, s, "other", "k", strings.Repeat("x", 5000))
			last = put(t, s, "s", "k", strings.Repeat("x", 5000))
			if used := s.used.Load(); used > limit {
				t.Fatalf("%d bytes are used, want at most %d", used, limit)
			}
		}
		var all []Record
		for _, stream := range []string{"s", "other"} {
			it := must[string](t)(s.ShardIterator(stream, map[string]string{"s": last.ShardID, "other": shardID(0)}[stream], Position{Type: TrimHorizon}))
			records := must[Batch](t)(s.GetRecords(it, "", MaxRecordsRead)).Records
			if len(records) < 80 || len(records) > 105 {
				t.Errorf("%s: %d records are left, want 80 to 105", stream, len(records))
			}
			for i := 1; i < len(records); i++ {
				if records[i].Arrival.Sub(records[i-1].Arrival) != time.Millisecond {
					t.Fatalf("%s: a record in the middle is gone", stream)
				}
			}
			if newest := records[len(records)-1].Arrival; time.Since(newest) > time.Millisecond {
				t.Errorf("%s: the newest record is gone", stream)
			}
			all = append(all, records...)
		}
		var used int64
		for i := range all {
			used += all[i].memory()
		}
		if got := s.used.Load(); got != used {
			t.Errorf("%d bytes are counted, %d used", got, used)
		}
		// An eighth is dropped at a time: 4 MB through 1 MiB are about 24 times.
		if n := strings.Count(log.String(), "oldest records trimmed"); n < 10 || n > 40 {
			t.Errorf("trimmed %d times, want 10 to 40:\n%s", n, &log)
		}
		for _, stream := range []string{"s", "other"} {
			if err := s.DeleteStream(stream, false); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.used.Load(); got != 0 {
			t.Errorf("%d bytes are used without streams, want 0", got)
		}
	})
}

// The oldest records are dropped first, whichever stream they are in.
//
// Guarantee: Records take at most Options.MaxMemory; the oldest records of all
// streams are dropped first.
func TestMaxMemorySparesNewRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(&Options{MaxMemory: 1 << 20}).AccountOf(account, "Test")
		create(t, s, "s", 1)
		create(t, s, "other", 1)
		count := func(stream string) int {
			it := must[string](t)(s.ShardIterator(stream, shardID(0), Position{Type: TrimHorizon}))
			return len(must[Batch](t)(s.GetRecords(it, "", MaxRecordsRead)).Records)
		}
		const each = 120 // two thirds of what fits
		for _, stream := range []string{"s", "other"} {
			for range each {
				time.Sleep(time.Millisecond)
				put(t, s, stream, "k", strings.Repeat("x", 5000))
			}
		}
		if old, young := count("s"), count("other"); young != each || old == 0 || old >= each {
			t.Errorf("%d old and %d new records are left, want some old and %d new", old, young, each)
		}
	})
}

// The record that an iterator points to may be dropped before it is read.
func TestReadOfDroppedRecordsGoesOnWithTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(&Options{MaxMemory: 1 << 20}).AccountOf(account, "Test")
		create(t, s, "s", 1)
		first := put(t, s, "s", "k", "first")
		it := must[string](t)(s.ShardIterator("s", shardID(0), Position{Type: AtSequenceNumber, Sequence: first.Sequence.String()}))
		for range 300 {
			time.Sleep(time.Millisecond)
			put(t, s, "s", "k", strings.Repeat("x", 5000))
		}
		b := must[Batch](t)(s.GetRecords(it, "", 1))
		if len(b.Records) != 1 || string(b.Records[0].Data) == "first" || b.Behind == 0 {
			t.Errorf("batch %d records, behind %s", len(b.Records), b.Behind)
		}
	})
}
