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
	"unicode"

	. "github.com/seed96110120/kinesis-client-go/processor" // processortest depends on it
	"github.com/seed96110120/kinesis-client-go/processor/processortest"
)

// Guarantee: LeaseFile never returns a path that leads out of the folder it is joined to.
func TestLeaseKeys(t *testing.T) {
	const shard = "shardId-000000000000"
	long := strings.Repeat("x", 128)
	for key, want := range map[string]struct{ stream, shardID, file string }{
		shard:                                {"", shard, shard},
		"s":                                  {"", "s", "s"},
		"shardId-00000001-a1b2_c.d":          {"", "shardId-00000001-a1b2_c.d", "shardId-00000001-a1b2_c.d"},
		long:                                 {"", long, long},
		"111122223333:orders:1700:" + shard:  {"111122223333:orders:1700", shard, "111122223333_orders_1700/" + shard},
		"111122223333:a_1.b-c:1700:" + shard: {"111122223333:a_1.b-c:1700", shard, "111122223333_a_1.b-c_1700/" + shard},
		"111122223333:..:1700:" + shard:      {"111122223333:..:1700", shard, "111122223333_.._1700/" + shard},
		// Where upper and lower case are one, letters tell them apart all the same.
		"1:ORDERS:1700:" + shard:         {"1:ORDERS:1700", shard, "1_ORDERS_1700.3f/" + shard},
		"1:orderS.a:1700:" + shard:       {"1:orderS.a:1700", shard, "1_orderS.a_1700.20/" + shard},
		"1:" + long + "X:1:" + shard:     {"", "1:" + long + "X:1:" + shard, ""}, // no stream has so long a name
		"1:" + long[1:] + "X:1:" + shard: {"1:" + long[1:] + "X:1", shard, "1_" + long[1:] + "X_1.8" + strings.Repeat("0", 31) + "/" + shard},

		"":                                     {"", "", ""},
		".":                                    {"", ".", ""},
		"..":                                   {"", "..", ""},
		"../x":                                 {"", "../x", ""},
		"a/b":                                  {"", "a/b", ""},
		`a\b`:                                  {"", `a\b`, ""},
		"/":                                    {"", "/", ""},
		"a.":                                   {"", "a.", ""}, // Windows takes it for a
		"a ":                                   {"", "a ", ""},
		"a\x00b":                               {"", "a\x00b", ""},
		"a\nb":                                 {"", "a\nb", ""},
		"a\x1b[2J":                             {"", "a\x1b[2J", ""},
		"a\xff":                                {"", "a\xff", ""},
		"schärd":                               {"", "schärd", ""},
		"a\u202eb":                             {"", "a\u202eb", ""},
		long + "x":                             {"", long + "x", ""},
		"SHARDID-000000000000":                 {"", "SHARDID-000000000000", ""},
		"shardid-000000000000":                 {"", "shardid-000000000000", ""},
		"shardId-00000000000A":                 {"", "shardId-00000000000A", ""},
		"nul":                                  {"", "nul", ""},
		"com1.x":                               {"", "com1.x", ""},
		"1:orders:1700:aux":                    {"1:orders:1700", "aux", ""},
		":" + shard:                            {"", ":" + shard, ""}, // not the key of shard
		"1:orders:1700:":                       {"1:orders:1700", "", ""},
		"1:orders:1700:..":                     {"1:orders:1700", "..", ""},
		"1:orders:1700:../../x":                {"1:orders:1700", "../../x", ""},
		"..:" + shard:                          {"", "..:" + shard, ""},
		"orders:" + shard:                      {"", "orders:" + shard, ""},
		"1:../../etc:1700:" + shard:            {"", "1:../../etc:1700:" + shard, ""},
		"1:a/b:1700:" + shard:                  {"", "1:a/b:1700:" + shard, ""},
		"1::1700:" + shard:                     {"", "1::1700:" + shard, ""},
		"1:orders:" + shard:                    {"", "1:orders:" + shard, ""},
		"1:2:orders:1700:" + shard:             {"", "1:2:orders:1700:" + shard, ""},
		"x:orders:1700:" + shard:               {"", "x:orders:1700:" + shard, ""},
		"1:orders:170x:" + shard:               {"", "1:orders:170x:" + shard, ""},
		"1:orders\n:1700:" + shard:             {"", "1:orders\n:1700:" + shard, ""},
		"1_orders:1700:" + shard:               {"", "1_orders:1700:" + shard, ""},
		"111122223333:orders:1700\n:" + shard:  {"", "111122223333:orders:1700\n:" + shard, ""},
		"111122223333:orders:1700:shard:Id-00": {"", "111122223333:orders:1700:shard:Id-00", ""},
	} {
		if stream, shardID := SplitLeaseKey(key); stream != want.stream || shardID != want.shardID {
			t.Errorf("%q is split into %q and %q, want %q and %q", key, stream, shardID, want.stream, want.shardID)
		}
		file, err := LeaseFile(key)
		if filepath.ToSlash(file) != want.file || (err == nil) != (want.file != "") {
			t.Errorf("%q: file %q, error %v; want %q, and an error when that is empty", key, file, err, want.file)
		}
		if err != nil && strings.ContainsFunc(err.Error(), func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("the error has control characters: %q", err.Error())
		}
	}
}

