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

// Recorder records a conversation as a transcript: one line for each message, as it
// was sent, after "> " if the daemon sent it or "< " if the processor did. Blank
// lines are omitted. The transcript contains the records' data: protect it like
// them.
//
// To record a real daemon, call [processor.Run] with r.Input(os.Stdin) and
// r.Output(os.Stdout) instead of [processor.Main]. Unlike Main, Run does not catch
// signals. The program must catch SIGTERM and SIGINT, which the daemon and its
// processors get at the same time; otherwise the end is not recorded. An error of
// the transcript's writer ends the conversation.
type Recorder struct {
	mu sync.Mutex
	w  io.Writer
}

// NewRecorder returns a Recorder that writes to w.
func NewRecorder(w io.Writer) *Recorder { return &Recorder{w: w} }

// Input returns a reader of stdin that records what it reads.
func (r *Recorder) Input(stdin io.Reader) io.Reader {
	return io.TeeReader(stdin, &lineRecorder{recorder: r, prefix: "> "})
}

// Output returns a writer to stdout that records what it writes. It records first,
// so that the daemon's answer comes after it.
func (r *Recorder) Output(stdout io.Writer) io.Writer {
	return io.MultiWriter(&lineRecorder{recorder: r, prefix: "< "}, stdout)
}

// lineRecorder records one direction of a conversation.
type lineRecorder struct {
	recorder *Recorder
	prefix   string
	line     []byte // the beginning of the next line
}

func (l *lineRecorder) Write(p []byte) (int, error) {
	rest := p
	for {
		part, after, whole := bytes.Cut(rest, []byte("\n"))
		l.line = append(l.line, part...)
		if !whole {
			return len(p), nil
		}
		if line := bytes.TrimSpace(l.line); len(line) > 0 {
			if err := l.recorder.write(l.prefix, line); err != nil {
				return 0, err
			}
		}
		l.line, rest = l.line[:0], after
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

// Play replays a transcript of a [Recorder]: it sends the daemon's messages to p and
// compares p's messages with the transcript. It compares messages, so white space
// and the order of keys do not matter. Blank lines and lines that begin with #
// are ignored. The first difference ends the test. A nil opts means the defaults.
//
// At the end of the transcript Play closes p's input and returns the result of
// [Daemon.Close].
func Play(t testing.TB, transcript io.Reader, p processor.RecordProcessor, opts *processor.Options) error {
	t.Helper()
	var shard Shard
	d := shard.Start(t, p, opts)
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
		m, err := parseLine(line)
		if err == nil {
			err = d.playLine(line[0], m)
		}
		if err != nil {
			d.fatal(fmt.Sprintf("line %d of the transcript: %v", n, err))
		}
	}
}

// parseLine decodes a line of a transcript.
func parseLine(line string) (protocol.Message, error) {
	if line[0] != '>' && line[0] != '<' {
		return nil, fmt.Errorf("it begins with %q, want >, < or #", line[0])
	}
	return protocol.NewReader(strings.NewReader(line[1:]+"\n"), nil).Read()
}

// playLine sends or expects a line of a transcript.
func (d *Daemon) playLine(direction byte, m protocol.Message) error {
	if direction == '<' {
		return d.expect(m)
	}
	if err := d.send(m); err != nil {
		return d.unansweredError(m.Action(), err)
	}
	return nil
}
