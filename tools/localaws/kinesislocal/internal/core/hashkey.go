package core

import (
	"crypto/md5"
	"encoding/binary"
	"math/big"
	"math/bits"
	"strconv"
)

// HashKey is a position in the hash key space of a stream, 0 to 2^128-1.
type HashKey struct{ hi, lo uint64 }

// MaxHashKey is the last hash key, 2^128-1.
var MaxHashKey = HashKey{^uint64(0), ^uint64(0)}

// HashKeyOf returns the hash key of a partition key: its MD5 sum as a big-endian
// number.
func HashKeyOf(partitionKey string) HashKey {
	sum := md5.Sum([]byte(partitionKey))
	return HashKey{binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:])}
}

// ParseHashKey parses a decimal number from 0 to 2^128-1.
func ParseHashKey(s string) (HashKey, bool) {
	if s == "" || len(s) > 39 {
		return HashKey{}, false
	}
	var k HashKey
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 {
			return HashKey{}, false
		}
		over, hi := bits.Mul64(k.hi, 10)
		carryHi, lo := bits.Mul64(k.lo, 10)
		lo, carry := bits.Add64(lo, uint64(c), 0)
		hi, carry = bits.Add64(hi, carryHi, carry)
		if over+carry != 0 {
			return HashKey{}, false
		}
		k = HashKey{hi, lo}
	}
	return k, true
}

// String returns the decimal number.
func (k HashKey) String() string {
	if k.hi == 0 {
		return strconv.FormatUint(k.lo, 10)
	}
	return new(big.Int).SetBytes(k.bytes()).String()
}

func (k HashKey) bytes() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, k.hi), k.lo)
}

// Compare returns -1, 0 or 1 if k is below, equal to or above other.
func (k HashKey) Compare(other HashKey) int {
	switch {
	case k == other:
		return 0
	case k.hi < other.hi || k.hi == other.hi && k.lo < other.lo:
		return -1
	}
	return 1
}

// next and prev wrap around at the ends of the space.
func (k HashKey) next() HashKey {
	lo, carry := bits.Add64(k.lo, 1, 0)
	return HashKey{k.hi + carry, lo}
}

func (k HashKey) prev() HashKey {
	lo, borrow := bits.Sub64(k.lo, 1, 0)
	return HashKey{k.hi - borrow, lo}
}

// HashKeyRange is a range of hash keys, including both ends.
type HashKeyRange struct{ First, Last HashKey }

// uniformRanges divides the whole space into n ranges of equal size. Range i
// starts at floor(i*2^128/n). All boundaries of n ranges are therefore boundaries
// of 2n ranges, and resharding leaves no ranges of only a key or two.
func uniformRanges(n int) []HashKeyRange {
	ranges := make([]HashKeyRange, n)
	for i := range ranges {
		ranges[i].First = uniformBoundary(i, n)
		if i > 0 {
			ranges[i-1].Last = ranges[i].First.prev()
		}
	}
	ranges[n-1].Last = MaxHashKey
	return ranges
}

func uniformBoundary(i, n int) HashKey {
	b := new(big.Int).Lsh(big.NewInt(int64(i)), 128)
	b.Quo(b, big.NewInt(int64(n)))
	var buf [16]byte
	b.FillBytes(buf[:])
	return HashKey{binary.BigEndian.Uint64(buf[:8]), binary.BigEndian.Uint64(buf[8:])}
}
