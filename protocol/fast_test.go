package protocol

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func batchOf(record string) string {
	return `{"action":"processRecords","records":[{"sequenceNumber":"1"},` + record + `],"millisBehindLatest":7}`
}

// taken are lines that the fast path must take.
var taken = []string{
	`{"action":"leaseLost"}`,
	`{"action":"shardEnded"}`,
	`{"action":"shutdownRequested"}`,
	`{"action":"shutdown","reason":"ZOMBIE"}`,
	`{"action":"status","responseFor":"initialize"}`,
	`{"responseFor":"initialize","action":"status"}`,
	`{"action":"initialize","shardId":"s","sequenceNumber":"TRIM_HORIZON","subSequenceNumber":0}`,
	`{"action":"initialize","shardId":"sch\u00fcssel","sequenceNumber":null,"subSequenceNumber":null}`,
	`{"subSequenceNumber":-999999999999999999,"error":null,"sequenceNumber":"12","action":"checkpoint"}`,
	`{"action":"checkpoint","sequenceNumber":"12","subSequenceNumber":3,"error":"a \"quoted\" \\ \/ \b\f\n\r\t one"}`,
	`{"action":"processRecords","records":[],"millisBehindLatest":null}`,
	`{"millisBehindLatest":999999999999999999,"records":[{}],"action":"processRecords"}`,
	batchOf(`{"data":"aGVsbG8=","partitionKey":"k","sequenceNumber":"2","approximateArrivalTimestamp":1700000000123,"subSequenceNumber":4,"action":"record"}`),
	batchOf(`{"action":"record","subSequenceNumber":null,"approximateArrivalTimestamp":null,"sequenceNumber":"3","partitionKey":null,"data":null}`),
	batchOf(`{"data":"","partitionKey":"","sequenceNumber":"3"}`),
	batchOf(`{"data":"","approximateArrivalTimestamp":-1,"sequenceNumber":"x"}`),
	batchOf(`{"sequenceNumber":"3","partitionKey":"\ud83d\ude00 \uD83D\uDE00 😀 \u0000 ü ` + "\u2028\u007f" + `"}`),
	batchOf(`{"sequenceNumber":"3","data":"//79+w=="},{"sequenceNumber":"4","data":"//79+w9="},{"sequenceNumber":"5","data":"//79+w9/AAAAAAAA"}`),
}

