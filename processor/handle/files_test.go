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
)

func letter(shardID, data string) DeadLetter {
	return DeadLetter{
		ID: shardID + "/1/0", ShardID: shardID, SequenceNumber: "1", PartitionKey: "a\u2028b", Data: []byte(data),
		ApproximateArrivalTimestamp: time.UnixMilli(1700000000123).UTC(), Reason: ReasonAttempts, Attempts: 3,
		Error: "line one\nline two", Stack: "goroutine 1", Time: time.UnixMilli(1700000001000).UTC(),
	}
}

func lines(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

func TestFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "as needed")
	f := NewFiles(dir)
	defer f.Close()
	var wait sync.WaitGroup
	for _, shard := range []string{"shardId-000000000000", "shardId-000000000001"} {
		for range 20 {
			wait.Go(func() {
				if err := f.Put(t.Context(), letter(shard, "\x00\xff data")); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wait.Wait()
	for _, shard := range []string{"shardId-000000000000", "shardId-000000000001"} {
		got := lines(t, filepath.Join(dir, shard+".jsonl"))
		if len(got) != 20 {
			t.Errorf("%d lines in the file of %s", len(got), shard)
		}
		for _, line := range got {
			var back DeadLetter
			if err := json.Unmarshal([]byte(line), &back); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(back, letter(shard, "\x00\xff data")) {
				t.Fatalf("read back %+v", back)
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

// A line that was cut short by a crash stays as it is; the next has a line of
// its own.
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
		t.Errorf("lines:\n%s", strings.Join(got, "\n"))
	}
}

// What cannot be written is not taken, and the next attempt may pass.
func TestFilesFail(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dead")
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // a file where the folder should be
		t.Fatal(err)
	}
	f := NewFiles(dir)
	defer f.Close()
	err := f.Put(t.Context(), letter("shardId-000000000000", "secret"))
	if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "shardId-000000000000/1/0 not written") {
		t.Errorf("got %v", err)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := f.Put(t.Context(), letter("shardId-000000000000", "x")); err != nil {
		t.Error(err)
	}
	// A file that was closed behind its back: the write fails.
	f.open["shardId-000000000000"].Close()
	if err := f.Put(t.Context(), letter("shardId-000000000000", "x")); err == nil {
		t.Error("no error from a file that is closed")
	}
	for _, shard := range []string{"", "..", "../x", "a/b"} {
		if err := f.Put(t.Context(), letter(shard, "x")); err == nil {
			t.Errorf("shard ID %q was taken for a file name", shard)
		}
	}
}
