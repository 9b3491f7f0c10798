package wire

import (
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// Deep, large and malformed bodies get a quick response that takes no more memory
// than a few times the body.
func TestHostileBodies(t *testing.T) {
	const deep = 100_000
	array := func(items uint32) []byte { // announced, but missing
		return []byte{0xa1, 0x67, 'R', 'e', 'c', 'o', 'r', 'd', 's', 0x9a, byte(items >> 24), byte(items >> 16), byte(items >> 8), byte(items)}
	}
	many, err := cbor.Marshal(map[string]any{"StreamName": "s", "Records": make([]any, 100_000)})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		operation string
		binary    bool
		body      string
	}{
		"nested arrays":             {"PutRecords", false, `{"StreamName":"s","Records":` + strings.Repeat("[", deep) + strings.Repeat("]", deep) + "}"},
		"nested arrays, unknown":    {"PutRecords", false, `{"StreamName":"s","X":` + strings.Repeat("[", deep) + strings.Repeat("]", deep) + "}"},
		"nested objects, not shut":  {"PutRecord", false, strings.Repeat(`{"a":`, deep)},
		"nested CBOR arrays":        {"PutRecords", true, strings.Repeat("\x81", deep) + "\x80"},
		"nested CBOR maps":          {"PutRecords", true, strings.Repeat("\xa1\x61a", deep) + "\xa0"},
		"nested CBOR tags":          {"PutRecords", true, strings.Repeat("\xc1", deep) + "\x00"},
		"endless CBOR":              {"PutRecords", true, strings.Repeat("\x9f", deep)},
		"a CBOR array of 4 billion": {"PutRecords", true, string(array(1<<32 - 1))},
		"CBOR text of 4 GB":         {"PutRecord", true, "\xa1\x64Data\x5a\xff\xff\xff\xff"},
		"CBOR text of 2^64":         {"PutRecord", true, "\xa1\x7b\xff\xff\xff\xff\xff\xff\xff\xff"},
		"many records":              {"PutRecords", true, string(many)},
		"a member twice":            {"DescribeStreamSummary", false, `{"StreamName":"x","StreamName":"s","streamname":"y"}`},
		"two billion shards":        {"CreateStream", false, `{"StreamName":"huge","ShardCount":2147483647}`},
		"two billion shards more":   {"UpdateShardCount", false, `{"StreamName":"s","TargetShardCount":2147483647,"ScalingType":"UNIFORM_SCALING"}`},
		"a huge number":             {"CreateStream", false, `{"StreamName":"huge","ShardCount":1e308}`},
		"a number of many digits":   {"CreateStream", false, `{"StreamName":"huge","ShardCount":` + strings.Repeat("9", deep) + `}`},
		"a late time":               {"GetShardIterator", false, `{"StreamName":"s","ShardId":"shardId-000000000000","ShardIteratorType":"AT_TIMESTAMP","Timestamp":1e308}`},
		"a hash key of many digits": {"PutRecord", false, `{"StreamName":"s","Data":"","PartitionKey":"k","ExplicitHashKey":"` + strings.Repeat("9", deep) + `"}`},
		"a long sequence number":    {"GetShardIterator", false, `{"StreamName":"s","ShardId":"shardId-000000000000","ShardIteratorType":"AT_SEQUENCE_NUMBER","StartingSequenceNumber":"` + strings.Repeat("9", deep) + `"}`},
		"a long shard number":       {"SplitShard", false, `{"StreamName":"s","ShardToSplit":"shardId-` + strings.Repeat("9", deep) + `","NewStartingHashKey":"1"}`},
		"a long name":               {"CreateStream", false, `{"StreamName":"` + strings.Repeat("a", deep) + `","ShardCount":1}`},
		"no UTF-8":                  {"PutRecord", false, "{\"StreamName\":\"s\",\"Data\":\"\",\"PartitionKey\":\"\xff\xfe\"}"},
		"a deep policy":             {"PutResourcePolicy", false, `{"ResourceARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s","Policy":"` + strings.Repeat(`{\"Statement\":`, deep/20) + `"}`},
		"an iterator of nothing":    {"GetRecords", false, `{"ShardIterator":"` + strings.Repeat("A", deep) + `"}`},
	} {
		h := newHandler(t)
		contentType := "application/x-amz-json-1.1"
		if c.binary {
			contentType = "application/x-amz-cbor-1.1"
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		w := serve(h, c.operation, contentType, []byte(c.body))
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		allocated := after.TotalAlloc - before.TotalAlloc
		if w.Code >= http.StatusInternalServerError || took > 5*time.Second || allocated > 32<<20 || w.Body.Len() > 4000 {
			t.Errorf("%s: status %d in %v, %d kB allocated, %d bytes: %.200s", name, w.Code, took, allocated>>10, w.Body.Len(), w.Body)
		}
	}
}