// A key's file is in the folder, at most one below, and no other key has it, on a
// file system that takes upper and lower case for one either.
//
// Guarantee: LeaseFile never returns a path that leads out of the folder it is joined to.
func FuzzLeaseFile(f *testing.F) {
	f.Add("111122223333:orders:1700000000:shardId-000000000000", "111122223333:Orders:1700000000:shardId-000000000000")
	f.Add("1:A_1700:1:s", "1:a:1700:s")
	f.Add("shardId-000000000000", "SHARDID-000000000000")
	f.Add("1:../../etc:2:passwd", "con")
	f.Fuzz(func(t *testing.T, key, other string) {
		stream, shardID := SplitLeaseKey(key)
		if joined := stream + ":" + shardID; joined != key && joined != ":"+key {
			t.Errorf("%q is split into %q and %q, which are not its parts", key, stream, shardID)
		}
		file, err := LeaseFile(key)
		if err != nil {
			return
		}
		for part := range strings.SplitSeq(file, string(filepath.Separator)) {
			if !filepath.IsLocal(part) || filepath.Base(part) != part || part == "." || len(part) > 250 || strings.HasSuffix(part, ".") ||
				strings.ContainsFunc(part, func(r rune) bool { return r > 'z' || r < '-' || strings.ContainsRune(`/:;<=>?@[\]^`+"`", r) }) {
				t.Errorf("%q of %q is not a safe file name", part, file)
			}
		}
		if strings.Count(file, string(filepath.Separator)) > 1 {
			t.Errorf("%q is more than one folder deep", file)
		}
		for _, other := range []string{other, strings.ToLower(key), strings.ToUpper(key), strings.ReplaceAll(key, "_", ":")} {
			if same, err := LeaseFile(other); err == nil && other != key && strings.EqualFold(file, same) {
				t.Errorf("%q and %q have the same file, %q", key, other, file)
			}
		}
	})
}

// What the host says of the lease is what the processor, errors and log have.
//
// Guarantee: Shards of several streams that have the same ID are told apart.
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
		}, &Options{Logger: log})
		d.Do(c.shard.Initialize())
		err := d.Begin(batch("1")).Wait()
		if got != c.want || !strings.Contains(text.String(), " "+c.log+" ") || strings.Contains(text.String(), "stream=") != strings.HasPrefix(c.log, "stream=") {
			t.Errorf("%s: got %s, want %s; the log, which should have %q:\n%s", name, got, c.want, c.log, &text)
		}
		if err == nil || !strings.Contains(err.Error(), "processor: "+c.error+": processRecords failed: disk full") {
			t.Errorf("%s: error %v, want one about %s", name, err, c.error)
		}
	}
}
