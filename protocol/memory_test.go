package protocol

import (
	"bytes"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// Guarantee: The fast path makes at most 4 allocations for a batch, whatever its
// size.
func TestAllocations(t *testing.T) {
	for _, batch := range batches {
		line := bytes.TrimSpace(batchLine(t, batch.n, batch.size))
		var d fastDecoder
		runs := 10
		if len(line) > 2<<20 {
			runs = 1
		}
		// Allocations of the runtime are counted too, so the decoder's are the least of three.
		got := math.Inf(1)
		for range 3 {
			got = min(got, testing.AllocsPerRun(runs, func() {
				if _, bad := d.decode(line); bad != nil {
					t.Fatal(bad)
				}
			}))
		}
		if got > 4 {
			t.Errorf("%d records of %d bytes: %v allocations, want 4 at most", batch.n, batch.size, got)
		}
	}
}

// heap returns the bytes of the heap that are in use, garbage included.
func heap() int {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// collected returns the bytes of the heap that are in use, without garbage.
func collected() int {
	runtime.GC()
	return heap()
}

// Guarantee: With GOGC=100, and one batch alive at a time, a Reader and its batches take
// at most 5 times the length of the longest line, plus 8 MiB, of heap.
//
// Guarantee: A Reader keeps the buffer of a line longer than 32 KiB for at most 16 more
// lines of up to 32 KiB.
func TestMemory(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	for _, batch := range []struct{ n, size int }{{10_000, 100}, {3, 1 << 20}, {1, 10 << 20}} {
		t.Run(fmt.Sprintf("%dx%d", batch.n, batch.size), func(t *testing.T) {
			line := batchLine(t, batch.n, batch.size)
			small := []byte(`{"action":"leaseLost"}` + "\n")
			in := &endless{line: line}
			before := collected()
			r := NewReader(in, nil)
			longest := 0
			for range 4 {
				if _, err := r.Read(); err != nil {
					t.Fatal(err)
				}
				longest = max(longest, heap()-before)
			}
			// The unused end of a buffer takes no memory.
			longest -= max(0, in.buffer-len(line))
			t.Logf("line %d, in use %d at most: %.2f", len(line), longest, float64(longest)/float64(len(line)))
			// 4 times the line was measured with long lines. The garbage collector runs
			// concurrently and may be late, hence the margin.
			if limit := 5*len(line) + 8<<20; longest > limit {
				t.Errorf("a line of %d bytes: %d bytes in use, want %d at most", len(line), longest, limit)
			}

			in.line = small
			for range spareLines {
				if _, err := r.Read(); err != nil {
					t.Fatal(err)
				}
			}
			if kept := collected() - before; kept > idle {
				t.Errorf("%d bytes are in use after the long lines, want %d at most", kept, idle)
			}
			runtime.KeepAlive(r)
		})
	}
}

// idle is what a Reader may keep between lines, in bytes.
const idle = 1 << 20

// Guarantee: The sum of Record.Size over a batch is the memory that the batch
// takes.
func TestSize(t *testing.T) {
	for _, batch := range batches[:4] {
		line := bytes.TrimSpace(batchLine(t, batch.n, batch.size))
		var d fastDecoder
		d.decode(line) // allocates what is kept for the next batch
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, bad := d.decode(line)
		runtime.ReadMemStats(&after)
		if bad != nil {
			t.Fatal(bad)
		}
		size := 0
		for _, r := range m.(ProcessRecords).Records {
			size += r.Size()
		}
		took := int(after.TotalAlloc - before.TotalAlloc)
		// The allocator rounds up by at most an eighth, or to a page.
		if took < size || took > size+size/8+16<<10 {
			t.Errorf("%d records of %d bytes took %d bytes, their sizes say %d", batch.n, batch.size, took, size)
		}
	}
}

// Guarantee: A record that is kept keeps the memory of its whole batch; its clone
// does not.
func TestClone(t *testing.T) {
	const n, size = 10, 1 << 20
	var batch ProcessRecords
	for range n {
		batch.Records = append(batch.Records, Record{
			Data: make([]byte, size), PartitionKey: strings.Repeat("k", size), SequenceNumber: "1", ApproximateArrivalTimestamp: arrival,
		})
	}
	var wire bytes.Buffer
	if err := NewWriter(&wire).Write(batch); err != nil {
		t.Fatal(err)
	}
	batch = ProcessRecords{}
	before := collected()
	m, err := NewReader(&wire, nil).Read()
	if err != nil {
		t.Fatal(err)
	}
	record := m.(ProcessRecords).Records[3]
	if kept := collected() - before; kept < 2*n*size {
		t.Errorf("a record of %d bytes keeps %d, want its batch's %d", 2*size, kept, 2*n*size)
	}
	clone := record.Clone()
	if !bytes.Equal(clone.Data, record.Data) || clone.Position() != record.Position() || clone.PartitionKey != record.PartitionKey ||
		!clone.ApproximateArrivalTimestamp.Equal(record.ApproximateArrivalTimestamp) {
		t.Error("the clone differs from its record")
	}
	record = Record{}
	if kept := collected() - before; kept > 3*size {
		t.Errorf("a clone of %d bytes keeps %d", 2*size, kept)
	}
	runtime.KeepAlive(&wire)
	runtime.KeepAlive(clone)

	if none := (Record{}).Clone(); none.Data != nil {
		t.Error("a clone of no data has some")
	}
}

// Guarantee: The Data of different records does not overlap: appending to one
// changes no other.
func TestRecordsAreApart(t *testing.T) {
	m, err := NewReader(bytes.NewReader(batchLine(t, 2, 100)), nil).Read()
	if err != nil {
		t.Fatal(err)
	}
	records := m.(ProcessRecords).Records
	second := bytes.Clone(records[1].Data)
	records[0].Data = append(records[0].Data, "more"...)
	if !bytes.Equal(records[1].Data, second) {
		t.Error("appending to one record's data changed the next one's")
	}
}
