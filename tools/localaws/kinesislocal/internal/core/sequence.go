package core

import (
	"math/bits"
	"strconv"
)

// SequenceNumber identifies a record of a stream. As on AWS, it is a number of 186
// bits, 56 decimal digits that start with about 49, and it rises from record to
// record within a shard and from a parent to its children. From the highest bit
// to the lowest:
//
//	 4 bits  2, the version
//	36 bits  epoch: when the shard was created, in seconds since 1970; always
//	         later than the epochs of its parents
//	 4 bits  the low bits of the shard's number
//	64 bits  index of the record in the shard, from 1
//	 8 bits  0
//	36 bits  when the record was put, in seconds since 1970
//	32 bits  the shard's number
//	 4 bits  2, the version
type SequenceNumber struct{ hi, mid, lo uint64 }

const (
	sequenceVersion = 2
	secondsMask     = 1<<36 - 1

	// lastIndex is above the index of every record. The ending sequence number
	// of a closed shard has it.
	lastIndex = 1<<63 - 1
)

func newSequenceNumber(epoch int64, shard uint32, index uint64, seconds int64) SequenceNumber {
	e, t := uint64(epoch)&secondsMask, uint64(seconds)&secondsMask
	return SequenceNumber{
		hi:  sequenceVersion<<56 | e<<20 | uint64(shard&0xf)<<16 | index>>48,
		mid: index<<16 | t>>28,
		lo:  t<<36 | uint64(shard)<<4 | sequenceVersion,
	}
}

func (n SequenceNumber) epoch() int64  { return int64(n.hi >> 20 & secondsMask) }
func (n SequenceNumber) shard() uint32 { return uint32(n.lo >> 4) }
func (n SequenceNumber) index() uint64 { return n.hi<<48 | n.mid>>16 }
func (n SequenceNumber) seconds() int64 {
	return int64(n.mid&0xff)<<28 | int64(n.lo>>36)
}

// Compare returns -1, 0 or 1 if n is below, equal to or above other.
func (n SequenceNumber) Compare(other SequenceNumber) int {
	a, b := [...]uint64{n.hi, n.mid, n.lo}, [...]uint64{other.hi, other.mid, other.lo}
	for i := range a {
		if a[i] != b[i] {
			if a[i] < b[i] {
				return -1
			}
			return 1
		}
	}
	return 0
}

// ParseSequenceNumber parses a sequence number. It returns false for a number that
// this package cannot have made.
func ParseSequenceNumber(s string) (SequenceNumber, bool) {
	if len(s) != 56 {
		return SequenceNumber{}, false
	}
	var n SequenceNumber
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 {
			return SequenceNumber{}, false
		}
		// 56 digits are below 2^187: hi does not overflow.
		carryMid, lo := bits.Mul64(n.lo, 10)
		carryHi, mid := bits.Mul64(n.mid, 10)
		lo, c0 := bits.Add64(lo, uint64(c), 0)
		mid, c1 := bits.Add64(mid, carryMid, c0)
		n = SequenceNumber{n.hi*10 + carryHi + c1, mid, lo}
	}
	if n != newSequenceNumber(n.epoch(), n.shard(), n.index(), n.seconds()) {
		return SequenceNumber{}, false
	}
	return n, true
}

// String returns the decimal number.
func (n SequenceNumber) String() string {
	const group, digits = 1e19, 19 // the largest power of ten in 64 bits
	var buf [3 * digits]byte
	hi, mid, lo := n.hi, n.mid, n.lo
	for end := len(buf); end > 0; end -= digits {
		var rest uint64
		hi, rest = hi/group, hi%group
		mid, rest = bits.Div64(rest, mid, group)
		lo, rest = bits.Div64(rest, lo, group)
		var tmp [digits]byte
		text := strconv.AppendUint(tmp[:0], rest, 10)
		pad := end - len(text)
		copy(buf[pad:end], text)
		for i := end - digits; i < pad; i++ {
			buf[i] = '0'
		}
	}
	i := 0
	for i < len(buf)-1 && buf[i] == '0' {
		i++
	}
	return string(buf[i:])
}
