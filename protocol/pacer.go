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
// run: a program with a large heap of its own is left alone, and so is one that
// the collector serves often enough by itself, as with small batches.
type pacer struct {
	batches int    // bytes since the collector's last run
	last    int    // bytes of the last batch
	runs    uint64 // of the collector
	gc      []metrics.Sample
}

// batch is called before size bytes are taken for a batch, while a line buffer
// of buffer bytes is alive.
func (p *pacer) batch(size, buffer int) {
	if p.gc == nil {
		p.gc = []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/gc/heap/live:bytes"}}
	}
	metrics.Read(p.gc)
	if runs := p.gc[0].Value.Uint64(); runs != p.runs {
		// What was taken while the collector ran has outlived that run, dead or
		// not: the last batch, perhaps.
		p.batches, p.runs = p.last, runs
	}
	others := int(p.gc[1].Value.Uint64()) - buffer
	if p.batches+size > max(unpaced, others) {
		runtime.GC()
		p.batches = 0
	}
	p.batches += size
	p.last = size
}
