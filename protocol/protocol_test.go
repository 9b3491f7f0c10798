package protocol

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

var arrival = time.UnixMilli(1700000000123).UTC()

// conversation has each message, and its unusual forms.
var conversation = []Message{
	Initialize{ShardID: "shardId-000000000000", Position: Position{SequenceNumber: TrimHorizon}},
	Initialize{ShardID: "shardId-000000000001", Position: Position{"49590338271490256608559692538361571095921575989136588898", 3}},
	Initialize{ShardID: "shardId-000000000002"},
	ProcessRecords{Records: []Record{}, MillisBehindLatest: UnknownLag},
	ProcessRecords{
		MillisBehindLatest: 0,
		Records: []Record{
			{Data: []byte("hello"), PartitionKey: "key", SequenceNumber: "1", ApproximateArrivalTimestamp: arrival},
			{Data: []byte{0, 0xff, '\n', '<'}, PartitionKey: "schlüssel \u2028 \"quoted\" <&>", SequenceNumber: "1", SubSequenceNumber: 1, ApproximateArrivalTimestamp: arrival},
			{Data: []byte{}, SequenceNumber: strings.Repeat("9", 56)},
			{SequenceNumber: "18446744073709551617"},
		},
	},
	Checkpoint{},
	Checkpoint{Position: Position{"18446744073709551617", 7}},
	Checkpoint{Position: Position{"18446744073709551617", 7}, Error: "ThrottlingException"},
	LeaseLost{},
	ShardEnded{},
	ShutdownRequested{},
	Shutdown{Reason: ReasonZombie},
	Status{ResponseFor: ActionInitialize},
}

