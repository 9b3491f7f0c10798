package protocol

import "io"

// DefaultMaxLine is the longest line, in bytes, that a [Reader] takes unless
// told otherwise: 64 MiB. The daemon's longest, a batch of 10 MiB in base64, is
// about 14 MB.
const DefaultMaxLine = 64 << 20

// ReaderOption changes how a [Reader] works.
type ReaderOption interface{ apply(*Reader) }

type readerOption func(*Reader)

func (o readerOption) apply(r *Reader) { o(r) }

// WithMaxLine sets the longest line, in bytes without the line end, that is
// taken: 1 or more, [DefaultMaxLine] by default and for anything less. A longer
// one is a [*LineTooLongError].
func WithMaxLine(n int) ReaderOption {
	return readerOption(func(r *Reader) {
		if n > 0 {
			r.frames.max = n
		}
	})
}

// Reader reads messages. It is not safe for concurrent use.
//
// A Reader keeps less than 1 MiB while it waits for a line, and for 16 lines the
// buffer of a long one.
type Reader struct {
	frames  frames
	decoder fastDecoder
}

// NewReader returns a Reader of the lines of r. It buffers: nothing else should
// read from r afterwards.
func NewReader(r io.Reader, opts ...ReaderOption) *Reader {
	reader := &Reader{frames: newFrames(r, DefaultMaxLine)}
	for _, o := range opts {
		o.apply(reader)
	}
	return reader
}

// Read returns the next message; blank lines are skipped. What it returns
// stays valid: no memory is used again for later messages. The records of a
// batch share theirs, see [Record.Clone].
//
// Errors: io.EOF at a clean end, one that is io.ErrUnexpectedEOF when the input
// ends within a line, a [*MalformedError] for a line that is no message (Read
// may be called again for the next line), a [*LineTooLongError], or whatever
// the underlying reader returned.
func (r *Reader) Read() (Message, error) {
	line, n, err := r.frames.next()
	if err != nil {
		return nil, err
	}
	m, bad := r.decoder.decode(line)
	r.frames.release()
	if bad != nil {
		bad.Line = n
		return nil, bad
	}
	return m, nil
}
