package worker

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// The sparklines' canvas; style.css stretches it.
const (
	sparkWidth  = 120
	sparkHeight = 28
	sparkSpan   = samplesKept * sampleEvery
)

// A spark is a curve over the last 2 minutes, which end at the right.
type spark struct {
	Line, Area string // SVG paths, empty when there is nothing to draw
	Label      string // the same in words
}

// lagSpark and rateSpark scale to the greatest value, but not below a second
// and a record per second, so that a lag of milliseconds looks like none.
func lagSpark(history []Sample, now time.Time) spark {
	return newSpark(history, now, 1000,
		func(s Sample) (float64, bool) {
			return float64(s.MillisBehindLatest), s.MillisBehindLatest != processor.UnknownLag
		},
		func(v float64) string { return millisText(int64(v)) })
}

func rateSpark(history []Sample, now time.Time) spark {
	return newSpark(history, now, 1,
		func(s Sample) (float64, bool) { return s.RecordsPerSecond, true },
		func(v float64) string { return rate(v) + " records a second" })
}

func newSpark(history []Sample, now time.Time, least float64, value func(Sample) (float64, bool), text func(float64) string) spark {
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
		return spark{Label: "no course yet"}
	}
	var line, area strings.Builder
	var run []Sample // without a gap
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
	return spark{
		Line:  line.String(),
		Area:  area.String(),
		Label: fmt.Sprintf("last 2 minutes: from %s to %s, at most %s", text(first), text(last), text(most)),
	}
}

// total is the history of all shards: the sum of their rates, the greatest lag.
func total(shards []Shard) []Sample {
	all := make(map[int64]Sample)
	for _, shard := range shards {
		for _, s := range shard.History {
			at := s.Time.UnixNano()
			sum, ok := all[at]
			if !ok {
				sum = Sample{Time: s.Time, MillisBehindLatest: processor.UnknownLag}
			}
			sum.RecordsPerSecond += s.RecordsPerSecond
			sum.MillisBehindLatest = max(sum.MillisBehindLatest, s.MillisBehindLatest)
			all[at] = sum
		}
	}
	return slices.SortedFunc(maps.Values(all), func(x, y Sample) int { return cmp.Compare(x.Time.UnixNano(), y.Time.UnixNano()) })
}

// trend says where a lag goes, by the last half minute; "" when that is not
// clear, or the lag is less than a second.
func trend(history []Sample, millis int64) string {
	if millis < 1000 {
		return ""
	}
	history = history[max(0, len(history)-15):]
	history = slices.DeleteFunc(slices.Clone(history), func(s Sample) bool { return s.MillisBehindLatest == processor.UnknownLag })
	if len(history) < 3 {
		return ""
	}
	first, last := history[0], history[len(history)-1]
	// Milliseconds that are lost for each that passes: 1 for a shard that is
	// not read at all.
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
