package live

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/worker"
)

var update = flag.Bool("update", false, "write the golden files")

var now = time.Date(2026, 11, 23, 3, 13, 43, 0, time.UTC)

func shardID(n int) string { return fmt.Sprintf("shardId-%012d", n) }

// busy is a worker with everything that there is to show.
func busy() worker.Status {
	return worker.Status{
		Application: "kclgosample", Now: now, Started: now.Add(-time.Hour),
		Daemon: worker.Daemon{State: worker.DaemonReady, Since: now.Add(-75 * time.Second), PID: 17, Restarts: 1},
		Shards: []worker.Shard{
			{ShardID: shardID(0), State: worker.ShardProcessing, MillisBehindLatest: 125_000, RecordsPerSecond: 1234.4, CheckpointTime: now.Add(-400 * time.Millisecond)},
			{ShardID: shardID(1), State: worker.ShardIdle, MillisBehindLatest: 0, CheckpointTime: now.Add(-26 * time.Hour)},
			{ShardID: shardID(2), State: worker.ShardWaiting, MillisBehindLatest: processor.UnknownLag},
			{ShardID: shardID(3), State: worker.ShardFailed, MillisBehindLatest: 800, RecordsPerSecond: 3.25, CheckpointTime: now.Add(-42 * time.Second)},
			{ShardID: shardID(4), State: worker.ShardStopping, MillisBehindLatest: 3_720_000, CheckpointTime: now.Add(-10 * time.Minute)},
			{ShardID: shardID(5), State: worker.ShardEnded},
			{ShardID: shardID(6), State: worker.ShardLost},
		},
	}
}

// many is a worker of n shards, each with more lag than the one before.
func many(n int) worker.Status {
	s := busy()
	s.Shards = nil
	for i := range n {
		s.Shards = append(s.Shards, worker.Shard{ShardID: shardID(i), State: worker.ShardProcessing, MillisBehindLatest: int64(i) * 1000, RecordsPerSecond: 10, CheckpointTime: now})
	}
	return s
}

func TestLines(t *testing.T) {
	fetching := busy()
	fetching.Shards, fetching.Daemon = nil, worker.Daemon{State: worker.DaemonPreparing, Since: now}
	failed := many(20)
	failed.Shards[2].State = worker.ShardFailed
	for name, tc := range map[string]struct {
		status        worker.Status
		note          string
		width, height int
	}{
		"new":       {worker.Status{Daemon: worker.Daemon{State: worker.DaemonNew}}, "", 80, 24},
		"fetching":  {fetching, "fetching MultiLangDaemon 3.1.3: 12 of 76 jars, 10.0 of 41.2 MB", 80, 24},
		"wide":      {busy(), "", 120, 40},
		"80x24":     {busy(), "", 80, 24},
		"narrow":    {busy(), "", 48, 24},
		"narrower":  {busy(), "", 30, 24},
		"tiny":      {busy(), "", 9, 3},
		"many":      {many(20), "", 80, 24},
		"failed":    {failed, "", 80, 12},
		"just fits": {many(10), "", 80, 24},
		"low":       {many(20), "", 80, 5},
	} {
		t.Run(name, func(t *testing.T) {
			got := Lines(tc.status, tc.note, tc.width, tc.height)
			lines := strings.Split(got, "\n")
			for _, line := range lines {
				if w := ansi.StringWidth(line); w > tc.width {
					t.Errorf("%d columns, there are %d: %q", w, tc.width, line)
				}
			}
			if len(lines) > max(1, tc.height-1) {
				t.Errorf("%d lines on a terminal of %d", len(lines), tc.height)
			}
			golden := filepath.Join("testdata", strings.ReplaceAll(name, " ", "-")+".txt")
			plain := ansi.Strip(got) + "\n"
			if *update {
				if err := os.WriteFile(golden, []byte(plain), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if plain != strings.ReplaceAll(string(want), "\r\n", "\n") {
				t.Errorf("got\n%swant\n%s", plain, want)
			}
		})
	}
}

// Whatever the size, nothing is wider or higher than the terminal.
func FuzzLinesFit(f *testing.F) {
	f.Add(uint16(80), uint16(24), uint8(3))
	f.Add(uint16(1), uint16(1), uint8(100))
	f.Fuzz(func(t *testing.T, width, height uint16, shards uint8) {
		if width == 0 || height == 0 {
			return // not drawn
		}
		lines := strings.Split(Lines(many(int(shards)), "", int(width), int(height)), "\n")
		if len(lines) > int(height) {
			t.Errorf("%d lines of %d", len(lines), height)
		}
		for _, line := range lines {
			if w := ansi.StringWidth(line); w > int(width) {
				t.Errorf("%d columns of %d: %q", w, width, line)
			}
		}
	})
}
