package protocol

import (
	"cmp"
	"strconv"
	"strings"
)

// The sequence numbers that are names of positions. A shard without a checkpoint
// starts at one of the first three. ShardEnd is the checkpoint of a shard that was read
// to its end.
const (
	TrimHorizon = "TRIM_HORIZON"
	Latest      = "LATEST"
	AtTimestamp = "AT_TIMESTAMP"
	ShardEnd    = "SHARD_END"
)

// Position is a place in a shard. The zero Position means that no place is given,
// and is null on the wire. Compare positions of one shard with Compare; == is
// right only if neither has leading zeros.
type Position struct {
	// SequenceNumber is a decimal number, or one of TrimHorizon, Latest,
	// AtTimestamp and ShardEnd.
	SequenceNumber string
	// SubSequenceNumber numbers the user records of one aggregate from 0. It is 0
	// for a record that was not aggregated. Read returns 0 for null on the wire.
	SubSequenceNumber int64
}

// IsZero reports whether p is the zero Position.
func (p Position) IsZero() bool { return p == Position{} }

// IsRecord reports whether p is the position of a record: a decimal sequence
// number and a sub-sequence number of 0 or more.
func (p Position) IsRecord() bool {
	return isDecimal(p.SequenceNumber) && p.SubSequenceNumber >= 0
}

// String returns "sequenceNumber/subSequenceNumber", or "none" for the zero
// Position.
func (p Position) String() string {
	if p.IsZero() {
		return "none"
	}
	return p.SequenceNumber + "/" + strconv.FormatInt(p.SubSequenceNumber, 10)
}

// Compare returns -1 if p is before q, 0 if they are the same position, and 1 if
// p is after q. It compares sequence numbers as numbers of any length, then
// sub-sequence numbers. As in KCL's ExtendedSequenceNumber, AtTimestamp,
// TrimHorizon and Latest, in this order, come before every number, and ShardEnd
// comes after. The zero Position, and a sequence number that is neither a number
// nor one of these names, come first.
func (p Position) Compare(q Position) int {
	a, b := rank(p.SequenceNumber), rank(q.SequenceNumber)
	if a != b {
		return cmp.Compare(a, b)
	}
	if a == rankNumber {
		if c := compareDecimal(p.SequenceNumber, q.SequenceNumber); c != 0 {
			return c
		}
	}
	return cmp.Compare(p.SubSequenceNumber, q.SubSequenceNumber)
}

const (
	rankNone = iota
	rankAtTimestamp
	rankTrimHorizon
	rankLatest
	rankNumber
	rankShardEnd
)

func rank(sequenceNumber string) int {
	switch sequenceNumber {
	case AtTimestamp:
		return rankAtTimestamp
	case TrimHorizon:
		return rankTrimHorizon
	case Latest:
		return rankLatest
	case ShardEnd:
		return rankShardEnd
	}
	if isDecimal(sequenceNumber) {
		return rankNumber
	}
	return rankNone
}

// compareDecimal compares two strings of digits as numbers. Without leading zeros
// the longer one is greater.
func compareDecimal(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return cmp.Compare(len(a), len(b))
	}
	return strings.Compare(a, b)
}

func isDecimal(s string) bool {
	for i := range len(s) {
		if s[i]-'0' > 9 {
			return false
		}
	}
	return s != ""
}
