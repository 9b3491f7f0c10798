package shardfile

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
)

const shard = "shardId-000000000000"

func record(sequenceNumber string, data []byte) processor.Record {
	return processor.Record{
		Data: data, PartitionKey: "sensor-1", SequenceNumber: sequenceNumber,
		ApproximateArrivalTimestamp: time.UnixMilli(1700000000123).UTC(),
	}
}

func read(t *testing.T, dir string) (lines []Line) {
	t.Helper()
	text, err := os.ReadFile(Path(dir, shard))
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
		if err := f.Append([]processor.Record{r}); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Append(nil); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(Path(dir, shard))
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
	for i, l := range read(t, dir) {
		if got, err := decode(l); err != nil || !bytes.Equal(got, data[i]) {
			t.Errorf("line %d: %q, %v; want %q", i, got, err, data[i])
		}
	}
}

func TestTornLineIsCut(t *testing.T) {
	whole := `{"shardId":"s","sequenceNumber":"1"}` + "\n"
	for name, tc := range map[string]struct{ before, kept string }{
		"no file":              {"", ""},
		"whole lines":          {whole + whole, whole + whole},
		"torn":                 {whole + `{"shardId":"s","sequ`, whole},
		"only a torn line":     {`{"sh`, ""},
		"a long torn line":     {whole + strings.Repeat("x", 200<<10), whole},
		"torn at the line end": {whole + strings.TrimSuffix(whole, "\n"), whole},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if tc.before != "" {
				if err := os.WriteFile(Path(dir, shard), []byte(tc.before), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			f, err := Open(dir, shard)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := f.Append([]processor.Record{record("2", []byte("new"))}); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(Path(dir, shard))
			if err != nil {
				t.Fatal(err)
			}
			after, ok := strings.CutPrefix(string(text), tc.kept)
			if !ok || !strings.HasPrefix(after, `{"shardId":"`+shard) || strings.Count(after, "\n") != 1 {
				t.Errorf("got %.200q", text)
			}
		})
	}
}

func TestErrorsTellNoData(t *testing.T) {
	if _, err := Open("/dev/null/x", shard); err == nil || !strings.Contains(err.Error(), "cannot make the folder") {
		t.Errorf("Open: %v", err)
	}
	f, err := Open(t.TempDir(), shard)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := f.Append([]processor.Record{record("1", []byte("secret"))}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("Append: %v", err)
	}
}
