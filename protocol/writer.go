package protocol

import (
	"fmt"
	"io"
)

// A larger write buffer is released after its message.
const keepBuffer = 1 << 20

// Writer writes messages. It is not safe for concurrent use.
type Writer struct {
	w   io.Writer
	buf []byte
}

// NewWriter returns a Writer that writes to w.
func NewWriter(w io.Writer) *Writer {
	return &Writer{w: w}
}

// Write writes m as newline, JSON, newline in one call of the underlying
// Write. The leading newline ends a line that something else has left
// unterminated on the same stream.
//
// Write does not write a message that [Reader] would reject, such as a status
// without an action, and returns a [*MalformedError]. In text that is not UTF-8
// it replaces each bad byte by U+FFFD. Other errors wrap the error of the
// underlying Write, which may have written a part of the message.
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
