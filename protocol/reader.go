package protocol

import (
	"bufio"
	"io"
)

// Reader reads messages. It is not safe for concurrent use.
type Reader struct {
	frames frames
}

// NewReader returns a Reader of the lines of r. It buffers: nothing else should
// read from r afterwards.
func NewReader(r io.Reader) *Reader {
	return &Reader{frames{r: bufio.NewReaderSize(r, 64<<10)}}
}

// Read returns the next message; blank lines are skipped. What it returns
// stays valid: no memory is shared with later messages.
//
// Errors: io.EOF at a clean end, one that is io.ErrUnexpectedEOF when the input
// ends within a line, a [*MalformedError] for a line that is no message (Read
// may be called again for the next line), [ErrLineTooLong], or whatever the
// underlying reader returned.
func (r *Reader) Read() (Message, error) {
	line, n, err := r.frames.next()
	if err != nil {
		return nil, err
	}
	m, bad := decode(line)
	if bad != nil {
		bad.Line = n
		return nil, bad
	}
	return m, nil
}
