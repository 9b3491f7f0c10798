package roundtrip

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
)

func TestLinesAreCounted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lines")
	if err := os.WriteFile(file, []byte("a\n\nb\r\na\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	lines, err := ReadLines(file)
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
	if _, err := ReadLines(file); err == nil {
		t.Error("an empty file is no error")
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	f, err := MakeFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	// A run leaves these; the next one in the same folder begins anew.
	for _, name := range []string{f.Properties, f.Log, filepath.Join(f.Data, "shardId-000000000000.jsonl"), filepath.Join(f.Data, "mine")} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if removed, err := f.Remove(); removed || err != nil {
		t.Errorf("removed %v, %v: the files stay in a folder that the user named", removed, err)
	}
	if _, err := os.Stat(f.temp); !os.IsNotExist(err) {
		t.Errorf("the temporary folder: %v", err)
	}
	again, err := MakeFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Remove()
	for name, want := range map[string]bool{f.Log: false, filepath.Join(f.Data, "shardId-000000000000.jsonl"): false, filepath.Join(f.Data, "mine"): true} {
		if _, err := os.Stat(name); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", name, err == nil, want)
		}
	}

	strange := t.TempDir()
	if err := os.WriteFile(filepath.Join(strange, "mine"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := MakeFolder(strange); err == nil {
		t.Error("a folder with other files in it is taken")
	}
}

// What AWS still makes cannot be deleted yet; what cannot be deleted in time is
// said to be left.
func TestDeleteAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		busy := errors.New("the table is being created")
		err := deleteAll(t.Context(), func(context.Context) error {
			if tries++; tries < 4 {
				return busy
			}
			return nil
		}, time.Minute)
		if err != nil || tries != 4 {
			t.Errorf("%d tries, %v", tries, err)
		}
		began := time.Now()
		err = deleteAll(t.Context(), func(context.Context) error { return busy }, time.Minute)
		if !errors.Is(err, ErrLeft) || !errors.Is(err, busy) || time.Since(began) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestFree(t *testing.T) {
	const none = `{"stream":{"name":"s","status":"missing"},"tables":[{"name":"s","status":"missing"},{"name":"s-x","status":"missing"}]}`
	if err := free(none); err != nil {
		t.Error(err)
	}
	for _, there := range []string{
		strings.Replace(none, `"missing"`, `"ACTIVE"`, 1),
		strings.Replace(none, `"s-x","status":"missing"`, `"s-x","status":"DELETING"`, 1),
		"no JSON",
	} {
		if err := free(there); err == nil {
			t.Errorf("taken for free: %s", there)
		}
	}
}
