package main

import (
	"fmt"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
)

const mb = 1e6

// A progress shows the progress of a download, and nothing if the cache has everything. end
// is called after it, even if it failed.
type progress interface {
	report(bootstrap.Progress)
	end()
}

// progress returns a bar on a terminal, else lines, or silence if quiet.
func (c *command) progress(name string, quiet bool) progress {
	switch {
	case quiet:
		return silence{}
	case term.IsTerminal(int(c.stderr.Fd())):
		return &bar{name: name, out: c.stderr, say: c.say}
	default:
		return &logLines{name: name, say: c.say}
	}
}

type silence struct{}

func (silence) report(bootstrap.Progress) {}
func (silence) end()                      {}

// logLines are for a log file: one at the start, one each second, one at the end.
type logLines struct {
	name string
	say  func(string, ...any)
	last time.Time
}

func (l *logLines) report(p bootstrap.Progress) {
	if done := p.Files == p.TotalFiles; !done && time.Since(l.last) < time.Second {
		return
	}
	l.last = time.Now()
	files := ""
	if p.TotalFiles > 1 { // Java is one
		files = fmt.Sprintf("%d of %d jars, ", p.Files, p.TotalFiles)
	}
	l.say("fetching %s: %s%.1f of %.1f MB", l.name, files, float64(p.Bytes)/mb, float64(p.TotalBytes)/mb)
}

func (*logLines) end() {}

// A bar is redrawn in place, and replaced by a line at the end.
type bar struct {
	name string
	out  *os.File
	say  func(string, ...any)
	bar  *progressbar.ProgressBar
	last bootstrap.Progress
}

func (b *bar) report(p bootstrap.Progress) {
	b.last = p
	if b.bar == nil {
		b.bar = progressbar.NewOptions64(p.TotalBytes,
			progressbar.OptionSetWriter(b.out),
			progressbar.OptionSetDescription("kcl-bootstrap: fetching "+b.name),
			progressbar.OptionShowBytes(true),
			progressbar.OptionSetWidth(20), // all of it in 80 columns
			progressbar.OptionSetPredictTime(false),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionSetRenderBlankState(true),
		)
	}
	// One byte less until all files are complete: the bar considers itself finished at
	// the last byte.
	bytes := p.Bytes
	if p.Files < p.TotalFiles {
		bytes = min(bytes, p.TotalBytes-1)
	}
	b.bar.Set64(bytes)
}

func (b *bar) end() {
	if b.bar == nil {
		return
	}
	b.bar.Clear()
	if b.last.Files == b.last.TotalFiles {
		files := ""
		if b.last.TotalFiles > 1 {
			files = fmt.Sprintf("%d jars, ", b.last.Files)
		}
		b.say("fetched %s: %s%.1f MB", b.name, files, float64(b.last.Bytes)/mb)
	}
}
