package protocol

import (
	"fmt"
	"strings"
)

// MalformedError reports a line that is not a message of the protocol, or a
// message that cannot be written. It never contains record data.
type MalformedError struct {
	// Line is the number of the line in the stream, from 1. It is 0 for a message
	// that cannot be written.
	Line int
	// Action is the message's action if that is one of the protocol's, or "".
	Action string
	// Reason says what is wrong and where in the line.
	Reason string
}

// Error returns one line with the line's number, the action and the reason.
func (e *MalformedError) Error() string {
	var b strings.Builder
	b.WriteString("protocol: malformed message")
	if e.Line > 0 {
		fmt.Fprintf(&b, " on line %d", e.Line)
	}
	if e.Action != "" {
		fmt.Fprintf(&b, " (%s)", e.Action)
	}
	b.WriteString(": ")
	b.WriteString(e.Reason)
	return b.String()
}
