package protocol

import (
	"bytes"
	"fmt"
	"io"
)

// LineTooLongError reports a line longer than [ReaderOptions].MaxLine. The rest
// of the stream cannot be read.
type LineTooLongError struct {
	// Line is the number of the line in the stream, from 1.
	Line int
	// Max is the limit, in bytes.
	Max int
}

// Error returns one line with the line's number and the limit.
func (e *LineTooLongError) Error() string {
	return fmt.Sprintf("protocol: line %d is longer than %d bytes: it is not the daemon's, or MaxLine is too low", e.Line, e.Max)
}

const (
	// Longer than any message except a batch of records.
	smallBuffer = 32 << 10

	// A buffer that is too small is replaced by one of bufferGrowth times its size,
	// or of twice its size from largeBuffer on. Wide steps leave little garbage of
	// smaller buffers. But the garbage collector lets the heap grow with the size of
	// the buffer, although its unused end takes no memory, so it must not be much
	// larger than its lines.
	bufferGrowth = 8
	largeBuffer  = 2 << 20

	// A large buffer is released after this many lines that did not need it: a
	// few batches with their checkpoints.
	spareLines = 16
)

// frames splits a stream into lines.
type frames struct {
	r   io.Reader
	max int // the longest line, in bytes, without its line end
	n   int // number of the line that was returned last, from 1

	buf        []byte
	start, end int    // buf[start:end] was read but not returned yet
	small      []byte // the small buffer, which is buf between long lines
	spare      []byte // the last large buffer, while small is in use
	unused     int    // lines since spare was in use
	err        error  // from r; returned after the lines before it
}

func newFrames(r io.Reader, max int) frames {
	small := make([]byte, smallBuffer)
	return frames{r: r, max: max, buf: small, small: small}
}

// next returns the next line that is not blank, without its line end, and its
// number, counted from 1. The line is valid until the next call of next or
// release. Blank lines are part of the framing: they separate messages.
func (f *frames) next() (line []byte, n int, err error) {
	for {
		line, err = f.read()
		trimmed := bytes.TrimSpace(line)
		switch {
		case err == nil && len(trimmed) > 0:
			return trimmed, f.n, nil
		case err == nil:
			continue
		case err == io.EOF && len(trimmed) > 0:
			return nil, f.n, fmt.Errorf("protocol: line %d was cut short after %d bytes: %w", f.n, len(line), io.ErrUnexpectedEOF)
		default:
			return nil, f.n, err
		}
	}
}

// read returns the next line, or the beginning of it and the error that follows.
func (f *frames) read() ([]byte, error) {
	f.n++
	for seen := 0; ; {
		length := f.end - f.start
		end := bytes.IndexByte(f.buf[f.start+seen:f.end], '\n')
		if end >= 0 {
			length = seen + end
		}
		if length > f.max {
			return nil, &LineTooLongError{Line: f.n, Max: f.max}
		}
		if end >= 0 {
			line := f.buf[f.start : f.start+length]
			f.start += length + 1
			return line, nil
		}
		seen = length
		if f.err != nil {
			return f.buf[f.start:f.end], f.err
		}
		f.makeRoom()
		f.fill()
	}
}

// fill reads more input to the end of buf.
func (f *frames) fill() {
	for range 100 {
		n, err := f.r.Read(f.buf[f.end:])
		f.end += n
		f.err = err
		if n > 0 || err != nil {
			return
		}
	}
	f.err = io.ErrNoProgress
}

// makeRoom makes room at the end of buf.
func (f *frames) makeRoom() {
	pending := f.buf[f.start:f.end]
	switch {
	case len(pending) == len(f.buf):
		f.grow()
	case f.start == 0:
		return
	}
	f.start, f.end = 0, copy(f.buf, pending)
}

// grow replaces buf by a larger buffer.
func (f *frames) grow() {
	if len(f.spare) > len(f.buf) {
		f.buf, f.spare = f.spare, nil
		return
	}
	// One byte more than the longest line shows that a line is too long.
	size := 2 * len(f.buf)
	if len(f.buf) < largeBuffer {
		size = bufferGrowth * len(f.buf)
	}
	f.buf = make([]byte, min(size, f.max+1))
}

// release allows the buffer of the line that next returned to be used again.
func (f *frames) release() {
	switch {
	case len(f.buf) > len(f.small) && f.start == f.end:
		f.buf, f.spare, f.unused = f.small, f.buf, 0
		f.start, f.end = 0, 0
	case f.spare != nil:
		if f.unused++; f.unused == spareLines {
			f.spare = nil
		}
	}
}