func TestGoldenTranscript(t *testing.T) {
	var wire bytes.Buffer
	w := NewWriter(&wire)
	for _, m := range conversation {
		if err := w.Write(m); err != nil {
			t.Fatal(err)
		}
	}
	golden := filepath.Join("testdata", "conversation.jsonl")
	if *update {
		if err := os.WriteFile(golden, wire.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(wire.Bytes(), want) {
		t.Errorf("the wire differs from %s; got:\n%s", golden, wire.Bytes())
	}
	expect(t, readAll(t, bytes.NewReader(want)), conversation)
}

// TestDaemonTranscript reads what a MultiLangDaemon 3.1.3 wrote to the sample
// consumer, recorded byte for byte.
func TestDaemonTranscript(t *testing.T) {
	f, err := os.Open(filepath.Join("testdata", "daemon.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const first, second = "49680478726952299305326788824476454153481705858288058370", "49680478726952299305326788824477663079301320487462764546"
	at := time.UnixMilli(1795403623128).UTC()
	expect(t, readAll(t, f), []Message{
		Initialize{ShardID: "shardId-000000000000", Position: Position{SequenceNumber: TrimHorizon}},
		ProcessRecords{MillisBehindLatest: 0, Records: []Record{
			{Data: []byte("hello"), PartitionKey: "1", SequenceNumber: first, ApproximateArrivalTimestamp: at},
			{Data: []byte("wörld"), PartitionKey: "2", SequenceNumber: second, ApproximateArrivalTimestamp: at},
		}},
		Checkpoint{Position: Position{SequenceNumber: second}},
		ShutdownRequested{},
		Checkpoint{Position: Position{SequenceNumber: second}},
		LeaseLost{},
	})
}

func expect(t *testing.T, got, want []Message) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("message %d:\n got %#v\nwant %#v", i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %d messages, want %d", len(got), len(want))
	}
}

func readAll(t *testing.T, in io.Reader) (all []Message) {
	t.Helper()
	r := NewReader(in, nil)
	for {
		m, err := r.Read()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatalf("after %d messages: %v", len(all), err)
		}
		all = append(all, m)
	}
}

// Guarantee: The clean end of the input is io.EOF; an end within a line is
// io.ErrUnexpectedEOF.
func TestReaderEnds(t *testing.T) {
	const good = `{"action":"leaseLost"}` + "\n"
	for _, tc := range []struct {
		name, in string
		messages int
		want     error
	}{
		{"nothing", "", 0, io.EOF},
		{"blank lines", "\n\r\n \n", 0, io.EOF},
		{"blanks without a line end", "\n  ", 0, io.EOF},
		{"after a message", good, 1, io.EOF},
		{"carriage returns", "{\"action\":\"leaseLost\"}\r\n", 1, io.EOF},
		{"in a line", good + `{"action":"lea`, 1, io.ErrUnexpectedEOF},
		{"a whole message without a line end", good + `{"action":"leaseLost"}`, 1, io.ErrUnexpectedEOF},
	} {
		for _, slow := range []bool{false, true} {
			var in io.Reader = strings.NewReader(tc.in)
			if slow {
				in = iotest.OneByteReader(in)
			}
			r, n := NewReader(in, nil), 0
			_, err := r.Read()
			for ; err == nil; _, err = r.Read() {
				n++
			}
			if !errors.Is(err, tc.want) || n != tc.messages || tc.want == io.EOF && err != io.EOF {
				t.Errorf("%s (slow %v): %d messages, then %v; want %d, then %v", tc.name, slow, n, err, tc.messages, tc.want)
			}
		}
	}
	if _, err := NewReader(iotest.ErrReader(os.ErrDeadlineExceeded), nil).Read(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("an error of the underlying reader: got %v", err)
	}
}

// Guarantee: After a *MalformedError the next line can be read.
func TestReaderGoesOnAfterMalformed(t *testing.T) {
	r := NewReader(strings.NewReader("\nhello, I am a stray print\n{\"action\":\"fly\"}\n\n{\"action\":\"leaseLost\"}\n"), nil)
	for _, line := range []int{2, 3} {
		var bad *MalformedError
		if _, err := r.Read(); !errors.As(err, &bad) || bad.Line != line {
			t.Errorf("want a malformed line %d, got %v", line, err)
		}
	}
	if m, err := r.Read(); err != nil || m != (LeaseLost{}) {
		t.Errorf("got %v, %v; want leaseLost", m, err)
	}
}

// Guarantee: A line that is not a message gives a *MalformedError, which says what
// is wrong and where, and never what a record held.
func TestMalformed(t *testing.T) {
	record := func(fields string) string {
		return `{"action":"processRecords","millisBehindLatest":1,"records":[{"sequenceNumber":"1"},{` + fields + `}]}`
	}
	for _, tc := range []struct{ in, want string }{
		{`{`, "not JSON from byte 1"},
		{`[]`, "a JSON array where an object is expected"},
		{`7`, "a JSON number where an object is expected"},
		{`null`, `no "action"`},
		{`{}`, `no "action"`},
		{`{"action":"fly"}`, `"action" is not one of the protocol's`},
		{`{"action":null}`, `no "action"`},
		{`{"action":"initialize"}`, `(initialize): no "shardId"`},
		{`{"action":"initialize","shardId":"s","sequenceNumber":"x1"}`, "not a position"},
		{`{"action":"initialize","shardId":"s","sequenceNumber":""}`, `"sequenceNumber" is empty`},
		{`{"action":"initialize","shardId":"s","sequenceNumber":"1","subSequenceNumber":-1}`, "not a position"},
		{`{"action":"initialize","shardId":"s","sequenceNumber":1}`, `a JSON number is not valid for "sequenceNumber"`},
		{`{"action":"processRecords"}`, `no "records"`},
		{`{"action":"processRecords","records":null}`, `no "records"`},
		{record(`"sequenceNumber":"x"`), `records[1]: "sequenceNumber"`},
		{record(``), `records[1]: "sequenceNumber"`},
		{record(`"sequenceNumber":"SHARD_END"`), `records[1]: "sequenceNumber"`},
		{record(`"sequenceNumber":"1","subSequenceNumber":-1`), `records[1]: "sequenceNumber" and "subSequenceNumber"`},
		{record(`"sequenceNumber":"1","action":"leaseLost"`), `records[1]: "action" is not "record"`},
		{record(`"sequenceNumber":"1","data":"*"`), `not base64 from its byte 0`},
		{record(`"sequenceNumber":"1","data":7`), `a JSON number is not valid for`},
		{`{"action":"checkpoint","subSequenceNumber":1}`, `"subSequenceNumber" without "sequenceNumber"`},
		{`{"action":"checkpoint","sequenceNumber":"-1"}`, "(checkpoint)"},
		{`{"action":"shutdown"}`, `no "reason"`},
		{`{"action":"status"}`, `no "responseFor"`},
		{`{"action":"shardEnded","x":` + strings.Repeat("[", 1e6) + strings.Repeat("]", 1e6) + "}", "not JSON from byte"},
		{strings.Repeat(`{"action":`, 1e5), "not JSON from byte"},
		{record(`"sequenceNumber":"1","subSequenceNumber":9223372036854775808`), "a JSON number is not valid for"},
		{record(`"sequenceNumber":"1","subSequenceNumber":1e999999999`), "a JSON number is not valid for"},
		{record(`"sequenceNumber":"1","approximateArrivalTimestamp":` + strings.Repeat("9", 1e6)), "a JSON number is not valid for"},
		{`{"action":"leaseLost","action":"fly"}`, `"action" is not one of the protocol's`},
		{"{\"action\":\"leaseLost\xff\"}", `"action" is not one of the protocol's`},
		{"{\"action\":\"leaseLost\x00\"}", "not JSON from byte"},
		{"\xef\xbb\xbf" + `{"action":"leaseLost"}`, "not JSON from byte"},
	} {
		_, err := NewReader(strings.NewReader(tc.in+"\n"), nil).Read()
		var bad *MalformedError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), tc.want) || bad.Line != 1 {
			t.Errorf("%.200s\n got %v\nwant ... %s", tc.in, err, tc.want)
		}
	}
}

