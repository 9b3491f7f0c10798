package worker

import (
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
)

const (
	sampleEvery = 2 * time.Second
	samplesKept = 60
	// The rate is that of so many samples and what has come since.
	rateSamples = 5
)

// A history counts in slots of sampleEvery. It keeps the last ones in a ring,
// so that it never grows, and closes a slot when it is next written or read.
type history struct {
	began  time.Time // the lease
	slot   int64     // the number of the slot in progress
	count  int64     // records in it
	millis int64     // lag
	ring   [samplesKept]point
	next   int // place in ring
}

// A point is a slot that is over; the zero point is none.
type point struct {
	slot, count, millis int64
}

func slotAt(t time.Time) int64 { return t.UnixNano() / int64(sampleEvery) }

// begin begins a lease. What was before it stays, with a gap.
func (h *history) begin(now time.Time) {
	h.began, h.slot, h.count, h.millis = now, max(h.slot, slotAt(now)), 0, processor.UnknownLag
}

// advance closes the slots that are over at now. A clock that is set back
// stretches the slot in progress.
func (h *history) advance(now time.Time) {
	slot := slotAt(now)
	if slot-h.slot > samplesKept { // the others would be overwritten
		h.slot, h.count = slot-samplesKept, 0
	}
	for ; h.slot < slot; h.slot++ {
		h.ring[h.next] = point{slot: h.slot, count: h.count, millis: h.millis}
		h.next = (h.next + 1) % samplesKept
		h.count = 0
	}
}

func (h *history) add(now time.Time, records int, millis int64) {
	h.advance(now)
	h.count += int64(records)
	h.millis = millis
}

// rate is in records per second.
func (h *history) rate(now time.Time) float64 {
	from, count := h.slot-rateSamples, h.count
	for _, p := range h.ring {
		if p.slot >= from && p.slot < h.slot {
			count += p.count
		}
	}
	since := time.Unix(0, from*int64(sampleEvery))
	if since.Before(h.began) {
		since = h.began
	}
	// Less than a slot says little of a second.
	return float64(count) / max(now.Sub(since), sampleEvery).Seconds()
}

// samples lists the slots of the last 2 minutes, oldest first.
func (h *history) samples(now time.Time) []Sample {
	all := make([]Sample, 0, samplesKept)
	oldest := slotAt(now) - samplesKept
	for i := range samplesKept {
		p := h.ring[(h.next+i)%samplesKept]
		if p.slot == 0 || p.slot < oldest {
			continue
		}
		all = append(all, Sample{
			Time:               time.Unix(0, (p.slot+1)*int64(sampleEvery)),
			MillisBehindLatest: p.millis,
			RecordsPerSecond:   float64(p.count) / sampleEvery.Seconds(),
		})
	}
	return all
}
