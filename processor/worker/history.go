package worker

import (
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
)

const (
	sampleEvery = 2 * time.Second
	samplesKept = 60
	// The rate is that of the last rateSamples samples and of the slot in progress.
	rateSamples = 5
)

// A history counts records in slots of sampleEvery. It keeps the last samplesKept
// slots, and closes a slot when it is next written or read.
type history struct {
	began  time.Time // when the session began
	slot   int64     // number of the slot in progress
	count  int64     // records in it
	millis int64     // lag
	ring   [samplesKept]closedSlot
	next   int // index in ring
}

// A closedSlot is a slot that is over; the zero value is none.
type closedSlot struct {
	slot, count, millis int64
}

func slotAt(t time.Time) int64 { return t.UnixNano() / int64(sampleEvery) }

// begin begins a session. Earlier slots stay, with a gap after them.
func (h *history) begin(now time.Time) {
	h.began, h.slot, h.count, h.millis = now, max(h.slot, slotAt(now)), 0, processor.UnknownLag
}

// advance closes the slots that are over at now. If the clock is set back, the slot in
// progress lasts longer.
func (h *history) advance(now time.Time) {
	slot := slotAt(now)
	if slot-h.slot > samplesKept { // the others would be overwritten
		h.slot, h.count = slot-samplesKept, 0
	}
	for ; h.slot < slot; h.slot++ {
		h.ring[h.next] = closedSlot{slot: h.slot, count: h.count, millis: h.millis}
		h.next = (h.next + 1) % samplesKept
		h.count = 0
	}
}

func (h *history) add(now time.Time, records int, millis int64) {
	h.advance(now)
	h.count += int64(records)
	h.millis = millis
}

// rate returns the records per second.
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
	// A shorter time than a slot says little about a second.
	return float64(count) / max(now.Sub(since), sampleEvery).Seconds()
}

// samples returns the slots of the last 2 minutes, oldest first.
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
