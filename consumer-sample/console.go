package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
)

// console is a worker's log that also tells people what the worker does, in
// lines on standard error. What the daemon logs is for the log alone.
type console struct {
	slog.Handler // the log
	say          func(format string, args ...any)
	daemon       bool
}

func (c console) Handle(ctx context.Context, r slog.Record) error {
	if !c.daemon && r.Level >= slog.LevelInfo {
		text := r.Message
		r.Attrs(func(a slog.Attr) bool {
			text += fmt.Sprintf(", %s %v", a.Key, a.Value)
			return true
		})
		c.say("%s", strings.ReplaceAll(text, "\n", " | "))
	}
	return c.Handler.Handle(ctx, r)
}

func (c console) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		c.daemon = c.daemon || a.Key == "source" && a.Value.String() == "daemon"
	}
	c.Handler = c.Handler.WithAttrs(attrs)
	return c
}

func (c console) WithGroup(name string) slog.Handler {
	c.Handler = c.Handler.WithGroup(name)
	return c
}

// fetchProgress tells of a download: beside the live lines if there are any, in
// a line a second if not.
type fetchProgress struct {
	say  func(format string, args ...any)
	note func(text string) bool // false: there are none
	last time.Time
}

func (f *fetchProgress) report(p bootstrap.Progress) {
	const mb = 1e6
	if p.Files == p.TotalFiles {
		f.note("")
		return
	}
	text := fmt.Sprintf("fetching %d of %d jars, %.1f of %.1f MB", p.Files, p.TotalFiles, float64(p.Bytes)/mb, float64(p.TotalBytes)/mb)
	if !f.note(text) && time.Since(f.last) >= time.Second {
		f.last = time.Now()
		f.say("%s", text)
	}
}

// describe returns an error as lines for the user.
func describe(err error) (lines []string) {
	var config *bootstrap.ConfigError
	if !errors.As(err, &config) {
		return strings.Split(err.Error(), "\n")
	}
	for _, finding := range config.Findings {
		lines = append(lines, finding.String())
	}
	return lines
}
