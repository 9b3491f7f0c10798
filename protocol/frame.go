package protocol

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// MaxLine is the longest line, in bytes, that a [Reader] takes: 64 MiB. The
// daemon's longest, a batch of 10 MiB in base64, is about 14 MB.
const MaxLine = 64 << 20

// ErrLineTooLong is what Read returns for a line longer than [MaxLine]. The
// stream cannot be read on after it.
var ErrLineTooLong = errors.New("protocol: line too long")

// A line buffer that has grown past this is given back after its message.
const keepLine = 1 << 20

// frames cuts a stream into lines.
type frames struct {
	r    *bufio.Reader
	line []byte // reused, holds lines that do not fit r's buffer
	n    int    // number of the line returned last, from 1
}

// next returns the next line that is not blank, without its line end, and its
// number, counted from 1. The line is valid until the next call. Blank lines
// are part of the framing: the daemon's messages and ours are set apart by them.
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

func (f *frames) read() ([]byte, error) {
	if cap(f.line) > keepLine {
		f.line = nil
	}
	f.line = f.line[:0]
	f.n++
	for {
		part, err := f.r.ReadSlice('\n')
		if err == nil && len(f.line) == 0 {
			return part, nil
		}
		if len(f.line)+len(part) > MaxLine {
			return nil, fmt.Errorf("%w: line %d is longer than %d bytes", ErrLineTooLong, f.n, MaxLine)
		}
		f.line = append(f.line, part...)
		if err != bufio.ErrBufferFull {
			return f.line, err
		}
	}
}
