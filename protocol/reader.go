package protocol

import "io"

// DefaultMaxLine is the default of [ReaderOptions].MaxLine: 64 MiB. The longest
// line of the daemon, a batch of 10 MiB in base64, has about 14 MB.
const DefaultMaxLine = 64 << 20

// ReaderOptions are optional settings of a [Reader]. The zero value means the
// defaults.
type ReaderOptions struct {
	// MaxLine is the longest line that is read, in bytes without the line end.
	// A longer one is a [*LineTooLongError]. Defaults to DefaultMaxLine, as do
	// negative numbers.
	MaxLine int
}

// Reader reads messages. It is not safe for concurrent use.
//
// While it waits for a line, a Reader keeps less than 1 MiB, and the buffer of a
// long line for 16 more lines. Reading batches of 10 MiB takes about 67 MiB of
// memory by default; the package documentation says how to limit that.
type Reader struct {
	frames  frames
	decoder fastDecoder
}

// NewReader returns a Reader that reads lines from r. A nil opts means the
// defaults. The Reader reads ahead: do not read from r afterwards.
func NewReader(r io.Reader, opts *ReaderOptions) *Reader {
	maxLine := DefaultMaxLine
	if opts != nil && opts.MaxLine > 0 {
		maxLine = opts.MaxLine
	}
	return &Reader{frames: newFrames(r, maxLine)}
}

// Read returns the next message. It skips blank lines. The message stays valid:
// a later Read does not use its memory again. The records of a batch share
// memory; see [Record.Clone].
//
// Read returns one of these errors:
//
//   - io.EOF at a clean end of the input;
//   - an error that is io.ErrUnexpectedEOF when the input ends within a line;
//   - a [*MalformedError] for a line that is not a message; the next call reads the next line;
//   - a [*LineTooLongError];
//   - the error of the underlying reader.
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
