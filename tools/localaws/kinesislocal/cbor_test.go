package kinesislocal_test

import (
	"bytes"
	"encoding/hex"
	"net/http"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal"
)

const cborType = "application/x-amz-cbor-1.1"

// member is a member of a structure. Members are written in their order.
type member struct {
	name  string
	value any
}

// javaCBOR encodes as the SDK for Java does: structures and lists of indefinite
// length, timestamps as tag 1 with milliseconds.
func javaCBOR(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	switch v := v.(type) {
	case []member:
		b.WriteByte(0xbf)
		for _, m := range v {
			b.Write(javaCBOR(t, m.name))
			b.Write(javaCBOR(t, m.value))
		}
		b.WriteByte(0xff)
	case [][]member:
		b.WriteByte(0x9f)
		for _, e := range v {
			b.Write(javaCBOR(t, e))
		}
		b.WriteByte(0xff)
	case time.Time:
		b.WriteByte(0xc1)
		b.Write(javaCBOR(t, v.UnixMilli()))
	default:
		plain, err := cbor.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(plain)
	}
	return b.Bytes()
}

// KCL uses HTTP/2 without TLS or an upgrade.
func TestCBOROverHTTP2(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	s := kinesislocal.StartTest(t, nil)
	client := transport(t, true)
	var got map[string]any
	do := func(operation string, in []member, status int) answer {
		t.Helper()
		a := post(t, client, s.URL(), operation, cborType, javaCBOR(t, in))
		if a.status != status || a.proto != "HTTP/2.0" || a.header.Get("Content-Type") != cborType {
			t.Fatalf("%s: %s %d %v %x", operation, a.proto, a.status, a.header, a.body)
		}
		got = nil
		if len(a.body) > 0 {
			if err := cbor.Unmarshal(a.body, &got); err != nil {
				t.Fatal(err)
			}
		}
		return a
	}
	do("CreateStream", []member{{"StreamName", "s"}, {"ShardCount", 1}}, http.StatusOK)
	do("PutRecords", []member{{"Records", [][]member{
		{{"Data", []byte{0, 1, 255}}, {"PartitionKey", "ü"}},
		{{"Data", []byte{}}, {"PartitionKey", "k"}, {"ExplicitHashKey", "0"}},
	}}, {"StreamName", "s"}}, http.StatusOK)
	if got["FailedRecordCount"] != uint64(0) {
		t.Errorf("put %v", got)
	}
	do("GetShardIterator", []member{{"StreamName", "s"}, {"ShardId", "shardId-000000000000"}, {"ShardIteratorType", "AT_TIMESTAMP"}, {"Timestamp", begin.Add(-time.Second)}}, http.StatusOK)
	do("GetRecords", []member{{"ShardIterator", got["ShardIterator"]}, {"Limit", 1000}}, http.StatusOK)
	records := got["Records"].([]any)
	if len(records) != 2 {
		t.Fatalf("records %v", records)
	}
	first, second := records[0].(map[any]any), records[1].(map[any]any)
	if !reflect.DeepEqual(first["Data"], []byte{0, 1, 255}) || first["PartitionKey"] != "ü" || !reflect.DeepEqual(second["Data"], []byte{}) {
		t.Errorf("records %v", records)
	}
	if got["MillisBehindLatest"] != uint64(0) || got["NextShardIterator"] == nil {
		t.Errorf("response %v", got)
	}
	do("ListShards", []member{{"StreamName", "s"}, {"ShardFilter", []member{{"Type", "AT_TIMESTAMP"}, {"Timestamp", time.Now()}}}}, http.StatusOK)
	if shards := got["Shards"].([]any); len(shards) != 1 {
		t.Errorf("shards %v", shards)
	}
	a := do("DescribeStream", []member{{"StreamName", "none"}}, http.StatusBadRequest)
	if got["__type"] != "ResourceNotFoundException" || a.header.Get("x-amzn-ErrorType") != "ResourceNotFoundException" || got["message"] == nil {
		t.Errorf("error %v, want ResourceNotFoundException", got)
	}
	do("DescribeStream", []member{{"StreamName", 7}}, http.StatusBadRequest)
	if got["__type"] != "SerializationException" {
		t.Errorf("error %v, want SerializationException", got)
	}
	if a := do("DeleteStream", []member{{"StreamName", "s"}}, http.StatusOK); len(a.body) != 0 {
		t.Errorf("body %x, want none", a.body)
	}
}

// The test compares bytes, because decoders disagree about tag 1.
func TestCBORTimestampsAreMilliseconds(t *testing.T) {
	t.Parallel()
	begin := time.Now().UnixMilli()
	s := kinesislocal.StartTest(t, nil)
	client := transport(t, true)
	post(t, client, s.URL(), "CreateStream", cborType, javaCBOR(t, []member{{"StreamName", "s"}, {"ShardCount", 1}}))
	a := post(t, client, s.URL(), "DescribeStreamSummary", cborType, javaCBOR(t, []member{{"StreamName", "s"}}))
	_, after, found := bytes.Cut(a.body, []byte("StreamCreationTimestamp"))
	if !found || len(after) < 10 {
		t.Fatalf("no timestamp in %x", a.body)
	}
	if after[0] != 0xc1 || after[1] != 0x1b { // tag 1, an unsigned integer of 8 bytes
		t.Fatalf("timestamp starts with %x", after[:2])
	}
	var ms int64
	for _, b := range after[2:10] {
		ms = ms<<8 | int64(b)
	}
	if ms < begin || ms > time.Now().UnixMilli() {
		t.Errorf("timestamp %d, now %d", ms, time.Now().UnixMilli())
	}
}

// recordedListShards is ListShards of stream java, AT_TIMESTAMP 1700000000.123.
const recordedListShards = "bf6a53747265616d4e616d65646a6176616b536861726446696c746572bf64547970656c41545f54494d455354414d506954696d657374616d70c11b0000018bcfe5687bffff"

// The request was recorded from the SDK for Java 2.33.0.
func TestCBORRecordedFromJava(t *testing.T) {
	t.Parallel()
	s := kinesislocal.StartTest(t, nil)
	client := transport(t, true)
	post(t, client, s.URL(), "CreateStream", cborType, javaCBOR(t, []member{{"StreamName", "java"}, {"ShardCount", 2}}))
	body, err := hex.DecodeString(recordedListShards)
	if err != nil {
		t.Fatal(err)
	}
	if want := javaCBOR(t, []member{{"StreamName", "java"}, {"ShardFilter", []member{{"Type", "AT_TIMESTAMP"}, {"Timestamp", time.UnixMilli(1700000000123)}}}}); !slices.Equal(body, want) {
		t.Errorf("javaCBOR writes %x, Java %x", want, body)
	}
	a := post(t, client, s.URL(), "ListShards", cborType, body)
	if a.status != http.StatusOK || !bytes.Contains(a.body, []byte("shardId-000000000001")) {
		t.Errorf("response %d %x", a.status, a.body)
	}
}
