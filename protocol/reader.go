package protocol

import "io"

// DefaultMaxLine is the default of [ReaderOptions].MaxLine: 64 MiB. The longest
// lines of the daemon, batches of 10 MiB in base64, are 14 to 16 MB long.
const DefaultMaxLine = 64 << 20

// ReaderOptions are optional settings of a [Reader]. The zero value means the
// defaults.
type ReaderOptions struct {
	// MaxLine is the longest line that is read, in bytes without the line end.
	// A longer one is a [*LineTooLongError]. 0 and negative numbers mean
	// DefaultMaxLine.
	MaxLine int
}

// Reader reads messages. It is not safe for concurrent use.
//
// A Reader that waits for a line keeps less than 1 MiB. After a long line it also
// keeps the buffer of that line, for up to 16 more lines. Reading batches of 10 MiB
// takes about 67 MiB of memory by default; the package documentation says how to
// limit that.
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
// Read returns one of these errors. After any but a *MalformedError, all further
// calls fail in the same way:
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
