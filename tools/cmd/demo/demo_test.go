package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

func TestLastLine(t *testing.T) {
	r := result{sent: 500, received: 499, missing: 1, duplicates: 2, shards: 3, firstRecord: 6240 * time.Millisecond, total: 13 * time.Second}
	want := "demo: sent=500 received=499 missing=1 duplicates=2 shards=3 first_record_s=6.2 total_s=13.0"
	if r.String() != want {
		t.Errorf("got  %s\nwant %s", &r, want)
	}
}

// Invalid input is reported in one line, before anything is built.
func TestBadInput(t *testing.T) {
	testenv.Java(t)
	testenv.Workspace(t)
	occupied := t.TempDir()
	for _, name := range []string{"mine", "empty"} {
		if err := os.WriteFile(filepath.Join(occupied, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for args, status := range map[string]int{
		"--shards 0":                    2,
		"--records 0":                   2,
		"--records 1 --file x":          2,
		"x":                             2,
		"--fly":                         2,
		"--dir " + occupied:             1,
		"--file no-such-file":           1,
		"--file " + occupied + "/empty": 1,
		"--file " + occupied:            1,
	} {
		var stdout, stderr bytes.Buffer
		got := run(t.Context(), strings.Fields(args), &stdout, &stderr)
		if got != status || strings.Count(stderr.String(), "\n") != 1 || stdout.Len() > 0 {
			t.Errorf("%s: status %d, want %d: %s%s", args, got, status, &stdout, &stderr)
		}
	}
}
