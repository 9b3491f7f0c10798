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
	idleSize  = 4 << 10
	busySize  = 128 << 10
)

// buffers are for conversations that are busy, not one for each idle shard.
var buffers = sync.Pool{New: func() any { return new([busySize]byte) }}

// messages are those that go between Java and a child. Each line that the child
// gets is answered by a line: an action by its status, and what says whether a
// checkpoint was made comes after the line that has asked for it.
type messages struct {
	limit time.Duration // of an answer; 0 for none
	late  chan struct{} // has a value when one has not come in time

	mu    sync.Mutex
	owed  int         // answers
	final bool        // the newest message is the last one of a conversation
	timer *time.Timer // runs while answers are owed; nil without a limit

	// Of the goroutine of toChild: the beginning of the line that it is in.
	begun bool
	head  []byte
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

// ended tells whether the conversation has come to its end, and the child has
// answered that.
func (m *messages) ended() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.final && m.owed <= 0
}

// stop ends the time limit.
func (m *messages) stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.limit = 0
	if m.timer != nil {
		m.timer.Stop()
	}
}

// owe counts an answer that is owed, or one that has come.
func (m *messages) owe(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.owed += n
	switch {
	case m.limit <= 0:
	case m.owed > 0:
		m.timer.Reset(m.limit)
	default:
		m.timer.Stop()
	}
}

// toChild copies what Java writes until that has ended, or the child takes no
// more: then it returns the error.
func (m *messages) toChild(child io.Writer, java io.Reader) error {
	small := make([]byte, idleSize)
	var large *[busySize]byte
	for {
		buffer := small
		if large != nil {
			buffer = large[:]
		}
		n, err := java.Read(buffer)
		m.look(buffer[:n])
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

// look looks at what goes to the child next.
func (m *messages) look(p []byte) {
	for len(p) > 0 {
		if !m.begun {
			m.begun, m.head = true, m.head[:0]
			m.owe(1)
		}
		line, rest, whole := bytes.Cut(p, []byte("\n"))
		const most = 100 // the last messages are short
		m.head = append(m.head, line[:min(len(line), most-len(m.head))]...)
		if whole {
			m.begun = false
			m.mu.Lock()
			m.final = isFinal(m.head)
			m.mu.Unlock()
		}
		p = rest
	}
}

func isFinal(line []byte) bool {
	action := actionOf(line)
	return action == "leaseLost" || action == "shardEnded"
}

// actionOf returns what a message is, nothing if it is none.
func actionOf(line []byte) string {
	var message struct {
		Action string `json:"action"`
	}
	if json.Unmarshal(line, &message) != nil {
		return ""
	}
	return message.Action
}

// toJava copies the messages that a child writes, whole lines, until its output
// has ended. Other lines, which KCL passes over, go to stray.
func (m *messages) toJava(java, stray io.Writer, child io.Reader) {
	in := bufio.NewReaderSize(child, idleSize)
	var line []byte
	within := false // a line that is too long
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
		case !within && (action == "status" || action == "checkpoint"):
			m.owe(-1)
			java.Write(line) // an error says that Java has closed, which ends toChild
		case within || len(bytes.TrimSpace(line)) > 0:
			stray.Write(line)
		}
		line, within = line[:0], full
		if err != nil && !full {
			return
		}
	}
}
