package protocol

import (
	"runtime"
	"runtime/metrics"
)

// Up to this much of batches may lie about in any program.
const unpaced = 8 << 20

// pacer bounds the memory that dead batches take. Left to itself the collector
// lets the heap double, a long line's buffer included: at 10 MiB a batch that
// is many times the line. The pacer counts batches alone, and has the collector
// run before they are more than everything else that was alive after its last
// run: a program with a large heap of its own is left alone.
type pacer struct {
	batches int // bytes since the last run
	others  int // bytes alive after it, line buffer apart
	live    []metrics.Sample
}

// batch is called before size bytes are taken for a batch, while a line buffer
// of buffer bytes is alive.
func (p *pacer) batch(size, buffer int) {
	p.batches += size
	if p.batches <= max(unpaced, p.others) {
		return
	}
	runtime.GC()
	if p.live == nil {
		p.live = []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	}
	metrics.Read(p.live)
	p.batches, p.others = size, int(p.live[0].Value.Uint64())-buffer
}
