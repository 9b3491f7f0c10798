package children

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"
)

const (
	// maxAnswer is the length of the longest line that Java reads.
	maxAnswer = 1 << 20
	// The buffer of a conversation is small while it is idle.
	idleSize = 4 << 10
	busySize = 128 << 10
)

// buffers are the buffers of busy conversations.
var buffers = sync.Pool{New: func() any { return new([busySize]byte) }}

// messages copies the messages between Java and a child, and counts the lines that the
// child has not answered. It counts a line from the child for each line to it: a status
// answers an action. A child asks for a checkpoint before it gets the result, so that
// these two lines cancel out too.
type messages struct {
	limit time.Duration // how long an answer may take; 0 means no limit
	late  chan struct{} // has a value after an answer took too long

	mu         sync.Mutex
	unanswered int         // lines to the child without those from it
	last       bool        // the newest message to the child is the last of a conversation
	timer      *time.Timer // runs while lines are unanswered; nil without a limit

	// Only the goroutine of copyToChild uses these.
	inLine bool
	head   []byte // the beginning of the line
}

func newMessages(limit time.Duration) *messages {
	m := &messages{limit: limit, late: make(chan struct{}, 1)}
	if limit > 0 {
		m.timer = time.AfterFunc(limit, func() {
			select {
			case m.late <- struct{}{}:
			default:
			}
		})
		m.timer.Stop()
	}
	return m
}

// complete reports whether the child has answered the last message of the
// conversation.
func (m *messages) complete() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last && m.unanswered <= 0
}

// stopTimer ends the time limit.
func (m *messages) stopTimer() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.limit = 0
	if m.timer != nil {
		m.timer.Stop()
	}
}

// addUnanswered adds n to the unanswered lines, and restarts the timer.
func (m *messages) addUnanswered(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unanswered += n
	switch {
	case m.limit <= 0:
	case m.unanswered > 0:
		m.timer.Reset(m.limit)
	default:
		m.timer.Stop()
	}
}

// copyToChild copies what Java writes to the child. It returns nil at the end, or the
// error when the child does not read.
func (m *messages) copyToChild(child io.Writer, java io.Reader) error {
	small := make([]byte, idleSize)
	var large *[busySize]byte
	for {
		buffer := small
		if large != nil {
			buffer = large[:]
		}
		n, err := java.Read(buffer)
		m.inspect(buffer[:n])
		if _, err := child.Write(buffer[:n]); err != nil {
			return err
		}
		if err != nil {
			return nil
		}
		switch {
		case n == idleSize && large == nil:
			large = buffers.Get().(*[busySize]byte)
		case n < idleSize && large != nil:
			buffers.Put(large)
			large = nil
		}
	}
}

// inspect notes what it needs to know of p, which is written to the child next.
func (m *messages) inspect(p []byte) {
	for len(p) > 0 {
		if !m.inLine {
			m.inLine, m.head = true, m.head[:0]
			m.addUnanswered(1)
		}
		line, rest, whole := bytes.Cut(p, []byte("\n"))
		const most = 100 // the last messages are short
		m.head = append(m.head, line[:min(len(line), most-len(m.head))]...)
		if whole {
			m.inLine = false
			m.mu.Lock()
			m.last = isLast(m.head)
			m.mu.Unlock()
		}
		p = rest
	}
}

// isLast reports whether line is the last message of a conversation.
func isLast(line []byte) bool {
	action := actionOf(line)
	return action == "leaseLost" || action == "shardEnded"
}

// actionOf returns the action of a message, or "" if line is not a message.
func actionOf(line []byte) string {
	var message struct {
		Action string `json:"action"`
	}
	if json.Unmarshal(line, &message) != nil {
		return ""
	}
	return message.Action
}

// copyToJava copies the messages that a child writes, in whole lines, until its output
// has ended. Other lines, which KCL would skip, go to stray.
func (m *messages) copyToJava(java, stray io.Writer, child io.Reader) {
	in := bufio.NewReaderSize(child, idleSize)
	var line []byte
	tooLong := false // line is a part of a line that is too long
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		full := errors.Is(err, bufio.ErrBufferFull)
		if full && len(line) < maxAnswer {
			continue
		}
		if err != nil && !full && len(line) > 0 {
			line = append(line, '\n')
		}
		switch action := actionOf(line); {
		case !tooLong && (action == "status" || action == "checkpoint"):
			m.addUnanswered(-1)
			java.Write(line) // after an error Java has ended, which also ends copyToChild
		case tooLong || len(bytes.TrimSpace(line)) > 0:
			stray.Write(line)
		}
		line, tooLong = line[:0], full
		if err != nil && !full {
			return
		}
	}
}
