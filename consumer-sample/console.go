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

// console is a worker's log that also tells people what the worker does, in
// lines on standard error. What KCL logs, which names its logger, is for the log
// alone.
type console struct {
	slog.Handler // the log
}

func (c console) Handle(ctx context.Context, r slog.Record) error {
	text, own := r.Message, r.Level >= slog.LevelInfo
	r.Attrs(func(a slog.Attr) bool {
		text += fmt.Sprintf(", %s %v", a.Key, a.Value)
		own = own && a.Key != "logger"
		return true
	})
	if own {
		say("%s", text)
	}
	return c.Handler.Handle(ctx, r)
}

func (c console) WithAttrs(attrs []slog.Attr) slog.Handler {
	c.Handler = c.Handler.WithAttrs(attrs)
	return c
}

func (c console) WithGroup(name string) slog.Handler {
	c.Handler = c.Handler.WithGroup(name)
	return c
}

var stderr io.Writer = os.Stderr // tests have another

// say tells people something, in a line on standard error, whatever is in it.
func say(format string, args ...any) {
	text := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) { // a terminal might obey it
			return unicode.ReplacementChar
		}
		return r
	}, strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " | "))
	fmt.Fprintln(stderr, "consumer-sample: "+text)
}

// tellRecords tells every few seconds how many records were written since the
// line before, if there were any, until ctx ends.
func tellRecords(ctx context.Context, status func() worker.Status) {
	const interval = 5 * time.Second
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for told := written.Load(); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := written.Load()
		if now == told {
			continue
		}
		shards := 0
		for _, s := range status().Shards {
			if s.Left.IsZero() {
				shards++
			}
		}
		say("%d records written so far, %.0f a second, shards %d", now, float64(now-told)/interval.Seconds(), shards)
		told = now
	}
}

// tellDownload returns what tells of a download, in a line a second.
func tellDownload() func(bootstrap.Progress) {
	var last time.Time
	return func(p bootstrap.Progress) {
		if time.Since(last) >= time.Second {
			last = time.Now()
			what := "Java"
			if p.TotalFiles > 1 {
				what = fmt.Sprintf("%d of %d jars", p.Files, p.TotalFiles)
			}
			say("fetching %s, %.1f of %.1f MB", what, float64(p.Bytes)/1e6, float64(p.TotalBytes)/1e6)
		}
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
