// Package lines copies output line by line, and makes text safe for one line.
package lines

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"unicode"
)

// Plain replaces each character that is not printable by U+FFFD, so that text has no
// line ends and no control sequences for a terminal.
func Plain(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// Copy copies r to w until r ends, each line in one Write, so that lines stay whole when
// several goroutines write to w. It splits lines of more than 16 KiB into several Writes.
// It ends the last line if that has no end. Copy ignores errors of w and reads on, so
// that whatever writes to the other end of r never blocks.
func Copy(w io.Writer, r io.Reader) {
	in := bufio.NewReaderSize(r, 16<<10)
	for {
		line, err := in.ReadSlice('\n')
		full := errors.Is(err, bufio.ErrBufferFull)
		if len(line) > 0 {
			if err != nil && !full {
				line = append(line[:len(line):len(line)], '\n')
			}
			w.Write(line)
		}
		if err != nil && !full {
			return
		}
	}
}
