package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
)

func TestLastLine(t *testing.T) {
	r := result{sent: 500, received: 499, missing: 1, duplicates: 2, shards: 3, firstRecord: 6240 * time.Millisecond, total: 13 * time.Second}
	want := "demo: sent=500 received=499 missing=1 duplicates=2 shards=3 first_record_s=6.2 total_s=13.0"
	if r.String() != want {
		t.Errorf("got  %s\nwant %s", &r, want)
	}
}

func TestLinesAreCounted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lines")
	if err := os.WriteFile(file, []byte("a\n\nb\r\na\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	lines, err := readLines(file)
	if err != nil || strings.Join(lines, "|") != "a||b\r|a" {
		t.Fatalf("%q, %v", lines, err)
	}
	files := sample.NewShardFiles("")
	for i, data := range []string{"a", "b\r", "stranger"} {
		files.Records[sample.Key{SubSequenceNumber: int64(i)}] = data
	}
	if n := absent(lines, files); n != 2 { // the empty line, and one of the two a
		t.Errorf("%d lines absent, want 2", n)
	}
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readLines(file); err == nil {
		t.Error("an empty file is no error")
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	o := options{dir: dir}
	f, err := makeFolder(o)
	if err != nil {
		t.Fatal(err)
	}
	// A demo leaves these; the next one in the same folder begins anew.
	for _, name := range []string{f.properties, f.log, filepath.Join(f.data, "shardId-000000000000.jsonl"), filepath.Join(f.data, "mine")} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if removed, err := f.remove(o); removed || err != nil {
		t.Errorf("removed %v, %v: the files stay in a folder that the user named", removed, err)
	}
	if _, err := os.Stat(f.temp); !os.IsNotExist(err) {
		t.Errorf("the temporary folder: %v", err)
	}
	again, err := makeFolder(o)
	if err != nil {
		t.Fatal(err)
	}
	defer again.remove(o)
	for name, want := range map[string]bool{f.log: false, filepath.Join(f.data, "shardId-000000000000.jsonl"): false, filepath.Join(f.data, "mine"): true} {
		if _, err := os.Stat(name); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", name, err == nil, want)
		}
	}

	strange := t.TempDir()
	if err := os.WriteFile(filepath.Join(strange, "mine"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := makeFolder(options{dir: strange}); err == nil {
		t.Error("a folder with other files in it is taken")
	}
}
