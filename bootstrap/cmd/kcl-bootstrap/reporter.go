package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap/engine"
	"github.com/seed96110120/kinesis-client-go/bootstrap/internal/lines"
)

// settleTime is how long the number of shards must be unchanged before it is printed: KCL
// takes and returns them in bursts.
const settleTime = 300 * time.Millisecond

// A reporter prints what Java reports: how many shards it holds, until it is asked to stop;
// which shards cannot be read; and KCL's log.
type reporter struct {
	say    func(string, ...any)
	stderr io.Writer
	ctx    context.Context
	bad    map[string]bool // the shards that cannot be read

	mu      sync.Mutex
	ready   bool
	shards  int
	told    int // the number that was printed last; -1: none yet
	settled *time.Timer
}

func newReporter(ctx context.Context, say func(string, ...any), stderr io.Writer) *reporter {
	t := &reporter{say: say, stderr: stderr, ctx: ctx, bad: make(map[string]bool), told: -1}
	t.settled = time.AfterFunc(settleTime, t.holding)
	t.settled.Stop()
	return t
}

// event prints an event. It is called by one goroutine.
func (t *reporter) event(e engine.Event) {
	switch e := e.(type) {
	case engine.State:
		if e == engine.Ready {
			t.mu.Lock()
			t.ready = true
			t.mu.Unlock()
			t.settled.Reset(settleTime)
		}
	case engine.Leases:
		t.mu.Lock()
		t.shards = len(e.LeaseKeys)
		t.mu.Unlock()
		t.settled.Reset(settleTime)
	case engine.ShardError:
		if !t.bad[e.LeaseKey] {
			t.bad[e.LeaseKey] = true
			t.say("shard %s cannot be read, %s failed: %s", e.LeaseKey, e.Operation, causes(e.Causes))
		}
	case engine.ShardRecovered:
		if t.bad[e.LeaseKey] {
			delete(t.bad, e.LeaseKey)
			t.say("shard %s is read again", e.LeaseKey)
		}
	case engine.LogRecord:
		io.WriteString(t.stderr, logLine(time.Now(), e))
	}
}

func (t *reporter) holding() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ready || t.shards == t.told || t.ctx.Err() != nil {
		return
	}
	if t.told < 0 {
		t.say("ready: initialised, holding %s", plural(t.shards, "shard"))
	} else {
		t.say("holding %s", plural(t.shards, "shard"))
	}
	t.told = t.shards
}

// between separates the lines of a text and the parts of a record.
const between = " | "

// logLine returns a record of KCL's log as one line.
func logLine(now time.Time, r engine.LogRecord) string {
	logger := r.Logger[strings.LastIndexByte(r.Logger, '.')+1:]
	line := fmt.Sprintf("%s %-5s %s - %s", now.Format("2006-01-02T15:04:05.000Z07:00"), r.Level, logger, r.Message)
	if r.LeaseKey != "" {
		line += between + "shard " + r.LeaseKey
	}
	if len(r.Causes) > 0 {
		line += between + causes(r.Causes)
	}
	if r.Dropped > 0 {
		line += between + plural(r.Dropped, "record") + " before it dropped"
	}
	return oneLine(line) + "\n"
}

func causes(all []engine.Cause) string {
	var texts []string
	for _, c := range all {
		text := c.Class
		if c.Message != "" {
			text += ": " + c.Message
		}
		texts = append(texts, text)
	}
	return oneLine(strings.Join(texts, between))
}

func oneLine(text string) string {
	var parts []string
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return lines.Plain(strings.Join(parts, between))
}
