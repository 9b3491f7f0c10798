// Package lines copies text line by line, and makes lines of text.
package lines

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"unicode"
)

// Plain returns a text in which nothing is left that ends a line or that a terminal
// would obey: what is not printable becomes U+FFFD.
func Plain(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// Copy copies lines, each in one write, which keeps them whole beside those of
// others; of a line of more than 16 KiB each part. A last line gets an end. It reads
// on when w fails: who writes must not block.
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
