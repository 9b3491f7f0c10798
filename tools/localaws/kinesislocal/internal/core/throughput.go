package core

import "time"

// The throughput of a shard with real limits. A consumer that subscribes has
// readBytesPerSecond to itself.
const (
	writeBytesPerSecond   = 1 << 20
	writeRecordsPerSecond = 1000
	readBytesPerSecond    = 2 << 20
	readsPerSecond        = 5
)

// paceStep is how long a subscription that is at its limit waits before it
// looks again.
const paceStep = 50 * time.Millisecond

// meter measures against a rate, with one second of it to spend at once. What
// is spent drains at the rate.
type meter struct {
	spent float64
	at    time.Time
}

func (m *meter) drain(now time.Time, rate float64) {
	m.spent = max(0, m.spent-rate*now.Sub(m.at).Seconds())
	m.at = now
}

// fits tells whether there is room for n. More than a second's worth fits when
// nothing is spent.
func (m *meter) fits(n int, now time.Time, rate float64) bool {
	m.drain(now, rate)
	return m.spent == 0 || m.spent+float64(n) <= rate
}

// free tells whether there is anything left: what is then spent may be more,
// and is waited for afterwards.
func (m *meter) free(now time.Time, rate float64) bool {
	m.drain(now, rate)
	return m.spent < rate
}

func (m *meter) add(n int, now time.Time, rate float64) {
	m.drain(now, rate)
	m.spent += float64(n)
}

// throughput is what a shard took and gave lately.
type throughput struct{ writtenBytes, written, readBytes, reads meter }

// write counts a record, unless the shard has no room for it now.
func (t *throughput) write(size int, now time.Time) bool {
	if !t.writtenBytes.fits(size, now, writeBytesPerSecond) || !t.written.fits(1, now, writeRecordsPerSecond) {
		return false
	}
	t.writtenBytes.add(size, now, writeBytesPerSecond)
	t.written.add(1, now, writeRecordsPerSecond)
	return true
}

// read counts a call of GetRecords, unless the shard has no room for it now.
func (t *throughput) read(now time.Time) bool {
	if !t.readBytes.free(now, readBytesPerSecond) || !t.reads.fits(1, now, readsPerSecond) {
		return false
	}
	t.reads.add(1, now, readsPerSecond)
	return true
}

func (t *throughput) gave(bytes int, now time.Time) {
	t.readBytes.add(bytes, now, readBytesPerSecond)
}

func (st *stream) throttled(sh *shard) *Error {
	return errorf(ThroughputExceeded, "Rate exceeded for shard %s in stream %s under account %s.", sh.id, st.name, st.account)
}
