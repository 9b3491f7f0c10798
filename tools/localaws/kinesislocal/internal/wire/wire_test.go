package wire

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal/internal/core"
)

// serve sends one request to a service with a stream s of two shards.
func serve(h *Handler, operation, contentType string, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("X-Amz-Target", targetPrefix+operation)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func newHandler(tb testing.TB) *Handler {
	tb.Helper()
	const account = "000000000000"
	s := core.New(nil)
	if err := s.AccountOf(account, "CreateStream").CreateStream(core.NewStream{Name: "s", ShardCount: 2}); err != nil {
		tb.Fatal(err)
	}
	return NewHandler(s, account, NewFaults(), slog.New(slog.DiscardHandler))
}

func FuzzRequests(f *testing.F) {
	bodies := []string{
		`{}`, `null`, `[]`, ``,
		`{"StreamName":"s","ShardCount":3,"StreamModeDetails":{"StreamMode":"PROVISIONED"}}`,
		`{"StreamName":"s","ShardFilter":{"Type":"AT_TIMESTAMP","Timestamp":1700000000.5}}`,
		`{"StreamName":"s","Records":[{"Data":"AAEC","PartitionKey":"k","ExplicitHashKey":"17"},null]}`,
		`{"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s","Data":"AAEC","PartitionKey":"k"}`,
		`{"StreamName":"s","ShardId":"shardId-000000000000","ShardIteratorType":"AT_TIMESTAMP","Timestamp":17}`,
		`{"StreamName":"s","ShardToSplit":"shardId-000000000000","NewStartingHashKey":"1000"}`,
		`{"StreamName":"s","ShardToMerge":"shardId-000000000000","AdjacentShardToMerge":"shardId-000000000001"}`,
		`{"StreamName":"s","TargetShardCount":3,"ScalingType":"UNIFORM_SCALING"}`,
		`{"ShardIterator":"AAAA","Limit":5}`,
		`{"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s","ConsumerName":"c","Tags":{"a":"b"}}`,
		`{"ConsumerARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s/consumer/c:1","ShardId":"shardId-000000000000","StartingPosition":{"Type":"AT_TIMESTAMP","Timestamp":17}}`,
		`{"ResourceARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s","Tags":{"a":"b"},"TagKeys":["a",""]}`,
		`{"StreamName":"s","RetentionPeriodHours":48,"EncryptionType":"KMS","KeyId":"k"}`,
		`{"ResourceARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s","Policy":"{\"Statement\":{}}"}`,
		`{"StreamARN":"arn:aws:kinesis:us-east-1:222222222222:stream/s"}`,
	}
	var names []string
	for name := range operations {
		names = append(names, name)
	}
	slices.Sort(names)
	for i := range names {
		for _, body := range bodies {
			f.Add(uint8(i), false, []byte(body))
			var v any
			if json.Unmarshal([]byte(body), &v) == nil {
				b, err := cbor.Marshal(v)
				if err != nil {
					f.Fatal(err)
				}
				f.Add(uint8(i), true, b)
			}
		}
	}
	f.Fuzz(func(t *testing.T, op uint8, binary bool, body []byte) {
		name, contentType := names[int(op)%len(names)], "application/x-amz-json-1.1"
		decode := json.Unmarshal
		if binary {
			contentType, decode = "application/x-amz-cbor-1.1", cbor.Unmarshal
		}
		w := serve(newHandler(t), name, contentType, body)
		if w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
			t.Fatalf("%s: status %d %s", name, w.Code, w.Body)
		}
		var out map[string]any
		if w.Body.Len() > 0 {
			if err := decode(w.Body.Bytes(), &out); err != nil {
				t.Fatalf("%s: answer %q: %v", name, w.Body, err)
			}
		}
		if w.Code == http.StatusBadRequest && out["__type"] != w.Header().Get("x-amzn-ErrorType") {
			t.Fatalf("%s: error %v", name, out)
		}
	})
}

func TestPanicIsAnInternalFailure(t *testing.T) {
	h := newHandler(t)
	h.service = nil
	w := serve(h, "ListStreams", "application/x-amz-json-1.1", []byte("{}"))
	if w.Code != http.StatusInternalServerError || w.Header().Get("x-amzn-ErrorType") != internalFailure {
		t.Errorf("response %d %s", w.Code, w.Body)
	}
}

func TestBodyTooLarge(t *testing.T) {
	w := serve(newHandler(t), "ListStreams", "application/x-amz-json-1.1", make([]byte, maxBody+1))
	if w.Code != http.StatusBadRequest || w.Header().Get("x-amzn-ErrorType") != serializationException {
		t.Errorf("response %d %s", w.Code, w.Body)
	}
}

func TestTimestamps(t *testing.T) {
	at := timestamp{time.UnixMilli(1700000000123)}
	tag := func(number uint64, v any) []byte {
		b, err := cbor.Marshal(cbor.Tag{Number: number, Content: v})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	number := func(v any) []byte {
		b, err := cbor.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, c := range []struct {
		name  string
		codec codec
		in    []byte
		ok    bool
	}{
		{"JSON seconds", jsonCodec{}, []byte("1700000000.123"), true},
		{"JSON exponent", jsonCodec{}, []byte("1.700000000123e9"), true},
		{"JSON text", jsonCodec{}, []byte(`"1700000000"`), false},
		{"JSON negative", jsonCodec{}, []byte("-1"), false},
		{"JSON too late", jsonCodec{}, []byte("1e12"), false},
		{"CBOR tagged milliseconds", cborCodec{}, tag(1, 1700000000123), true},
		{"CBOR bare milliseconds", cborCodec{}, number(1700000000123), true},
		{"CBOR tagged seconds", cborCodec{}, tag(1, 1700000000.123), true},
		{"CBOR text", cborCodec{}, number("2023"), false},
		{"CBOR another tag", cborCodec{}, tag(7, 1700000000123), false},
		{"CBOR NaN", cborCodec{}, tag(1, math.NaN()), false},
		{"CBOR negative", cborCodec{}, tag(1, -5), false},
	} {
		var got timestamp
		err := c.codec.decode(c.in, &got)
		if (err == nil) != c.ok || c.ok && !got.Equal(at.Time) {
			t.Errorf("%s: %v, error %v", c.name, got, err)
		}
	}
	if b, err := (jsonCodec{}).encode(at); err != nil || string(b) != "1700000000.123" {
		t.Errorf("JSON %s %v", b, err)
	}
	if b, err := (cborCodec{}).encode(at); err != nil || !bytes.Equal(b, tag(1, uint64(1700000000123))) {
		t.Errorf("CBOR %x %v", b, err)
	}
}
