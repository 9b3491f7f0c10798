package handle

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
)

func letter(key, data string) DeadLetter {
	_, shardID := processor.SplitLeaseKey(key)
	return DeadLetter{
		ID: key + "/1/0", Stream: "orders", ShardID: shardID, SequenceNumber: "1", PartitionKey: "a\u2028b", Data: []byte(data),
		ApproximateArrivalTimestamp: time.UnixMilli(1700000000123).UTC(), Reason: ReasonAttempts, Attempts: 3,
		Error: "line one\nline two", Stack: "goroutine 1", Time: time.UnixMilli(1700000001000).UTC(),
	}
}

func lines(t testing.TB, name string) []string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// Guarantee: A dead letter in Files is on disk before Put returns.
//
// Guarantee: Shards of several streams that have the same ID are kept apart:
// in IDs, dead letters and their files, observers and logs.
func TestFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "as needed")
	f := NewFiles(dir)
	defer f.Close()
	var wait sync.WaitGroup
	keys := map[string]string{ // by file; the last four are of several streams
		"shardId-000000000000":                          "shardId-000000000000",
		"shardId-000000000001":                          "shardId-000000000001",
		"111122223333_orders_1700/shardId-000000000000": "111122223333:orders:1700:shardId-000000000000",
		"111122223333_orders_1800/shardId-000000000000": "111122223333:orders:1800:shardId-000000000000",
		"444455556666_orders_1700/shardId-000000000000": "444455556666:orders:1700:shardId-000000000000",
		"111122223333_orders_1700/shardId-000000000001": "111122223333:orders:1700:shardId-000000000001",
	}
	for _, key := range keys {
		for range 20 {
			wait.Go(func() {
				if err := f.Put(t.Context(), letter(key, "\x00\xff data")); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wait.Wait()
	for file, key := range keys {
		got := lines(t, filepath.Join(dir, filepath.FromSlash(file)+".jsonl"))
		if len(got) != 20 {
			t.Errorf("%d lines in the file of %s, want 20", len(got), key)
		}
		for _, line := range got {
			var back DeadLetter
			if err := json.Unmarshal([]byte(line), &back); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(back, letter(key, "\x00\xff data")) {
				t.Fatalf("read back %+v\nwant %+v", back, letter(key, "\x00\xff data"))
			}
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Put(t.Context(), letter("shardId-000000000000", "after Close")); err != nil {
		t.Error(err)
	}
}

// Guarantee: A line of Files that a crash has cut short spoils no other line.
func TestFilesAfterATornLine(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "shardId-000000000000.jsonl")
	if err := os.WriteFile(name, []byte("{\"id\":\"whole\"}\n{\"id\":\"to"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := NewFiles(dir)
	defer f.Close()
	for range 2 {
		if err := f.Put(t.Context(), letter("shardId-000000000000", "x")); err != nil {
			t.Fatal(err)
		}
	}
	got := lines(t, name)
	if len(got) != 4 || got[1] != `{"id":"to` || !json.Valid([]byte(got[2])) || !json.Valid([]byte(got[3])) {
		t.Errorf("got\n%s\nwant the two lines that were there and two whole ones", strings.Join(got, "\n"))
	}
}

// An error means that the letter is not written; the next attempt may succeed.
//
// Guarantee: No shard or stream gets a file outside of the folder of Files.
func TestFilesFail(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dead")
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // a file where the folder should be
		t.Fatal(err)
	}
	f := NewFiles(dir)
	defer f.Close()
	err := f.Put(t.Context(), letter("shardId-000000000000", "secret"))
	if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "shardId-000000000000/1/0 not written") {
		t.Errorf("error %v, want one that names the letter, without its data", err)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := f.Put(t.Context(), letter("shardId-000000000000", "x")); err != nil {
		t.Error(err)
	}
	// The file is closed: the write fails.
	f.open["shardId-000000000000"].Close()
	if err := f.Put(t.Context(), letter("shardId-000000000000", "x")); err == nil {
		t.Error("no error from a closed file")
	}
	for _, key := range []string{"", "..", "../x", "a/b", "1:..:x", "1:../..:2:x", "1:orders:2:..", ":x"} {
		if err := f.Put(t.Context(), letter(key, "x")); err == nil {
			t.Errorf("lease key %q: no error", key)
		}
	}
	other := letter("1:orders:2:shardId-000000000001", "x")
	other.ShardID = "shardId-000000000000"
	if err := f.Put(t.Context(), other); err == nil || !strings.Contains(err.Error(), "does not belong to its shard") {
		t.Errorf("the letter of another shard: error %v, want one that says so", err)
	}
}
