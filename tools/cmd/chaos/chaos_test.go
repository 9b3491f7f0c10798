//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// A seed has the same faults each time, every kind among the first ones, and another
// seed has others.
func TestSchedule(t *testing.T) {
	take := func(seed uint64, n int) (taken []planned) {
		for p := range schedule(seed, kinds) {
			if len(taken) == n {
				break
			}
			taken = append(taken, p)
		}
		return taken
	}
	n := 3 * len(kinds)
	if !slices.Equal(take(7, n), take(7, n)) {
		t.Error("one seed has two schedules")
	}
	if slices.Equal(take(7, n), take(8, n)) {
		t.Error("two seeds have one schedule")
	}
	first := take(7, len(kinds))
	for _, k := range kinds {
		if !slices.ContainsFunc(first, func(p planned) bool { return p.kind == k }) {
			t.Errorf("the first %d faults have no %s", len(kinds), k.name)
		}
	}
}

func TestUsage(t *testing.T) {
	occupied := t.TempDir()
	if err := os.WriteFile(filepath.Join(occupied, "mine"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]struct {
		status int
		text   string
	}{
		"--help":              {0, "go run ./tools/cmd/chaos --for 30m"},
		"--list":              {0, "java-kill          kill -9 of Java\n"},
		"--for 0s":            {2, "--for 0s is not above 0"},
		"--kinds x":           {2, `there is no kind "x"`},
		"--seed -1":           {2, "invalid argument"},
		"x":                   {2, `unexpected argument "x"`},
		"--fly":               {2, "unknown flag"},
		"--dir " + occupied:   {1, "is not empty"},
		"--dir /dev/null/sub": {1, "not a directory"},
	} {
		var stdout, stderr bytes.Buffer
		status := execute(t.Context(), strings.Fields(args), &stdout, &stderr)
		if text := stdout.String() + stderr.String(); status != want.status || !strings.Contains(text, want.text) || (status == 0) != (stderr.Len() == 0) {
			t.Errorf("%s: status %d, want %d with %q: %s", args, status, want.status, want.text, text)
		}
	}
}

// The files grow while they are followed, and lose a last line that was not whole.
func TestProgress(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "worker-1", "data")
	if err := os.MkdirAll(data, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p := &progress{dir: dir, read: map[string]int64{}, shards: map[string]*shard{}}
	begin := time.Now()
	ack := func(n int, at time.Time) string {
		return fmt.Sprintf(`{"put":%d,"key":"k"}`+"\n"+`{"ack":%d,"shard":"s","seq":"%d","at":%d}`+"\n", n, n, n, at.UnixMilli())
	}
	line := func(n int, at time.Time) string {
		return fmt.Sprintf(`{"n":%d,"key":"k","seq":"%d","at":%d}`+"\n", n, n, at.UnixMilli())
	}
	old := begin.Add(-10 * time.Second)
	for _, step := range []struct {
		journal, file           string
		acked, written, waiting int
		longest                 time.Duration
		caughtUp                bool
	}{
		{"", "", 0, 0, 0, 0, false},
		{ack(9, old), "", 1, 0, 1, 10 * time.Second, false},
		{ack(9, old) + ack(10, begin), `{"n":9,"key`, 2, 0, 2, 10 * time.Second, false},
		{ack(9, old) + ack(10, begin), line(9, begin.Add(-5*time.Second)), 2, 1, 1, 0, false},
		{ack(9, old) + ack(10, begin), line(9, begin.Add(-5*time.Second)) + line(10, begin.Add(time.Second)), 2, 2, 0, 0, true},
	} {
		write(filepath.Join(dir, "journal.jsonl"), step.journal)
		write(filepath.Join(data, "s.jsonl"), step.file)
		if err := p.update(); err != nil {
			t.Fatal(err)
		}
		acked, written, waiting, longest := p.figures()
		if acked != step.acked || written != step.written || waiting != step.waiting || (longest < step.longest || longest > step.longest+5*time.Second) {
			t.Errorf("%+v: %d put, %d written, %d wait, the longest for %v", step, acked, written, waiting, longest)
		}
		if got := p.caughtUp([]string{"s"}, begin); got != step.caughtUp {
			t.Errorf("%+v: caught up: %v", step, got)
		}
	}
}

// Three minutes of every change: what is quick of all kinds, by fixed seeds. How long it
// takes until a shard goes on is not looked at, for other tests run beside these.
func TestChaos(t *testing.T) {
	testenv.Long(t)
	testenv.Java(t)
	testenv.Workspace(t)
	for _, seed := range []string{"1", "2"} {
		var stdout, stderr bytes.Buffer
		status := execute(t.Context(), []string{"--for", "1m", "--seed", seed}, &stdout, &stderr)
		t.Logf("%s%s", &stderr, &stdout)
		if status != 0 {
			t.Errorf("seed %s: status %d", seed, status)
		}
	}
}
