package protocol

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// Guarantee: A line longer than the limit is a *LineTooLongError, and memory
// beyond the limit is not used for it.
func TestMaxLine(t *testing.T) {
	const line = `{"action":"leaseLost"}`
	long := func(n int) string { return line + strings.Repeat(" ", n-len(line)) + "\n" }
	for _, tc := range []struct {
		max, length int
		ok          bool
	}{
		{len(line), len(line), true},
		{len(line), len(line) + 1, false},
		{smallBuffer, smallBuffer, true},
		{smallBuffer - 1, smallBuffer, false},
		{smallBuffer, smallBuffer + 1, false},
		{100_000, 100_000, true},
		{100_000, 100_001, false},
		{100_000, 10_000_000, false},
		{0, 10_000_000, true},
		{-1, 10_000_000, true},
	} {
		r := NewReader(strings.NewReader(line+"\n"+long(tc.length)+line+"\n"), &ReaderOptions{MaxLine: tc.max})
		if _, err := r.Read(); err != nil {
			t.Fatalf("max %d: the line before: %v", tc.max, err)
		}
		_, err := r.Read()
		var tooLong *LineTooLongError
		switch {
		case tc.ok && err != nil:
			t.Errorf("max %d, line %d: got %v", tc.max, tc.length, err)
		case !tc.ok && (!errors.As(err, &tooLong) || *tooLong != LineTooLongError{Line: 2, Max: tc.max}):
			t.Errorf("max %d, line %d: got %v, want a LineTooLongError", tc.max, tc.length, err)
		}
	}
	if _, err := NewReader(&repeat{'x'}, nil).Read(); !errors.As(err, new(*LineTooLongError)) {
		t.Errorf("a line without end: got %v", err)
	}
}

type repeat struct{ b byte }

func (r *repeat) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.b
	}
	return len(p), nil
}

// pieces returns its text in pieces of any size, from nothing to everything, and
// the end with the last piece or after it.
type pieces struct {
	text   []byte
	random *rand.Rand
}

func (p *pieces) Read(b []byte) (int, error) {
	n := min(len(b), len(p.text), p.random.IntN(1<<p.random.IntN(18)))
	copy(b, p.text[:n])
	p.text = p.text[n:]
	if len(p.text) == 0 && p.random.IntN(2) == 0 {
		return n, io.EOF
	}
	return n, nil
}

// FuzzFrames compares with the lines of bytes.Split, however the input arrives.
// Each '#' of the input is replaced by a thousand bytes, so that lines outgrow
// buffers.
//
// Guarantee: A line is the bytes between two newlines, however they arrive.
//
// Guarantee: A line longer than the limit is a *LineTooLongError, and memory
// beyond the limit is not used for it.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("one\n\ntwo\r\n \nthree"), uint64(1), 100)
	f.Add([]byte("########################################\n#\n########################################x\n"), uint64(2), 1_000_000)
	f.Add([]byte(strings.Repeat("#", 300)+"\na\n"+strings.Repeat("#", 40)+"\n"), uint64(3), 290_000)
	f.Add([]byte("exact\ntoolong\n"), uint64(4), 5)
	f.Fuzz(func(t *testing.T, in []byte, seed uint64, limit int) {
		if len(in) > 1000 || limit < 1 || limit > 1<<20 {
			return
		}
		in = bytes.ReplaceAll(in, []byte("#"), bytes.Repeat([]byte("0123456789"), 100))
		frames := newFrames(&pieces{in, rand.New(rand.NewPCG(seed, seed))}, limit)
		lines := bytes.Split(in, []byte("\n"))
		for i, want := range lines {
			last := i == len(lines)-1
			if len(want) <= limit && len(bytes.TrimSpace(want)) == 0 && !last {
				continue // skipped
			}
			got, n, err := frames.next()
			what := fmt.Sprintf("line %d of %d bytes, limit %d: got %d bytes as line %d, %v", i+1, len(want), limit, len(got), n, err)
			var tooLong *LineTooLongError
			switch {
			case len(want) > limit:
				if !errors.As(err, &tooLong) || tooLong.Line != i+1 {
					t.Fatal(what)
				}
				return
			case last && len(bytes.TrimSpace(want)) > 0:
				if !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatal(what)
				}
			case last:
				if err != io.EOF {
					t.Fatal(what)
				}
			case err != nil || n != i+1 || !bytes.Equal(got, bytes.TrimSpace(want)):
				t.Fatal(what)
			}
			frames.release()
		}
	})
}
