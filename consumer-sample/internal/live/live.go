// Package live shows what a worker is about in the last lines of a terminal: a
// line for each shard, drawn over themselves, and above them what is printed.
// Where there is no terminal, only that is printed.
package live

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"

	"github.com/seed96110120/kinesis-client-go/processor/worker"
)

// interval is how often the lines are drawn.
const interval = 250 * time.Millisecond

// A Screen is where lines are printed. Its methods may be called concurrently.
type Screen struct {
	out *os.File

	mu      sync.Mutex
	program *tea.Program // nil: there are no live lines
	ended   chan struct{}

	note atomic.Value // string
}

// New makes a screen of a file, which has no live lines yet.
func New(out *os.File) *Screen { return &Screen{out: out} }

// Start shows live lines of status from now on if the file is a terminal that
// can do it.
func (s *Screen) Start(status func() worker.Status) {
	if os.Getenv("TERM") == "dumb" || !term.IsTerminal(int(s.out.Fd())) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	drawn := make(chan struct{})
	p := tea.NewProgram(&model{status: status, note: s.currentNote},
		tea.WithOutput(&terminal{File: s.out, drawn: sync.OnceFunc(func() { close(drawn) })}),
		// Nothing is read: the terminal stays as it is, and Ctrl-C a signal.
		tea.WithInput(nil),
		tea.WithoutSignalHandler(),
		tea.WithFPS(10),
		tea.WithColorProfile(colorprofile.Detect(s.out, os.Environ())), // NO_COLOR too
		// The library would ask the terminal what it can, and the answer would
		// end up at the shell's prompt: it does not ask this one.
		tea.WithEnvironment([]string{"TERM=xterm-256color", "TERM_PROGRAM=Apple_Terminal"}),
	)
	ended := make(chan struct{})
	s.program, s.ended = p, ended
	go func() {
		defer close(ended)
		p.Run() // when it fails, the terminal has gone: Println goes on without
	}()
	// Before its first frame the library does not know where to print above.
	select {
	case <-drawn:
	case <-ended:
	}
}

// A terminal tells when it was written to.
type terminal struct {
	*os.File
	drawn func()
}

func (t *terminal) Write(p []byte) (int, error) {
	defer t.drawn()
	return t.File.Write(p)
}

// Println prints a line, above the live ones if there are any.
func (s *Screen) Println(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.program != nil {
		select {
		case <-s.ended:
		default:
			// The library miscounts a line that fills its last row. And not
			// Program.Println, which blocks for good when the program ends.
			if width, _, err := term.GetSize(int(s.out.Fd())); err == nil && width > 1 {
				line = ansi.Wrap(line, width-1, "")
			}
			s.program.Send(tea.Println(line)())
			return
		}
	}
	fmt.Fprintln(s.out, line)
}

// Note sets a text to be shown with the live lines until it is empty. It returns
// false when there are none.
func (s *Screen) Note(text string) bool {
	s.note.Store(text)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.program != nil
}

func (s *Screen) currentNote() string {
	text, _ := s.note.Load().(string)
	return text
}

// Stop removes the live lines. Println still prints.
func (s *Screen) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.program == nil {
		return
	}
	s.program.Send(over{})
	<-s.ended
	s.program = nil
}

// model is what the library draws.
type model struct {
	status        func() worker.Status
	note          func() string
	width, height int
	lines         string
	over          bool
}

// What the library hands to a model, besides the terminal's size.
type (
	tick struct{}
	over struct{}
)

func again() tea.Cmd { return tea.Tick(interval, func(time.Time) tea.Msg { return tick{} }) }

func (m *model) Init() tea.Cmd { return again() }

func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		m.draw()
	case tick:
		m.draw()
		return m, again()
	case over:
		m.over = true
		return m, tea.Quit
	}
	return m, nil
}

func (m *model) draw() {
	m.lines = ""
	if m.width > 0 && m.height > 1 {
		m.lines = Lines(m.status(), m.note(), m.width, m.height-1)
	}
}

func (m *model) View() tea.View {
	var v tea.View
	v.DisableBracketedPasteMode = true
	if !m.over {
		// The cursor stays visible, so that nothing is to be restored after a
		// kill -9, on a line of its own for what is typed meanwhile. And the
		// library prints in the wrong place above nothing.
		v.SetContent(m.lines + "\n")
		v.Cursor = tea.NewCursor(0, strings.Count(v.Content, "\n"))
		v.Cursor.Blink = false
	}
	return v
}
