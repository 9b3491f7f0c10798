package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/consumer-sample/internal/live"
	"github.com/seed96110120/kinesis-client-go/processor/worker"
)

const daemonName = "MultiLangDaemon " + bootstrap.DaemonVersion

const (
	// tellInterval is how often a worker's status is looked at.
	tellInterval = 50 * time.Millisecond
	// settleTime is how long the number of shards must have stood still to be
	// told: the daemon takes and returns them in bursts.
	settleTime = 300 * time.Millisecond
)

// A teller says in lines for people what has changed in a worker's status.
type teller struct {
	say func(format string, args ...any)

	pid, restarts int
	ready         bool
	held          int       // shards
	heldSince     time.Time // when the number changed last
	toldHeld      int
	told          map[string]worker.Error // what was said of each error last
}

// tell compares s with what it has got before.
func (t *teller) tell(s worker.Status) {
	t.tellErrors(s.Errors)
	if s.Daemon.Restarts != t.restarts {
		t.restarts = s.Daemon.Restarts
		t.say("restarting %s, number %d", daemonName, t.restarts)
	}
	if pid := s.Daemon.PID; pid != 0 && pid != t.pid {
		t.pid, t.ready = pid, false
		// The form of this line is part of the command's interface.
		t.say("started %s, pid %d", daemonName, pid)
	}
	if s.Daemon.State == worker.DaemonReady {
		t.tellShards(s)
	}
}

// tellShards tells how many shards this worker has when that has settled.
func (t *teller) tellShards(s worker.Status) {
	held := 0
	for _, shard := range s.Shards {
		if live.Held(shard.State) {
			held++
		}
	}
	if held != t.held || t.heldSince.IsZero() {
		t.held, t.heldSince = held, s.Now
	}
	settled := s.Now.Sub(t.heldSince) >= settleTime
	switch {
	case !settled:
	case !t.ready:
		t.ready, t.toldHeld = true, held
		t.say("ready: initialised, holding %s", plural(held, "shard"))
	case held != t.toldHeld:
		t.toldHeld = held
		t.say("holding %s", plural(held, "shard"))
	}
}

// tellErrors tells each error once, and one that comes again and again each
// time that it has come twice as often.
func (t *teller) tellErrors(errs []worker.Error) {
	now := make(map[string]worker.Error, len(errs))
	for _, e := range slices.Backward(errs) { // they are newest first
		key := e.ShardID + "\x00" + e.Text
		before, known := t.told[key]
		if b, ok := now[key]; ok {
			before, known = b, true
		}
		if known && !e.Time.After(before.Time) || known && e.Times > before.Times && e.Times < 2*before.Times {
			now[key] = before
			continue
		}
		now[key] = e
		text := e.Text
		if e.ShardID != "" && !strings.Contains(text, e.ShardID) {
			text = e.ShardID + ": " + text
		}
		if e.Times > 1 {
			text += fmt.Sprintf(" (%d times)", e.Times)
		}
		t.say("%s", text)
	}
	t.told = now
}

// received is how many records came in all.
func received(s worker.Status) (n int64) {
	for _, shard := range s.Shards {
		n += shard.Records
	}
	return n
}

func plural[N int | int64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// fetchProgress tells of a download: in the place of a line that changes on a
// terminal, in a line a second elsewhere.
type fetchProgress struct {
	say  func(format string, args ...any)
	note func(text string) bool // false: not on a terminal
	last time.Time
}

func (f *fetchProgress) report(p bootstrap.Progress) {
	const mb = 1e6
	done := p.Files == p.TotalFiles
	text := fmt.Sprintf("fetching %d of %d jars, %.1f of %.1f MB", p.Files, p.TotalFiles, float64(p.Bytes)/mb, float64(p.TotalBytes)/mb)
	switch {
	case done:
		f.note("")
		f.say("fetched %s: %d jars, %.1f MB", daemonName, p.TotalFiles, float64(p.TotalBytes)/mb)
	case f.note(text):
	case time.Since(f.last) >= time.Second:
		f.last = time.Now()
		f.say("%s", text)
	}
}
