package processortest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/protocol"
)

// Recorder writes a conversation down as it stands on the wire, one message a
// line, which begins with "> " for the daemon's and with "< " for the
// processor's; blank lines are left out. It holds the records' data: keep it as
// you keep those.
//
// Serve the processor with [processor.Run] over Input and Output, of os.Stdin
// and os.Stdout to record a real daemon. Unlike Main, Run catches no signals: the
// program has to catch SIGTERM and SIGINT, which reach the daemon and its
// children alike, or the end is not recorded. An error of the transcript's writer
// ends the conversation.
type Recorder struct {
	mu sync.Mutex
	w  io.Writer
}

// NewRecorder returns a Recorder that writes to w.
func NewRecorder(w io.Writer) *Recorder { return &Recorder{w: w} }

// Input returns a reader of stdin that records what is read.
func (r *Recorder) Input(stdin io.Reader) io.Reader {
	return io.TeeReader(stdin, &half{recorder: r, prefix: "> "})
}

// Output returns a writer to stdout that records what is written, before it
// is: so the daemon's answer cannot come first.
func (r *Recorder) Output(stdout io.Writer) io.Writer {
	return io.MultiWriter(&half{recorder: r, prefix: "< "}, stdout)
}

// half is one direction of a recorded conversation.
type half struct {
	recorder *Recorder
	prefix   string
	line     []byte // its beginning
}

func (h *half) Write(p []byte) (int, error) {
	rest := p
	for {
		part, after, whole := bytes.Cut(rest, []byte("\n"))
		h.line = append(h.line, part...)
		if !whole {
			return len(p), nil
		}
		if line := bytes.TrimSpace(h.line); len(line) > 0 {
			if err := h.recorder.write(h.prefix, line); err != nil {
				return 0, err
			}
		}
		h.line, rest = h.line[:0], after
	}
}

func (r *Recorder) write(prefix string, line []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := fmt.Fprintf(r.w, "%s%s\n", prefix, line); err != nil {
		return fmt.Errorf("processortest: cannot write the transcript: %w", err)
	}
	return nil
}

// Play holds p to a transcript, as a [Recorder] writes it: it sends the
// daemon's messages and compares the processor's, as messages, so that neither
// white space nor the order of keys matters. Blank lines and those that begin
// with # are comments. The first difference ends the test.
//
// In the end the input is closed; the result is that of [Daemon.Close].
func Play(t testing.TB, transcript io.Reader, p processor.RecordProcessor, opts ...processor.Option) error {
	t.Helper()
	var shard Shard
	d := shard.Start(t, p, opts...)
	lines := bufio.NewReader(transcript)
	for n := 1; ; n++ {
		line, err := lines.ReadString('\n')
		if err == io.EOF && line == "" {
			return d.Close()
		}
		if err != nil && err != io.EOF {
			t.Fatalf("processortest: line %d of the transcript: %v", n, err)
		}
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		m, err := message(line)
		if err == nil {
			err = d.step(line[0], m)
		}
		if err != nil {
			d.fatal(fmt.Sprintf("line %d of the transcript: %v", n, err))
		}
	}
}

// message decodes a line of a transcript.
func message(line string) (protocol.Message, error) {
	if line[0] != '>' && line[0] != '<' {
		return nil, fmt.Errorf("it begins with %q, want >, < or #", line[0])
	}
	return protocol.NewReader(strings.NewReader(line[1:] + "\n")).Read()
}

// step does what a line of a transcript says.
func (d *Daemon) step(direction byte, m protocol.Message) error {
	if direction == '<' {
		return d.expect(m)
	}
	if err := d.send(m); err != nil {
		return d.unanswered(m.Action(), err)
	}
	return nil
}
