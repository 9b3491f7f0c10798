package live

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/worker"
)

// isHeld reports whether a shard in this state is this worker's.
func isHeld(state worker.ShardState) bool {
	return state != worker.ShardLost && state != worker.ShardEnded
}

// Lines returns what a terminal of that size shows of a status: what the worker
// is about, and a line for each shard that it has. When they do not fit into
// half of the height, it is those with the most lag. The note, if any, stands
// in the place of how long the state has lasted.
func Lines(s worker.Status, note string, width, height int) string {
	var held []worker.Shard
	ended := 0
	for _, shard := range s.Shards {
		if isHeld(shard.State) {
			held = append(held, shard)
		} else if shard.State == worker.ShardEnded {
			ended++
		}
	}
	lines := []string{summary(s, held, ended, note)}
	if most := max(height/2-2, 1); len(held) > most && height > 3 {
		most = max(most-1, 1) // one for those that are left out
		left := len(held) - most
		slices.SortStableFunc(held, func(a, b worker.Shard) int { return cmp.Compare(urgency(b), urgency(a)) })
		lines = append(lines, table(s.Now, held[:most], width)...)
		lines = append(lines, faint(fmt.Sprintf("and %d more", left)))
	} else if height > 3 {
		lines = append(lines, table(s.Now, held, width)...)
	}
	for i, line := range lines {
		lines[i] = ansi.Truncate(line, width, "…")
	}
	return strings.Join(lines, "\n")
}

// urgency orders shards: first those that failed, then by lag. One whose lag is
// not known yet has had no batch.
func urgency(s worker.Shard) int64 {
	if s.State == worker.ShardFailed {
		return 1<<63 - 1
	}
	return s.MillisBehindLatest
}

var (
	bold  = ansi.Style{}.Bold().Styled
	faint = ansi.Style{}.Faint().Styled
)

func summary(s worker.Status, held []worker.Shard, ended int, note string) string {
	state := string(s.Daemon.State)
	if !s.Daemon.Since.IsZero() && note == "" {
		state += " " + duration(s.Now.Sub(s.Daemon.Since))
	}
	parts := []string{bold(s.Application), state}
	if note != "" {
		parts = append(parts, note)
	}
	if len(held) > 0 {
		rate, shards := 0.0, "1 shard"
		for _, shard := range held {
			rate += shard.RecordsPerSecond
		}
		if len(held) > 1 {
			shards = fmt.Sprintf("%d shards", len(held))
		}
		parts = append(parts, shards, perSecond(rate))
	}
	if ended > 0 {
		parts = append(parts, fmt.Sprintf("%d ended", ended))
	}
	if n := s.Daemon.Restarts; n == 1 {
		parts = append(parts, "1 restart")
	} else if n > 1 {
		parts = append(parts, fmt.Sprintf("%d restarts", n))
	}
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return ansi.StringWidth(p) == 0 }), "  ")
}

// A column of the table; those in the right of it go first when the terminal is
// narrow.
type column struct {
	title string
	right bool // aligned
	cell  func(now time.Time, s worker.Shard) string
}

var columns = []column{
	{"SHARD", false, func(_ time.Time, s worker.Shard) string { return s.ShardID }},
	{"STATE", false, func(_ time.Time, s worker.Shard) string { return string(s.State) }},
	{"LAG", true, func(_ time.Time, s worker.Shard) string { return lag(s.MillisBehindLatest) }},
	{"RATE", true, func(_ time.Time, s worker.Shard) string { return perSecond(s.RecordsPerSecond) }},
	{"CHECKPOINT", true, func(now time.Time, s worker.Shard) string {
		if s.CheckpointTime.IsZero() {
			return "none"
		}
		return duration(now.Sub(s.CheckpointTime)) + " ago"
	}},
}

var colours = map[worker.ShardState]ansi.Style{
	worker.ShardWaiting:    ansi.Style{}.ForegroundColor(ansi.Yellow),
	worker.ShardIdle:       ansi.Style{}.Faint(),
	worker.ShardProcessing: ansi.Style{}.ForegroundColor(ansi.Green),
	worker.ShardStopping:   ansi.Style{}.ForegroundColor(ansi.Yellow),
	worker.ShardFailed:     ansi.Style{}.ForegroundColor(ansi.Red),
}

// gap stands between two columns.
const gap = "  "

// table returns a line of titles and one for each shard; nothing for none.
func table(now time.Time, shards []worker.Shard, width int) []string {
	if len(shards) == 0 {
		return nil
	}
	rows := [][]string{nil}
	for _, c := range columns {
		rows[0] = append(rows[0], c.title)
	}
	for _, s := range shards {
		var row []string
		for _, c := range columns {
			row = append(row, c.cell(now, s))
		}
		rows = append(rows, row)
	}
	widths := columnWidths(rows)
	if total(widths) > width { // an ID is mostly zeros
		for _, row := range rows[1:] {
			row[0] = shortID(row[0])
		}
		widths = columnWidths(rows)
	}
	for total(widths) > width && len(widths) > 3 {
		widths = widths[:len(widths)-1]
	}
	var lines []string
	for i, row := range rows {
		var cells []string
		for j, w := range widths {
			pad := strings.Repeat(" ", max(0, w-ansi.StringWidth(row[j])))
			switch {
			case columns[j].right:
				cells = append(cells, pad+row[j])
			case i > 0 && columns[j].title == "STATE":
				cells = append(cells, colours[shards[i-1].State].Styled(row[j])+pad)
			default:
				cells = append(cells, row[j]+pad)
			}
		}
		line := strings.TrimRight(strings.Join(cells, gap), " ")
		if i == 0 {
			line = faint(line)
		}
		lines = append(lines, line)
	}
	return lines
}

func columnWidths(rows [][]string) []int {
	widths := make([]int, len(columns))
	for _, row := range rows {
		for j, cell := range row {
			widths[j] = max(widths[j], ansi.StringWidth(cell))
		}
	}
	return widths
}

func total(widths []int) int {
	n := len(gap) * (len(widths) - 1)
	for _, w := range widths {
		n += w
	}
	return n
}

// shortID returns the number of a shard without its zeros: 17 for
// shardId-000000000017.
func shortID(id string) string {
	number, ok := strings.CutPrefix(id, "shardId-")
	if !ok {
		return id
	}
	if number = strings.TrimLeft(number, "0"); number == "" {
		return "0"
	}
	return number
}

func lag(millis int64) string {
	switch {
	case millis == processor.UnknownLag:
		return "?"
	case millis == 0:
		return "0"
	}
	return duration(time.Duration(millis) * time.Millisecond)
}

func perSecond(rate float64) string {
	if rate > 0 && rate < 9.95 {
		return fmt.Sprintf("%.1f/s", rate)
	}
	return fmt.Sprintf("%.0f/s", rate)
}

// duration returns a time in two units at most.
func duration(d time.Duration) string {
	switch {
	case d < 9950*time.Millisecond:
		return fmt.Sprintf("%.1f s", max(d, 0).Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", d.Truncate(time.Second).Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", d/time.Minute, d%time.Minute/time.Second)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %02d min", d/time.Hour, d%time.Hour/time.Minute)
	default:
		return fmt.Sprintf("%d d %02d h", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	}
}
