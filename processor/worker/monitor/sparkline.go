package monitor

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/worker"
)

// The size of a sparkline, which style.css stretches, and the time that it shows.
const (
	sparkWidth  = 120
	sparkHeight = 28
	sparkSpan   = 2 * time.Minute
	sampleEvery = 2 * time.Second // in worker.ShardStatus.History
)

// A sparkline is a curve over the last 2 minutes, with the present at the right.
type sparkline struct {
	Line, Area string // SVG paths, empty if there is nothing to draw
	Label      string // the same in words
}

// lagSparkline and rateSparkline scale to the greatest value, but at least to a second
// and a record per second, so that a lag of milliseconds looks like none.
func lagSparkline(history []worker.Sample, now time.Time) sparkline {
	return newSparkline(history, now, 1000,
		func(s worker.Sample) (float64, bool) {
			return float64(s.MillisBehindLatest), s.MillisBehindLatest != processor.UnknownLag
		},
		func(v float64) string { return millisText(int64(v)) })
}

func rateSparkline(history []worker.Sample, now time.Time) sparkline {
	return newSparkline(history, now, 1,
		func(s worker.Sample) (float64, bool) { return s.RecordsPerSecond, true },
		func(v float64) string { return rate(v) + " records a second" })
}

func newSparkline(history []worker.Sample, now time.Time, least float64, value func(worker.Sample) (float64, bool), text func(float64) string) sparkline {
	var first, last, most float64
	known := 0
	for _, s := range history {
		if v, ok := value(s); ok {
			if known == 0 {
				first = v
			}
			last, most = v, max(most, v)
			known++
		}
	}
	if known < 2 {
		return sparkline{Label: "no history yet"}
	}
	var line, area strings.Builder
	var run []worker.Sample // without a gap
	draw := func() {
		if len(run) > 1 {
			for i, s := range run {
				v, _ := value(s)
				x := sparkWidth * (1 - float64(now.Sub(s.Time))/float64(sparkSpan))
				y := 1 + (sparkHeight-2)*(1-v/max(most, least))
				if i == 0 {
					fmt.Fprintf(&line, "M%.1f %.1f", x, y)
					fmt.Fprintf(&area, "M%.1f %dL%.1f %.1f", x, sparkHeight, x, y)
					continue
				}
				fmt.Fprintf(&line, "L%.1f %.1f", x, y)
				fmt.Fprintf(&area, "L%.1f %.1f", x, y)
				if i == len(run)-1 {
					fmt.Fprintf(&area, "L%.1f %dZ", x, sparkHeight)
				}
			}
		}
		run = run[:0]
	}
	for _, s := range history {
		if _, ok := value(s); !ok || len(run) > 0 && s.Time.Sub(run[len(run)-1].Time) > sampleEvery {
			draw()
			if !ok {
				continue
			}
		}
		run = append(run, s)
	}
	draw()
	return sparkline{
		Line:  line.String(),
		Area:  area.String(),
		Label: fmt.Sprintf("last 2 minutes: from %s to %s, at most %s", text(first), text(last), text(most)),
	}
}

// totalHistory returns the history of all shards together: the sum of their rates and
// their greatest lag.
func totalHistory(shards []worker.ShardStatus) []worker.Sample {
	all := make(map[int64]worker.Sample)
	for _, shard := range shards {
		for _, s := range shard.History {
			at := s.Time.UnixNano()
			sum, ok := all[at]
			if !ok {
				sum = worker.Sample{Time: s.Time, MillisBehindLatest: processor.UnknownLag}
			}
			sum.RecordsPerSecond += s.RecordsPerSecond
			sum.MillisBehindLatest = max(sum.MillisBehindLatest, s.MillisBehindLatest)
			all[at] = sum
		}
	}
	return slices.SortedFunc(maps.Values(all), func(x, y worker.Sample) int { return cmp.Compare(x.Time.UnixNano(), y.Time.UnixNano()) })
}

// trend returns how a lag has changed in the last half minute, or "" if that is not clear
// or the lag is less than a second.
func trend(history []worker.Sample, millis int64) string {
	if millis < 1000 {
		return ""
	}
	history = history[max(0, len(history)-15):]
	history = slices.DeleteFunc(slices.Clone(history), func(s worker.Sample) bool { return s.MillisBehindLatest == processor.UnknownLag })
	if len(history) < 3 {
		return ""
	}
	first, last := history[0], history[len(history)-1]
	// How many milliseconds the lag grows in each millisecond: 1 if the shard is not read
	// at all.
	slope := float64(last.MillisBehindLatest-first.MillisBehindLatest) / float64(last.Time.Sub(first.Time).Milliseconds())
	switch {
	case slope < -.05:
		left := time.Duration(float64(millis) / -slope * float64(time.Millisecond))
		return "caught up in about " + duration(max(left, time.Second).Round(time.Second))
	case slope > .2:
		return "growing"
	default:
		return ""
	}
}
