package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
)

func all(t *testing.T, s Source) (records []Record, err error) {
	t.Helper()
	for {
		r, err := s.Next()
		if err != nil {
			return records, err
		}
		records = append(records, r)
	}
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	tests := []struct {
		name, in string
		want     []string
	}{
		{"nothing", "", nil},
		{"one line", "a\n", []string{"a"}},
		{"no newline at the end", "a\nb", []string{"a", "b"}},
		{"empty lines", "\n\na\n\n", []string{"", "", "a", ""}},
		{"carriage returns stay", "a\r\n\r\n", []string{"a\r", "\r"}},
		{"bytes that are no text", "\x00\xff\nb\x80", []string{"\x00\xff", "b\x80"}},
		{"longer than the buffer", long + "\n" + long, []string{long, long}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			records, err := all(t, NewLines(iotest.HalfReader(strings.NewReader(tt.in)), 1<<20))
			if err != io.EOF {
				t.Fatalf("error %v, want EOF", err)
			}
			var got []string
			for i, r := range records {
				got = append(got, string(r.Data))
				if want := strconv.Itoa(i + 1); r.PartitionKey != want {
					t.Errorf("record %d has partition key %s, want %s", i, r.PartitionKey, want)
				}
				if r.Data == nil {
					t.Errorf("record %d has nil data", i)
				}
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %.80q, want %.80q", got, tt.want)
			}
		})
	}
}

func TestLinesLimit(t *testing.T) {
	// Key and data together: "1" and 9 bytes are 10.
	in := "123456789\n1234567890\nnever read\n"
	records, err := all(t, NewLines(strings.NewReader(in), 10))
	var long *TooLongError
	if !errors.As(err, &long) || long.Line != 2 || long.Limit != 10 {
		t.Fatalf("error %v, want line 2 over 10 bytes", err)
	}
	if len(records) != 1 {
		t.Errorf("%d records before it, want 1", len(records))
	}
	if strings.Contains(err.Error(), "123456") {
		t.Errorf("the error shows record data: %v", err)
	}
}

// endless is a line without an end.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestLinesStopReadingAtTheLimit(t *testing.T) {
	in := &endless{}
	_, err := NewLines(in, 1<<20).Next()
	var long *TooLongError
	if !errors.As(err, &long) {
		t.Fatalf("error %v, want a *TooLongError", err)
	}
	if in.read > 2<<20 {
		t.Errorf("read %d bytes, want at most %d", in.read, 2<<20)
	}
}

func TestLinesReadError(t *testing.T) {
	want := errors.New("disk on fire")
	in := io.MultiReader(strings.NewReader("a\nhalf"), iotest.ErrReader(want))
	records, err := all(t, NewLines(in, 100))
	if !errors.Is(err, want) || len(records) != 1 {
		t.Errorf("%d records and error %v, want 1 and %v: a line cut by an error is no record", len(records), err, want)
	}
}

func FuzzLines(f *testing.F) {
	for _, s := range []string{"", "\n", "a", "a\nb\n", "\r\n\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		records, err := all(t, NewLines(bytes.NewReader(in), 1<<20))
		if err != io.EOF {
			t.Fatalf("error %v, want %v", err, io.EOF)
		}
		var lines [][]byte
		for _, r := range records {
			lines = append(lines, r.Data)
		}
		got := bytes.Join(lines, []byte("\n"))
		if !bytes.Equal(got, bytes.TrimSuffix(in, []byte("\n"))) {
			t.Errorf("%q came back as %q", in, got)
		}
	})
}

func TestSensors(t *testing.T) {
	for _, size := range []int{0, MinSensorSize, 1000} {
		records, err := all(t, NewSensors(200, &SensorOptions{Size: size, Random: rand.New(rand.NewPCG(1, 2))}))
		if err != io.EOF || len(records) != 200 {
			t.Fatalf("%d records, error %v, want 200 and %v", len(records), err, io.EOF)
		}
		for _, r := range records {
			var reading struct {
				Time    *int64
				Sensor  string
				Reading *int
			}
			if err := json.Unmarshal(r.Data, &reading); err != nil {
				t.Fatalf("%s: %v", r.Data, err)
			}
			if reading.Time == nil || reading.Reading == nil || reading.Sensor != r.PartitionKey || !strings.HasPrefix(r.PartitionKey, "sensor-") {
				t.Errorf("record %s with key %s, want time, reading and the key as sensor", r.Data, r.PartitionKey)
			}
			if size > 0 && len(r.Data) != size {
				t.Errorf("%d bytes, want %d", len(r.Data), size)
			}
		}
	}
}
