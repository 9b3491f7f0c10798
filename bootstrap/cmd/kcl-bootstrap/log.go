package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// A lineHandler prints the packages' log as the command's own lines.
type lineHandler struct {
	say   func(string, ...any)
	attrs []slog.Attr
}

func (lineHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

func (h lineHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Message)
	tell := func(a slog.Attr) bool {
		fmt.Fprintf(&b, ", %s %v", a.Key, a.Value)
		return true
	}
	for _, a := range h.attrs {
		tell(a)
	}
	r.Attrs(tell)
	h.say("%s", b.String())
	return nil
}

func (h lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.attrs = append(h.attrs[:len(h.attrs):len(h.attrs)], attrs...)
	return h
}

func (h lineHandler) WithGroup(string) slog.Handler { return h }
