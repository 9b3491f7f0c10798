package shardfile

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
)

const shard = "shardId-000000000000"

// path returns the path of the shard's file.
func path(dir string) string { return filepath.Join(dir, shard+".jsonl") }

func record(sequenceNumber string, data []byte) processor.Record {
	return processor.Record{
		Data: data, PartitionKey: "sensor-1", SequenceNumber: sequenceNumber,
		ApproximateArrivalTimestamp: time.UnixMilli(1700000000123).UTC(),
	}
}

func read(t *testing.T, name string) (lines []Line) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	s := bufio.NewScanner(bytes.NewReader(text))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var l Line
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			t.Fatalf("%s: %v", s.Bytes(), err)
		}
		lines = append(lines, l)
	}
	return lines
}

func decode(l Line) ([]byte, error) {
	if l.Encoding == "" {
		return []byte(l.Data), nil
	}
	return base64.StdEncoding.DecodeString(l.Data)
}

func TestLines(t *testing.T) {
	dir := t.TempDir() + "/made/on the way"
	f, err := Open(dir, shard)
	if err != nil {
		t.Fatal(err)
	}
	data := [][]byte{[]byte(`{"sensor":"<&>"}`), {0xff, 0x00}, {}, []byte("zwei\nZeilen \u2028 ü"), []byte("\xef\xbf\xbd")}
	records := []processor.Record{}
	for i, d := range data {
		r := record(string(rune('1'+i)), d)
		r.SubSequenceNumber = int64(i)
		records = append(records, r)
	}
	records[4].PartitionKey, records[4].ApproximateArrivalTimestamp = "", time.Time{}
	for _, r := range records {
		if n, err := f.Append([]processor.Record{r}); n != 1 || err != nil {
			t.Fatalf("%d written, error %v, want 1 and none", n, err)
		}
	}
	if n, err := f.Append(append(records, records...)); n != 0 || err != nil {
		t.Fatalf("again: %d written, error %v, want 0 and none", n, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path(dir))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		`{"shardId":"shardId-000000000000","sequenceNumber":"1","subSequenceNumber":0,"partitionKey":"sensor-1","approximateArrivalTimestamp":"2023-11-14T22:13:20.123Z","data":"{\"sensor\":\"<&>\"}"}`,
		`{"shardId":"shardId-000000000000","sequenceNumber":"2","subSequenceNumber":1,"partitionKey":"sensor-1","approximateArrivalTimestamp":"2023-11-14T22:13:20.123Z","data":"/wA=","encoding":"base64"}`,
		`{"shardId":"shardId-000000000000","sequenceNumber":"3","subSequenceNumber":2,"partitionKey":"sensor-1","approximateArrivalTimestamp":"2023-11-14T22:13:20.123Z","data":""}`,
		`{"shardId":"shardId-000000000000","sequenceNumber":"4","subSequenceNumber":3,"partitionKey":"sensor-1","approximateArrivalTimestamp":"2023-11-14T22:13:20.123Z","data":"zwei\nZeilen \u2028 ü"}`,
		`{"shardId":"shardId-000000000000","sequenceNumber":"5","subSequenceNumber":4,"partitionKey":null,"approximateArrivalTimestamp":null,"data":"` + "\uFFFD" + `"}`,
	}, "\n") + "\n"
	if string(text) != want {
		t.Errorf("got\n%swant\n%s", text, want)
	}
	for i, l := range read(t, path(dir)) {
		if got, err := decode(l); err != nil || !bytes.Equal(got, data[i]) {
			t.Errorf("line %d: %q, %v; want %q", i, got, err, data[i])
		}
	}
}

// line returns the line of a record in a shard file.
func line(sequenceNumber string) string {
	text, err := json.Marshal(NewLine(shard, record(sequenceNumber, []byte("x"))))
	if err != nil {
		panic(err)
	}
	return string(text) + "\n"
}

// write creates a shard file in a new folder.
func write(t *testing.T, text string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(path(dir), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Guarantee: A line that a crash left incomplete is removed at the next start.
func TestTornLineIsRemoved(t *testing.T) {
	begin := `{"shardId":"` + shard + `","data":"`
	long := strings.TrimSuffix(line("8"), `x"}`+"\n") + strings.Repeat("long ", 100<<10) + `"}` + "\n"
	for name, tc := range map[string]struct{ kept, torn, last string }{
		"empty":                  {"", "", ""},
		"whole lines":            {line("7") + line("8"), "", "8"},
		"torn":                   {line("8"), begin, "8"},
		"torn at once":           {line("8"), "{", "8"},
		"only a torn line":       {"", `{"sh`, ""},
		"a long torn line":       {line("8"), begin + strings.Repeat("x", 200<<10), "8"},
		"a long line":            {line("7") + long, "", "8"},
		"a long line alone":      {long, begin, "8"},
		"torn at the line end":   {line("7"), strings.TrimSuffix(line("8"), "\n"), "7"},
		"as long as one reading": {line("7") + line("8"), begin + strings.Repeat("x", 64<<10-len(begin)-len(line("8"))), "8"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, tc.kept+tc.torn)
			f, err := Open(dir, shard)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if got := f.Last().SequenceNumber; got != tc.last {
				t.Errorf("the last record is %q, want %q", got, tc.last)
			}
			records := []processor.Record{record("8", []byte("x")), record("10", []byte("x"))}
			want := tc.kept + line("8") + line("10")
			if tc.last == "8" {
				want = tc.kept + line("10")
			}
			if _, err := f.Append(records); err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(path(dir)); err != nil || string(got) != want {
				t.Errorf("error %v, got %.300q, want %.300q", err, got, want)
			}
		})
	}
}