// Guarantee: A line that is not a message gives a *MalformedError, which says what
// is wrong and where, and never what a record held.
func TestMalformedHidesData(t *testing.T) {
	const secret = "c2VjcmV0"
	for _, in := range []string{
		`{"action":"processRecords","records":[{"data":"` + secret + `*","sequenceNumber":"1"}]}`,
		`{"action":"processRecords","records":[{"data":{"` + secret + `":1},"sequenceNumber":"1"}]}`,
		`{"action":"processRecords","records":[{"data":"` + secret + `","sequenceNumber":"` + secret + `"}]}`,
		`{"action":"processRecords","records":[{"partitionKey":"` + secret + `","sequenceNumber":1e` + "7" + `}]}`,
		`{"action":"processRecords","records":[{"subSequenceNumber":"` + secret + `"}]}`,
		`{"action":"processRecords","records":"` + secret + `"}`,
		`{"action":"` + secret + `"}`,
		`{"action":"status","responseFor":{"` + secret + `":[]}}`,
		secret,
		`"` + secret + `"`,
	} {
		_, err := NewReader(strings.NewReader(in+"\n"), nil).Read()
		if err == nil || strings.Contains(err.Error(), "c2Vj") {
			t.Errorf("%s: the error tells what the record held, or there is none: %v", in, err)
		}
	}
	_, err := NewReader(strings.NewReader(`{"data":"`+secret), nil).Read()
	if err == nil || strings.Contains(err.Error(), "c2Vj") {
		t.Errorf("a cut line: %v", err)
	}
}

func TestUnknownFieldsAreIgnored(t *testing.T) {
	m, err := NewReader(strings.NewReader(`{"new":{"x":[1]},"action":"shardEnded"}`+"\n"), nil).Read()
	if err != nil || m != (ShardEnded{}) {
		t.Errorf("got %v, %v", m, err)
	}
}

func TestLongLines(t *testing.T) {
	data := bytes.Repeat([]byte{0x5a, 0xff, 0x00}, 11<<20/3)
	big := ProcessRecords{Records: []Record{{Data: data, PartitionKey: "k", SequenceNumber: "5"}}}
	var wire bytes.Buffer
	w := NewWriter(&wire)
	for _, m := range []Message{big, LeaseLost{}} {
		if err := w.Write(m); err != nil {
			t.Fatal(err)
		}
	}
	if wire.Len() < 14<<20 {
		t.Fatalf("the line should pass 14 MB, has %d bytes", wire.Len())
	}
	expect(t, readAll(t, &wire), []Message{big, LeaseLost{}})
}

