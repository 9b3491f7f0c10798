package core

import "time"

// The throughput of a shard with Options.ThroughputLimits. Each consumer that
// subscribes has its own readBytesPerSecond.
const (
	writeBytesPerSecond   = 1 << 20
	writeRecordsPerSecond = 1000
	readBytesPerSecond    = 2 << 20
	readsPerSecond        = 5
)

// paceStep is how long a subscription at its limit waits before it tries again.
const paceStep = 50 * time.Millisecond

// meter is a leaky bucket: it takes one second's worth of a rate at once, and
// drains at the rate.
type meter struct {
	spent float64
	at    time.Time
}

// level returns how full the bucket is now.
func (m meter) level(now time.Time, rate float64) float64 {
	return max(0, m.spent-rate*now.Sub(m.at).Seconds())
}

// fits reports whether there is room for n. More than a second's worth fits
// into an empty bucket.
func (m meter) fits(n int, now time.Time, rate float64) bool {
	level := m.level(now, rate)
	return level == 0 || level+float64(n) <= rate
}

// hasRoom reports whether there is room for anything. The caller may then add
// more than fits, and the bucket takes longer to drain.
func (m meter) hasRoom(now time.Time, rate float64) bool { return m.level(now, rate) < rate }

func (m *meter) add(n int, now time.Time, rate float64) {
	m.spent, m.at = m.level(now, rate)+float64(n), now
}

// throughput counts what a shard took and returned lately.
type throughput struct{ writtenBytes, written, readBytes, reads meter }

// write counts a record and returns true, or returns false when the shard has
// no room for it now.
func (t *throughput) write(size int, now time.Time) bool {
	if !t.writtenBytes.fits(size, now, writeBytesPerSecond) || !t.written.fits(1, now, writeRecordsPerSecond) {
		return false
	}
	t.writtenBytes.add(size, now, writeBytesPerSecond)
	t.written.add(1, now, writeRecordsPerSecond)
	return true
}

// read counts a call of GetRecords and returns true, or returns false when the
// shard has no room for it now.
func (t *throughput) read(now time.Time) bool {
	if !t.readBytes.hasRoom(now, readBytesPerSecond) || !t.reads.fits(1, now, readsPerSecond) {
		return false
	}
	t.reads.add(1, now, readsPerSecond)
	return true
}

// returned counts the bytes that a call of GetRecords returned.
func (t *throughput) returned(bytes int, now time.Time) {
	t.readBytes.add(bytes, now, readBytesPerSecond)
}

func (st *stream) throttledError(sh *shard) *Error {
	return errorf(ThroughputExceeded, "Rate exceeded for shard %s in stream %s under account %s.", sh.id, st.name, st.account)
}