// declined are lines that are encoding/json's business, for right or wrong.
var declined = []string{
	``, `{`, `[]`, `null`, `7`, `"x"`, `{}`, `{}{}`, `{"action"`, `{"action":`, `{"action":"leaseLost"`,
	`{"action":"leaseLost"}}`, `{"action":"leaseLost",}`, `{,"action":"leaseLost"}`, `{"action":"leaseLost"]`,
	`{"action": "leaseLost"}`, `{ "action":"leaseLost"}`, `{"action":"leaseLost" }`,
	`{"Action":"leaseLost"}`, `{"action":"lease\u004cost"}`, `{"action":"fly"}`, `{"action":null}`, `{"action":7}`,
	`{"action":"leaseLost","action":"shardEnded"}`, `{"action":"leaseLost","new":1}`,
	`{"action":"leaseLost","records":[]}`, `{"action":"processRecords"}`, `{"action":"processRecords","records":null}`,
	`{"action":"processRecords","records":[}`, `{"action":"processRecords","records":[{},]}`, `{"action":"processRecords","records":[{}{}]}`,
	`{"action":"processRecords","records":[null]}`, `{"action":"processRecords","records":{}}`,
	`{"action":"processRecords","records":[],"records":[{}]}`,
	`{"action":"processRecords","records":[],"millisBehindLatest":1.5}`, `{"action":"processRecords","records":[],"millisBehindLatest":1e3}`,
	`{"action":"processRecords","records":[],"millisBehindLatest":01}`, `{"action":"processRecords","records":[],"millisBehindLatest":-}`,
	`{"action":"processRecords","records":[],"millisBehindLatest":"1"}`, `{"action":"processRecords","records":[],"millisBehindLatest":nul}`,
	`{"action":"processRecords","records":[],"millisBehindLatest":1000000000000000000}`,
	`{"action":"processRecords","records":[],"millisBehindLatest":9223372036854775808}`,
	`{"action":"status","responseFor":"\x"}`, `{"action":"status","responseFor":"\u12"}`, `{"action":"status","responseFor":"\u+123"}`,
	`{"action":"status","responseFor":"\ud83d"}`, `{"action":"status","responseFor":"\ud83d\ud83d"}`, `{"action":"status","responseFor":"\ude00\ud83d"}`,
	`{"action":"status","responseFor":"\ud83dxxxxxx"}`, `{"action":"status","responseFor":"\`, `{"action":"status","responseFor":"x`,
	"{\"action\":\"status\",\"responseFor\":\"a\tb\"}", "{\"action\":\"status\",\"responseFor\":\"\\\t\"}", "{\"action\":\"status\",\"responseFor\":\"\xff\"}",
	batchOf(`{"data":"AAA"}`), batchOf(`{"data":"AAAA="}`), batchOf(`{"data":"A==="}`), batchOf(`{"data":"===="}`), batchOf(`{"data":"AA=A"}`),
	batchOf(`{"data":"AA==AAAA"}`), batchOf(`{"data":"AAAAAAAAAAAA-AAA"}`), batchOf(`{"data":"AAAAAAAAAAAAAAA\/"}`), batchOf(`{"data":"QUJD\u0051UJD"}`),
	batchOf("{\"data\":\"AAA\rAAAAAAAA\"}"), batchOf("{\"data\":\"\r\r\r\r\"}"), batchOf("{\"data\":\"A\xc3\xbcAAAAAAAAAAA\"}"), batchOf(`{"data":7}`), batchOf(`{"data":[1]}`),
	batchOf(`{"action":"leaseLost"}`), batchOf(`{"action":null}`), batchOf(`{"partitionKey":7}`), batchOf(`{"data":"","data":""}`),
	batchOf(`{"PartitionKey":"k"}`), batchOf(`{"sequenceNumber":1}`), batchOf(`{"approximateArrivalTimestamp":"1"}`),
}

func TestFastTakes(t *testing.T) {
	for _, line := range taken {
		if !alike(t, line) {
			t.Errorf("declined %s", line)
		}
	}
	golden, err := os.ReadFile(filepath.Join("testdata", "daemon.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(golden)) {
		if !alike(t, strings.TrimSpace(line)) {
			t.Errorf("declined what a daemon wrote: %s", line)
		}
	}
}

func TestFastDeclines(t *testing.T) {
	for _, line := range declined {
		if alike(t, line) {
			t.Errorf("took %q", line)
		}
	}
	// Cut anywhere, a line is none of the daemon's.
	for _, line := range taken {
		for n := range len(line) {
			if alike(t, line[:n]) {
				t.Errorf("took %s", line[:n])
			}
		}
	}
}

// alike reports whether the fast path takes line, and fails the test if it does
// and encoding/json does not make the same of it.
func alike(t *testing.T, line string) bool {
	t.Helper()
	var d fastDecoder
	fast, ok := d.fast([]byte(line))
	if !ok {
		return false
	}
	slow, bad := slow([]byte(line))
	if bad != nil {
		t.Fatalf("took %q, which encoding/json refuses: %v", line, bad)
	}
	if !reflect.DeepEqual(fast, slow) {
		t.Fatalf("%q\nfast %#v\nslow %#v", line, fast, slow)
	}
	return true
}

// FuzzDecode shows that the fast path may decline but never differs.
func FuzzDecode(f *testing.F) {
	for _, line := range append(taken, declined...) {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) { alike(t, line) })
}

// FuzzBase64 shows the same for data, at every length and place.
func FuzzBase64(f *testing.F) {
	for n := range 40 {
		f.Add(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xfb, 0xff, 0x00}, n)[:n]), uint8(n))
	}
	f.Add("AAA\rAAAAAAAA", uint8(0))
	f.Add("AAAAAAAAAAAAAAB=", uint8(3))
	f.Fuzz(func(t *testing.T, src string, room uint8) {
		n := decodedLen([]byte(src))
		dst := make([]byte, n+int(room))
		if !decodeBase64(dst, []byte(src), n) {
			if _, err := base64.StdEncoding.DecodeString(src); err == nil && !strings.ContainsAny(src, "\r\n") {
				t.Fatalf("refused %q", src)
			}
			return
		}
		if want, err := base64.StdEncoding.DecodeString(src); err != nil || !bytes.Equal(dst[:n], want) {
			t.Fatalf("%q: got %x, want %x, %v", src, dst[:n], want, err)
		}
	})
}