// Guarantee: A message that Read returned does not change when more messages are
// read.
func TestReaderKeepsNothing(t *testing.T) {
	line := func(b byte) string {
		return `{"action":"processRecords","records":[{"data":"` + strings.Repeat(string([]byte{b, b, b, b}), 50_000) + `","sequenceNumber":"1"}]}` + "\n"
	}
	r := NewReader(strings.NewReader(line('A')+line('/')), nil)
	first, err := r.Read()
	if err != nil {
		t.Fatal(err)
	}
	before := bytes.Clone(first.(ProcessRecords).Records[0].Data)
	if _, err := r.Read(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, first.(ProcessRecords).Records[0].Data) {
		t.Error("the second Read changed what the first returned")
	}
}

// Guarantee: Each message is written as newline, JSON, newline in one call of
// Write, so that it is intact after output that did not end with a newline.
func TestWriterSurvivesPollution(t *testing.T) {
	var wire bytes.Buffer
	wire.WriteString("a print without a line end")
	if err := NewWriter(&wire).Write(Status{ResponseFor: ActionInitialize}); err != nil {
		t.Fatal(err)
	}
	wire.WriteString("another")
	lines := strings.Split(wire.String(), "\n")
	if lines[1] != `{"action":"status","responseFor":"initialize"}` || lines[2] != "another" {
		t.Errorf("got %q", lines)
	}
}

// onePerMessage keeps each Write.
type onePerMessage struct{ writes [][]byte }

func (w *onePerMessage) Write(p []byte) (int, error) {
	w.writes = append(w.writes, bytes.Clone(p))
	return len(p), nil
}

// Guarantee: Each message is written as newline, JSON, newline in one call of
// Write, so that it is intact after output that did not end with a newline.
func TestWriterWritesOnce(t *testing.T) {
	var out onePerMessage
	w := NewWriter(&out)
	for _, m := range conversation {
		if err := w.Write(m); err != nil {
			t.Fatal(err)
		}
	}
	if len(out.writes) != len(conversation) {
		t.Fatalf("%d writes for %d messages", len(out.writes), len(conversation))
	}
	for _, p := range out.writes {
		if p[0] != '\n' || p[len(p)-1] != '\n' || bytes.Count(p, []byte("\n")) != 2 {
			t.Errorf("not newline, JSON, newline: %q", p)
		}
	}
}

