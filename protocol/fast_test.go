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

// taken are lines that the fast path must decode.
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

// declined are lines, valid or not, that the fast path must leave to
// encoding/json.
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

// Guarantee: Lines as the daemon writes them are decoded by a fast path.
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

// Guarantee: The fast path may decline a line, which encoding/json then decodes.
func TestFastDeclines(t *testing.T) {
	for _, line := range declined {
		if alike(t, line) {
			t.Errorf("took %q", line)
		}
	}
	// The daemon writes no line that is cut short.
	for _, line := range taken {
		for n := range len(line) {
			if alike(t, line[:n]) {
				t.Errorf("took %s", line[:n])
			}
		}
	}
}

// alike reports whether the fast path takes line. It fails the test if
// encoding/json decodes it differently.
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

// TestPlain puts each byte at each place, in the part that is read eight bytes at
// a time and in the rest.
func TestPlain(t *testing.T) {
	for place := range 20 {
		for b := range 256 {
			s := bytes.Repeat([]byte{'x'}, 20)
			s[place] = byte(b)
			want := 20
			if b < ' ' || b == '"' || b == '\\' || b > 0x7f {
				want = place
			}
			if got := plain(s); got != want {
				t.Fatalf("byte %#x at %d: %d plain bytes, want %d", b, place, got, want)
			}
			copy(s[place+1:], "\"\\\x00\xff") // what follows does not count
			if got := plain(s); want == place && got != want {
				t.Fatalf("byte %#x at %d: %d plain bytes, want %d", b, place, got, want)
			}
		}
	}
}

// TestBase64 decodes data of every length into buffers of different sizes, the
// exact one included, and finds every byte that is not base64, wherever it is.
func TestBase64(t *testing.T) {
	for n := range 40 {
		want := make([]byte, n)
		for i := range want {
			want[i] = byte(0xfb + 7*i)
		}
		src := []byte(base64.StdEncoding.EncodeToString(want))
		if got := decodedLen(src); got != n {
			t.Fatalf("%s: length %d, want %d", src, got, n)
		}
		for room := range 10 {
			dst := make([]byte, n+room)
			if !decodeBase64(dst, src, n) || !bytes.Equal(dst[:n], want) {
				t.Fatalf("%s, %d bytes to spare: got %x, want %x", src, room, dst[:n], want)
			}
		}
		for i := range src {
			good := src[i]
			for b := range 256 {
				src[i] = byte(b)
				sameAsStandard(t, src, 8)
			}
			src[i] = good
		}
	}
}

// sameAsStandard decodes src and compares with encoding/base64, which accepts line
// breaks that JSON strings cannot have.
func sameAsStandard(t *testing.T, src []byte, room int) {
	t.Helper()
	n := decodedLen(src)
	dst := make([]byte, n+room)
	ok := decodeBase64(dst, src, n)
	want, err := base64.StdEncoding.DecodeString(string(src))
	if takes := err == nil && !bytes.ContainsAny(src, "\r\n"); ok != takes {
		t.Fatalf("%q: taken %v, want %v (%v)", src, ok, takes, err)
	}
	if ok && !bytes.Equal(dst[:n], want) {
		t.Fatalf("%q: got %x, want %x", src, dst[:n], want)
	}
}

// Guarantee: A line that the fast path takes is decoded exactly as encoding/json
// decodes it.
func FuzzDecode(f *testing.F) {
	for _, line := range append(taken, declined...) {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) { alike(t, line) })
}

// Guarantee: A line that the fast path takes is decoded exactly as encoding/json
// decodes it.
func FuzzBase64(f *testing.F) {
	f.Add([]byte("AAA\rAAAAAAAA"), uint8(0))
	f.Add([]byte("AAAAAAAAAAAAAAB="), uint8(3))
	f.Fuzz(func(t *testing.T, src []byte, room uint8) { sameAsStandard(t, src, int(room)) })
}
