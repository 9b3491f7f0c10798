package protocol

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"testing"
)

// batchLine returns a batch of n records, each of size bytes, as a line.
func batchLine(tb testing.TB, n, size int) []byte {
	tb.Helper()
	random := rand.NewChaCha8([32]byte{1})
	batch := ProcessRecords{MillisBehindLatest: 5}
	for i := range n {
		data := make([]byte, size)
		random.Read(data)
		batch.Records = append(batch.Records, Record{
			Data:                        data,
			PartitionKey:                fmt.Sprintf("key-%06d", i),
			SequenceNumber:              fmt.Sprintf("49590338271490256608559692538361571095921575989136%06d", i),
			ApproximateArrivalTimestamp: arrival,
		})
	}
	var wire bytes.Buffer
	if err := NewWriter(&wire).Write(batch); err != nil {
		tb.Fatal(err)
	}
	return wire.Bytes()
}

// endless repeats its line, and returns at most one line in a Read.
type endless struct {
	line, rest []byte
	buffer     int // a lower bound of the largest buffer that a line was read into
}

func (e *endless) Read(p []byte) (int, error) {
	if len(e.rest) == 0 {
		e.rest = e.line
	}
	e.buffer = max(e.buffer, len(e.line)-len(e.rest)+len(p))
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

var batches = []struct{ n, size int }{{1, 100}, {1000, 100}, {1000, 1 << 10}, {100, 10 << 10}, {10, 1 << 20}, {1, 10 << 20}}

func BenchmarkRead(b *testing.B) {
	for _, batch := range batches {
		line := batchLine(b, batch.n, batch.size)
		b.Run(fmt.Sprintf("%dx%d", batch.n, batch.size), func(b *testing.B) {
			r := NewReader(&endless{line: line}, nil)
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Read(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDecode compares the two paths.
func BenchmarkDecode(b *testing.B) {
	for _, batch := range batches {
		line := bytes.TrimSpace(batchLine(b, batch.n, batch.size))
		var d fastDecoder
		for name, decode := range map[string]func() bool{
			"fast": func() bool { _, ok := d.fast(line); return ok },
			"slow": func() bool { _, bad := slow(line); return bad == nil },
		} {
			b.Run(fmt.Sprintf("%dx%d/%s", batch.n, batch.size, name), func(b *testing.B) {
				b.SetBytes(int64(len(line)))
				b.ReportAllocs()
				for b.Loop() {
					if !decode() {
						b.Fatal("declined")
					}
				}
			})
		}
	}
}

func BenchmarkBase64(b *testing.B) {
	for _, size := range []int{100, 1 << 10, 1 << 20} {
		src := bytes.Repeat([]byte("QUJD"), size/3)
		dst := make([]byte, decodedLen(src)+8)
		for name, decode := range map[string]func(){
			"table":    func() { decodeBase64(dst, src, decodedLen(src)) },
			"standard": func() { base64.StdEncoding.Decode(dst, src) },
		} {
			b.Run(fmt.Sprintf("%d/%s", size, name), func(b *testing.B) {
				b.SetBytes(int64(len(src)))
				for b.Loop() {
					decode()
				}
			})
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, m := range []Message{Status{ResponseFor: ActionProcessRecords}, Checkpoint{Position: Position{SequenceNumber: "49590338271490256608559692538361571095921575989136588898"}}} {
		b.Run(m.Action(), func(b *testing.B) {
			w := NewWriter(discard{})
			b.ReportAllocs()
			for b.Loop() {
				if err := w.Write(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
