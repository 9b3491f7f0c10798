package record

import (
	"bufio"
	"errors"
	"io"
	"strconv"
)

// Lines makes a record of each line of its input.
type Lines struct {
	r     *bufio.Reader
	limit int
	line  int
}

// NewLines returns a Source of the lines of r. The data of a record are the bytes of its
// line without the newline. A carriage return stays, an empty line is an empty record,
// and bytes after the last newline are a line too. The partition key is the line number,
// from 1, so that lines spread over the shards. If a line makes a record of more than
// limit bytes, Next returns a *TooLongError before it reads the rest of the line.
func NewLines(r io.Reader, limit int) *Lines {
	return &Lines{r: bufio.NewReaderSize(r, 64<<10), limit: limit}
}

// Next implements Source.
func (l *Lines) Next() (Record, error) {
	key := strconv.Itoa(l.line + 1)
	// Data must not be nil, which the SDK considers a missing field.
	data := []byte{}
	for {
		part, err := l.r.ReadSlice('\n')
		ended := err == nil
		if ended {
			part = part[:len(part)-1]
		}
		if len(key)+len(data)+len(part) > l.limit {
			return Record{}, &TooLongError{Line: l.line + 1, Limit: l.limit}
		}
		data = append(data, part...)
		switch {
		case ended:
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(data) > 0:
		default:
			return Record{}, err
		}
		l.line++
		return Record{PartitionKey: key, Data: data}, nil
	}
}
