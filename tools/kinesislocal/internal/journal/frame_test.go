package journal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// file returns a file with the entries, and the offset after each.
func file(entries ...[]byte) (content []byte, ends []int64) {
	content = []byte(magic)
	for _, e := range entries {
		frame := append(Begin(nil), e...)
		seal(frame)
		content = append(content, frame...)
		ends = append(ends, int64(len(content)))
	}
	return content, ends
}

func readAll(content []byte) (entries [][]byte, good int64, err error) {
	good, err = read(bytes.NewReader(content), int64(len(content)), func(entry []byte) error {
		entries = append(entries, bytes.Clone(entry))
		return nil
	})
	return entries, good, err
}

func someEntries() [][]byte {
	r := rand.New(rand.NewPCG(1, 1))
	var entries [][]byte
	for _, size := range []int{1, 0, 7, 300, 40, 12, 0} {
		e := make([]byte, size)
		for i := range e {
			e[i] = byte(r.Uint32())
		}
		entries = append(entries, e)
	}
	return entries
}

func isPrefix(got, of [][]byte) bool {
	return len(got) <= len(of) && slices.EqualFunc(got, of[:len(got)], bytes.Equal)
}

// A file that ends anywhere, or goes on with zeros from anywhere, gives what was
// whole.
func TestReadTornAnywhere(t *testing.T) {
	entries := someEntries()
	content, ends := file(entries...)
	for n := range len(content) + 1 {
		whole := 0
		for whole < len(ends) && ends[whole] <= int64(n) {
			whole++
		}
		for _, padding := range []int{0, 1, headSize, 100} {
			torn := append(bytes.Clone(content[:n]), make([]byte, padding)...)
			got, good, err := readAll(torn)
			// The zeros may be those that were there.
			enough := len(got) == whole || len(got) > whole && padding > 0
			if !enough || !isPrefix(got, entries) {
				t.Fatalf("%d bytes and %d zeros: %d entries, want %d", n, padding, len(got), whole)
			}
			want := int64(0)
			if len(got) > 0 {
				want = ends[len(got)-1]
			} else if int64(len(torn)) >= int64(len(magic)) && bytes.HasPrefix(torn, []byte(magic)) {
				want = int64(len(magic))
			}
			if good != want || (err == nil) != (good == int64(len(torn)) && good > 0) || err != nil && !errors.Is(err, errTorn) {
				t.Fatalf("%d bytes and %d zeros: good to %d, want %d: %v", n, padding, good, want, err)
			}
		}
	}
}

// No damage makes an entry that was not written; damage before the last entry is
// never taken for an interrupted writer.
func TestReadDamagedAnywhere(t *testing.T) {
	entries := someEntries()
	entries = append(entries, []byte("the last one"))
	content, ends := file(entries...)
	last := ends[len(ends)-2]
	for i := range content {
		for bit := range 8 {
			damaged := bytes.Clone(content)
			damaged[i] ^= 1 << bit
			got, good, err := readAll(damaged)
			if !isPrefix(got, entries) || len(got) == len(entries) || good > int64(i) {
				t.Fatalf("byte %d, bit %d: %d entries, good to %d", i, bit, len(got), good)
			}
			if int64(i) < last && !errors.Is(err, ErrDamaged) || err == nil {
				t.Fatalf("byte %d, bit %d: error %v", i, bit, err)
			}
		}
	}
}

func TestReadStopsWithTheErrorOfItsReader(t *testing.T) {
	entries := someEntries()
	content, ends := file(entries...)
	no := errors.New("no")
	n := 0
	good, err := read(bytes.NewReader(content), int64(len(content)), func([]byte) error {
		if n++; n == 3 {
			return no
		}
		return nil
	})
	if good != ends[1] || err != no {
		t.Errorf("good to %d of %v, error %v", good, ends, err)
	}
	// A file that shrinks while it is read.
	if _, err := read(bytes.NewReader(content[:ends[0]+3]), int64(len(content)), func([]byte) error { return nil }); err == nil || errors.Is(err, errTorn) {
		t.Errorf("error %v", err)
	}
}

// FuzzRead: whatever is in a file, reading ends, and writing what it gave makes
// the part of it that it calls good.
func FuzzRead(f *testing.F) {
	content, ends := file(someEntries()...)
	f.Add(content)
	f.Add(content[:ends[3]-1])
	f.Add(append(bytes.Clone(content[:ends[2]]), make([]byte, 50)...))
	f.Add([]byte(magic))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, content []byte) {
		entries, good, err := readAll(content)
		again, _ := file(entries...)
		if good == 0 {
			again = nil
		}
		if !bytes.Equal(again, content[:good]) {
			t.Errorf("%d entries make %d bytes, not the first %d", len(entries), len(again), good)
		}
		if (err == nil) != (good == int64(len(content)) && good > 0) {
			t.Errorf("good to %d of %d, error %v", good, len(content), err)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	for _, size := range []int{100, 100 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			content, _ := file(slices.Repeat([][]byte{make([]byte, size)}, 10<<20/size)...)
			b.SetBytes(int64(len(content)))
			for b.Loop() {
				if _, err := read(bytes.NewReader(content), int64(len(content)), func([]byte) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
