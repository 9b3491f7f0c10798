package protocol

import (
	"fmt"
	"io"
)

// A write buffer that has grown past this is given back after its message.
const keepBuffer = 1 << 20

// Writer writes messages. It is not safe for concurrent use.
type Writer struct {
	w   io.Writer
	buf []byte
}

// NewWriter returns a Writer to w.
func NewWriter(w io.Writer) *Writer {
	return &Writer{w: w}
}

// Write writes m as newline, JSON, newline in one call of the underlying
// Write. The leading newline ends whatever somebody else left unterminated on
// the same stream.
//
// A message that [Reader] would refuse (a status without an action, a
// sequence number that is no number) is refused here with a [*MalformedError]
// and not written. Text that is not UTF-8 is written with U+FFFD in place of
// each bad byte.
func (w *Writer) Write(m Message) error {
	if err := validate(m); err != nil {
		return err
	}
	buf := encode(append(w.buf[:0], '\n'), m)
	if cap(buf) <= keepBuffer {
		w.buf = buf
	}
	if _, err := w.w.Write(buf); err != nil {
		return fmt.Errorf("protocol: cannot write a %s message: %w", m.Action(), err)
	}
	return nil
}
