package processor_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/seed96110120/kinesis-client-go/processor" // processortest depends on it
	"github.com/seed96110120/kinesis-client-go/processor/processortest"
)

func TestLeaseKeys(t *testing.T) {
	const shard = "shardId-000000000000"
	for key, want := range map[string]struct{ stream, shardID, file string }{
		shard:                                  {"", shard, shard},
		"111122223333:orders:1700:" + shard:    {"111122223333:orders:1700", shard, "111122223333_orders_1700/" + shard},
		"111122223333:a_1.b-c:1700:" + shard:   {"111122223333:a_1.b-c:1700", shard, "111122223333_a_1.b-c_1700/" + shard},
		"111122223333:..:1700:" + shard:        {"111122223333:..:1700", shard, "111122223333_.._1700/" + shard},
		"":                                     {"", "", ""},
		"..":                                   {"", "..", ""},
		"../x":                                 {"", "../x", ""},
		"a/b":                                  {"", "a/b", ""},
		"/":                                    {"", "/", ""},
		":" + shard:                            {"", shard, ""},
		"1:orders:1700:":                       {"1:orders:1700", "", ""},
		"1:orders:1700:..":                     {"1:orders:1700", "..", ""},
		"1:orders:1700:../../x":                {"1:orders:1700", "../../x", ""},
		"..:" + shard:                          {"..", shard, ""},
		"1:../../etc:1700:" + shard:            {"1:../../etc:1700", shard, ""},
		"1:a/b:1700:" + shard:                  {"1:a/b:1700", shard, ""},
		"1::1700:" + shard:                     {"1::1700", shard, ""},
		"1:orders:" + shard:                    {"1:orders", shard, ""},
		"1:2:orders:1700:" + shard:             {"1:2:orders:1700", shard, ""},
		"x:orders:1700:" + shard:               {"x:orders:1700", shard, ""},
		"1:orders:170x:" + shard:               {"1:orders:170x", shard, ""},
		"1:orders\n:1700:" + shard:             {"1:orders\n:1700", shard, ""},
		"1_orders:1700:" + shard:               {"1_orders:1700", shard, ""},
		"111122223333:orders:1700\n:" + shard:  {"111122223333:orders:1700\n", shard, ""},
		"111122223333:orders:1700:shard:Id-00": {"111122223333:orders:1700:shard", "Id-00", ""},
	} {
		if stream, shardID := SplitLeaseKey(key); stream != want.stream || shardID != want.shardID {
			t.Errorf("%q is split into %q and %q", key, stream, shardID)
		}
		file, err := LeaseFile(key)
		if filepath.ToSlash(file) != want.file || (err == nil) != (want.file != "") {
			t.Errorf("%q: file %q, %v", key, file, err)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("an error of two lines: %v", err)
		}
	}
}

// A key's file is in the folder, at most one below, and no other key has it.
func FuzzLeaseFile(f *testing.F) {
	f.Add("111122223333:orders:1700000000:shardId-000000000000")
	f.Add("shardId-000000000000")
	f.Add("1:../../etc:2:passwd")
	f.Fuzz(func(t *testing.T, key string) {
		stream, shardID := SplitLeaseKey(key)
		if joined := stream + ":" + shardID; joined != key && joined != ":"+key {
			t.Errorf("%q and %q", stream, shardID)
		}
		file, err := LeaseFile(key)
		if err != nil {
			return
		}
		dir, base := filepath.Split(file)
		dir = strings.TrimSuffix(dir, string(filepath.Separator))
		if !filepath.IsLocal(file) || strings.ContainsAny(dir, `/\:`) || filepath.Base(base) != base {
			t.Errorf("%q", file)
		}
		back := base
		if dir != "" {
			first, last := strings.IndexByte(dir, '_'), strings.LastIndexByte(dir, '_')
			back = dir[:first] + ":" + dir[first+1:last] + ":" + dir[last+1:] + ":" + base
		}
		if back != key {
			t.Errorf("%q has the file %q of %q", key, file, back)
		}
	})
}

// What the host says of the lease is what the processor, errors and log have.
func TestLeaseOfAStream(t *testing.T) {
	const key = "111122223333:orders:1700:shardId-000000000000"
	for name, c := range map[string]struct {
		shard            *processortest.Shard
		want, log, error string
	}{
		"one that is not known": {&processortest.Shard{}, "[] shardId-000000000000 shardId-000000000000", "shardId=shardId-000000000000", "shardId-000000000000"},
		"the only one":          {&processortest.Shard{ID: "s", Stream: "orders"}, "[orders] s s", "shardId=s", "s"},
		"one of several": {
			&processortest.Shard{Stream: "orders", Key: key},
			"[orders] " + key + " shardId-000000000000", "stream=111122223333:orders:1700 shardId=shardId-000000000000", key,
		},
	} {
		var text bytes.Buffer
		var got string
		log := slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))
		d := c.shard.Start(t, funcs{
			initialize: func(_ context.Context, in InitializeInput) error {
				got = fmt.Sprintf("[%s] %s %s", in.Lease.Stream(), in.Lease.Key(), in.Lease.ShardID())
				return nil
			},
			processRecords: func(context.Context, ProcessRecordsInput) error { return errors.New("disk full") },
		}, WithLogger(log))
		d.Do(c.shard.Initialize())
		err := d.Begin(batch("1")).Wait()
		if got != c.want || !strings.Contains(text.String(), " "+c.log+" ") || strings.Contains(text.String(), "stream=") != strings.HasPrefix(c.log, "stream=") {
			t.Errorf("%s: got %s, log:\n%s", name, got, &text)
		}
		if err == nil || !strings.Contains(err.Error(), "processor: "+c.error+": processRecords failed: disk full") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
