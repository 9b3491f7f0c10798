package main

import (
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/roundtrip"
)

func TestLastLine(t *testing.T) {
	r := result{roundtrip.Result{Sent: 500, Received: 499, Missing: 1, Duplicates: 2, Shards: 3, FirstRecord: 6240 * time.Millisecond}, 13 * time.Second}
	want := "demo: sent=500 received=499 missing=1 duplicates=2 shards=3 first_record_s=6.2 total_s=13.0"
	if r.String() != want {
		t.Errorf("got  %s\nwant %s", &r, want)
	}
}
