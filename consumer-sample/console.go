package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/processor/worker"
)

// console is a handler for the worker's log. It also prints what the worker logs at
// Info and above. What KCL logs has the attribute "logger" and is not printed.
type console struct {
	slog.Handler        // of the log file
	with         string // the attributes of Logger.With as text, such as the shard
}

func (c console) Handle(ctx context.Context, r slog.Record) error {
	text, show := r.Message+c.with, r.Level >= slog.LevelInfo
	r.Attrs(func(a slog.Attr) bool {
		text += attrText(a)
		show = show && a.Key != "logger"
		return true
	})
	if show {
		printLine("%s", text)
	}
	return c.Handler.Handle(ctx, r)
}

func (c console) WithAttrs(attrs []slog.Attr) slog.Handler {
	c.Handler = c.Handler.WithAttrs(attrs)
	for _, a := range attrs {
		c.with += attrText(a)
	}
	return c
}

func attrText(a slog.Attr) string { return fmt.Sprintf(", %s %v", a.Key, a.Value) }

func (c console) WithGroup(name string) slog.Handler {
	c.Handler = c.Handler.WithGroup(name)
	return c
}

var stderr io.Writer = os.Stderr // replaced by tests

// printLine prints one line to standard error. It replaces characters that a
// terminal might interpret.
func printLine(format string, args ...any) {
	text := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " | "))
	fmt.Fprintln(stderr, "consumer-sample: "+text)
}

// printProgress prints every five seconds how many records were written, if any were
// since the line before. It returns when ctx ends.
func printProgress(ctx context.Context, status func() worker.Status) {
	const interval = 5 * time.Second
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for printed := recordsWritten.Load(); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := recordsWritten.Load()
		if now == printed {
			continue
		}
		shards := 0
		for _, s := range status().Shards {
			if s.Left.IsZero() {
				shards++
			}
		}
		printLine("%d records written so far, %.0f a second, shards %d", now, float64(now-printed)/interval.Seconds(), shards)
		printed = now
	}
}

// downloadPrinter returns a function that prints the progress of a download, at most
// once a second.
func downloadPrinter() func(bootstrap.Progress) {
	var last time.Time
	return func(p bootstrap.Progress) {
		if time.Since(last) >= time.Second {
			last = time.Now()
			what := "Java"
			if p.TotalFiles > 1 {
				what = fmt.Sprintf("%d of %d jars", p.Files, p.TotalFiles)
			}
			printLine("fetching %s, %.1f of %.1f MB", what, float64(p.Bytes)/1e6, float64(p.TotalBytes)/1e6)
		}
	}
}

// errorLines returns an error as lines for the user.
func errorLines(err error) (lines []string) {
	var config *bootstrap.ConfigError
	if !errors.As(err, &config) {
		return strings.Split(err.Error(), "\n")
	}
	for _, finding := range config.Findings {
		lines = append(lines, finding.String())
	}
	return lines
}