// Guarantee: Nothing else is ever removed. A file that ends in anything else is an
// error.
func TestForeignFileIsNotChanged(t *testing.T) {
	for name, text := range map[string]string{
		"a text without a line end":   "notes of somebody",
		"a text":                      "notes of somebody\n",
		"another shard's":             strings.ReplaceAll(line("1"), shard, "shardId-000000000001"),
		"another shard's, torn":       line("1") + `{"shardId":"shardId-000000000001","seq`,
		"no sequence number":          strings.ReplaceAll(line("1"), `"1"`, `"LATEST"`),
		"an empty line":               line("1") + "\n",
		"zeros instead of a line":     line("1") + strings.Repeat("\x00", 100),
		"zeros instead of line, only": strings.Repeat("\x00", 100),
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, text)
			f, err := Open(dir, shard)
			if err == nil {
				f.Close()
				t.Error("no error, want one")
			} else if got := err.Error(); !strings.Contains(got, "move the file away") || strings.Contains(got, "somebody") || strings.Contains(got, "\n") {
				t.Errorf("error %q, want one line that says to move the file away and has no data", got)
			}
			if got, err := os.ReadFile(path(dir)); err != nil || string(got) != text {
				t.Errorf("error %v, the file holds %q, want %q", err, got, text)
			}
		})
	}
}

// Each byte of the input delivers a batch. Its low bits are the number of records, 0x40
// makes a checkpoint, and 0x80 a crash, which truncates the file anywhere after what was
// synced for the last checkpoint. At the end the file holds each record once, in order.
//
// Guarantee: A file holds each record once, in the order of the shard, even if the
// daemon delivers records again after a crash.
func FuzzCrash(f *testing.F) {
	f.Add([]byte{0x03, 0x41, 0x8f, 0x10, 0x45, 0xff, 0x02})
	f.Add([]byte{0x8f, 0x00, 0x8f, 0x01, 0x8f, 0xff, 0x4f, 0xcf, 0x80})
	f.Fuzz(func(t *testing.T, life []byte) {
		var stream []processor.Record
		for i := range 64 { // from 8 on: 9 and 10 are neighbours; with aggregates of three
			r := record(strconv.Itoa(8+i/3), []byte{byte(i), '\n', 'x'})
			r.SubSequenceNumber = int64(i % 3)
			stream = append(stream, r)
		}
		dir := t.TempDir()
		open := func() *File {
			file, err := Open(dir, shard)
			if err != nil {
				t.Fatal(err)
			}
			return file
		}
		size := func() int64 {
			is, err := os.Stat(path(dir))
			if err != nil {
				t.Fatal(err)
			}
			return is.Size()
		}
		file := open()
		next, checkpoint, safe := 0, 0, int64(0)
		for i := 0; i < len(life); i++ {
			batch := stream[next:min(next+int(life[i]&0x0f), len(stream))]
			if _, err := file.Append(batch); err != nil {
				t.Fatal(err)
			}
			next += len(batch)
			if life[i]&0x40 != 0 {
				checkpoint, safe = next, size()
			}
			if life[i]&0x80 != 0 && i+1 < len(life) { // a crash; the next byte says where
				i++
				file.Close()
				if err := os.Truncate(path(dir), safe+(size()-safe)*int64(life[i])/255); err != nil {
					t.Fatal(err)
				}
				file, next = open(), checkpoint
			}
		}
		if _, err := file.Append(stream[next:]); err != nil {
			t.Fatal(err)
		}
		file.Close()
		got := read(t, path(dir))
		if len(got) != len(stream) {
			t.Fatalf("%d records, want %d", len(got), len(stream))
		}
		for i, l := range got {
			if l.Position() != stream[i].Position() {
				t.Fatalf("line %d is the record at %v, want %v", i+1, l.Position(), stream[i].Position())
			}
		}
	})
}

// Each shard has its own file, and no file is outside of the folder.
//
// Guarantee: Each shard has its own file, even if several streams have shards with the same
// ID.
func TestFilesOfStreams(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{ // with their lease's key
		shard:                               shard,
		"111122223333_orders_1700/" + shard: "111122223333:orders:1700:" + shard,
		"444455556666_orders_1700/" + shard: "444455556666:orders:1700:" + shard,
		"111122223333_orders_1800/" + shard: "111122223333:orders:1800:" + shard,
	}
	for range 2 { // the second time it comes again
		for _, key := range files {
			f, err := Open(dir, key)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Append([]processor.Record{record("7", []byte(key))}); err != nil {
				t.Fatal(err)
			}
			f.Close()
		}
	}
	for name, key := range files {
		lines := read(t, filepath.Join(dir, filepath.FromSlash(name)+".jsonl"))
		if len(lines) != 1 || lines[0].Data != key || lines[0].ShardID != shard {
			t.Errorf("%s: got %+v, want one line with data %s", name, lines, key)
		}
	}
	for _, key := range []string{"", "..", "../x", "1:../..:2:x", "1:orders:2:../../x"} {
		if f, err := Open(dir, key); err == nil {
			f.Close()
			t.Errorf("lease key %q: no error, want one", key)
		}
	}
}

func TestErrorsHaveNoData(t *testing.T) {
	if _, err := Open("/dev/null/x", shard); err == nil || !strings.Contains(err.Error(), "cannot make the folder") {
		t.Errorf("Open: error %v, want one about the folder", err)
	}
	f, err := Open(t.TempDir(), shard)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, err := f.Append([]processor.Record{record("1", []byte("secret"))}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("Append: error %v, want one without data", err)
	}
}
