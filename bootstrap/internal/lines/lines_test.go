package lines

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/iotest"
)

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// Copy writes whole lines, however they arrive, and lines of any length.
func TestCopy(t *testing.T) {
	text := "a\r\n" + strings.Repeat("x", 200<<10) + "\n\nlast"
	var out bytes.Buffer
	writes := 0
	w := writerFunc(func(p []byte) (int, error) { writes++; return out.Write(p) })
	Copy(w, iotest.OneByteReader(strings.NewReader(text)))
	if out.String() != text+"\n" || writes > 20 {
		t.Errorf("%d bytes of %d in %d writes", out.Len(), len(text)+1, writes)
	}

	// A failing writer does not stop Copy: the other side would block.
	r := strings.NewReader(text)
	Copy(writerFunc(func([]byte) (int, error) { return 0, errors.New("no reader") }), r)
	if r.Len() != 0 {
		t.Errorf("%d bytes were not read", r.Len())
	}
}

func TestPlain(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "",
		`a "1" of ü & \ 中`:       `a "1" of ü & \ 中`,
		"a\r\nb\tc":              "a\uFFFD\uFFFDb\uFFFDc",
		"\x1b]0;x\a\u009b2J\x7f": "\uFFFD]0;x\uFFFD\uFFFD2J\uFFFD",
		"a\u202eb\u2028\x00\xff": "a\uFFFDb\uFFFD\uFFFD\uFFFD",
	} {
		if got := Plain(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