func TestWriterRefuses(t *testing.T) {
	for _, m := range []Message{
		nil,
		Initialize{},
		Initialize{ShardID: "s", Position: Position{SubSequenceNumber: 4}},
		ProcessRecords{Records: []Record{{SequenceNumber: ""}}},
		Checkpoint{Position: Position{SequenceNumber: "12a"}},
		Checkpoint{Position: Position{SequenceNumber: "12", SubSequenceNumber: -1}},
		Status{},
		Shutdown{},
	} {
		var wire bytes.Buffer
		err := NewWriter(&wire).Write(m)
		var bad *MalformedError
		if !errors.As(err, &bad) || wire.Len() != 0 {
			t.Errorf("%#v: got %v and %d bytes", m, err, wire.Len())
		}
	}
	if err := NewWriter(failing{}).Write(LeaseLost{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the underlying error is lost: %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// Guarantee: Positions are ordered as numbers, not as text.
func TestPositionCompare(t *testing.T) {
	ordered := []Position{
		{},
		{SequenceNumber: AtTimestamp},
		{SequenceNumber: TrimHorizon},
		{SequenceNumber: Latest},
		{SequenceNumber: "0"},
		{SequenceNumber: "9"},
		{SequenceNumber: "9", SubSequenceNumber: 1},
		{SequenceNumber: "9", SubSequenceNumber: 10},
		{SequenceNumber: "10"},
		{SequenceNumber: "18446744073709551616"},
		{SequenceNumber: "49590338271490256608559692538361571095921575989136588898"},
		{SequenceNumber: "149590338271490256608559692538361571095921575989136588898"},
		{SequenceNumber: ShardEnd},
	}
	for i, a := range ordered {
		for j, b := range ordered {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := a.Compare(b); got != want {
				t.Errorf("%v against %v: got %d, want %d", a, b, got, want)
			}
		}
	}
	if (Position{SequenceNumber: "007"}).Compare(Position{SequenceNumber: "7"}) != 0 {
		t.Error("leading zeros count")
	}
}

// FuzzPositionCompare compares with math/big.
//
// Guarantee: Positions are ordered as numbers, not as text.
func FuzzPositionCompare(f *testing.F) {
	f.Add("1", int64(0), "10", int64(3))
	f.Add("49590338271490256608559692538361571095921575989136588898", int64(1), "00049590338271490256608559692538361571095921575989136588898", int64(0))
	f.Fuzz(func(t *testing.T, a string, as int64, b string, bs int64) {
		p, q := Position{a, as}, Position{b, bs}
		if p.Compare(q) != -q.Compare(p) || p.Compare(p) != 0 {
			t.Fatalf("%v and %v: no order", p, q)
		}
		if !p.IsRecord() || !q.IsRecord() {
			return
		}
		x, _ := new(big.Int).SetString(a, 10)
		y, _ := new(big.Int).SetString(b, 10)
		want := x.Cmp(y)
		if want == 0 {
			want = big.NewInt(as).Cmp(big.NewInt(bs))
		}
		if got := p.Compare(q); got != want {
			t.Fatalf("%v against %v: got %d, want %d", p, q, got, want)
		}
	})
}

// FuzzReader reads any bytes: no panic, only the documented errors, and whatever
// is read can be written and read again.
func FuzzReader(f *testing.F) {
	for _, name := range []string{"conversation.jsonl", "daemon.jsonl"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"action":"leaseLost"`))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := NewReader(bytes.NewReader(in), nil)
		for {
			m, err := r.Read()
			var bad *MalformedError
			switch {
			case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
				return
			case errors.As(err, &bad):
				if strings.Contains(err.Error(), "\n") {
					t.Fatalf("an error of two lines: %q", err)
				}
				continue
			case err != nil:
				t.Fatalf("undocumented error %v", err)
			}
			roundTrip(t, m)
		}
	})
}

func roundTrip(t *testing.T, m Message) {
	t.Helper()
	var wire bytes.Buffer
	if err := NewWriter(&wire).Write(m); err != nil {
		t.Fatalf("%#v cannot be written: %v", m, err)
	}
	again, err := NewReader(&wire, nil).Read()
	if err != nil {
		t.Fatalf("%#v cannot be read back: %v", m, err)
	}
	if !reflect.DeepEqual(m, again) {
		t.Fatalf("wrote %#v\nread  %#v", m, again)
	}
}

// Guarantee: A Reader reads whatever a Writer wrote, unchanged.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("data"), "key", "12", int64(3), int64(1700000000123), int64(7), "ThrottlingException")
	f.Fuzz(func(t *testing.T, data []byte, key, sequenceNumber string, sub, ms, lag int64, text string) {
		text = strings.ToValidUTF8(text, "?")
		// Timestamps have whole milliseconds; the year 1 is the zero Time.
		at := time.UnixMilli(ms % (1 << 45)).UTC()
		if at.IsZero() {
			at = arrival
		}
		p := Position{sequenceNumber, sub}
		if !p.IsRecord() {
			p = Position{"1", 0}
		}
		for _, m := range []Message{
			ProcessRecords{MillisBehindLatest: max(lag, UnknownLag), Records: []Record{{
				Data: data, PartitionKey: strings.ToValidUTF8(key, "?"), SequenceNumber: p.SequenceNumber,
				SubSequenceNumber: p.SubSequenceNumber, ApproximateArrivalTimestamp: at,
			}}},
			Checkpoint{Position: p, Error: text},
			Initialize{ShardID: "s" + text, Position: p},
			Status{ResponseFor: "a" + text},
			Shutdown{Reason: "r" + text},
		} {
			roundTrip(t, m)
		}
	})
}
