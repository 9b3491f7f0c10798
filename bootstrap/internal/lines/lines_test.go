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

// Copy writes whole lines, however they come, and lines of any length.
func TestCopy(t *testing.T) {
	text := "a\r\n" + strings.Repeat("x", 200<<10) + "\n\nlast"
	var out bytes.Buffer
	writes := 0
	w := writerFunc(func(p []byte) (int, error) { writes++; return out.Write(p) })
	Copy(w, iotest.OneByteReader(strings.NewReader(text)))
	if out.String() != text+"\n" || writes > 20 {
		t.Errorf("%d bytes of %d in %d writes", out.Len(), len(text)+1, writes)
	}

	// A writer that fails does not stop it: the other side would block.
	r := strings.NewReader(text)
	Copy(writerFunc(func([]byte) (int, error) { return 0, errors.New("no reader") }), r)
	if r.Len() != 0 {
		t.Errorf("%d bytes were not read", r.Len())
	}
}
