package protocol

import (
	"cmp"
	"strconv"
	"strings"
)

// The sequence numbers that stand for a place rather than for a record: where
// a shard without a checkpoint starts, and a shard read to its end.
const (
	TrimHorizon = "TRIM_HORIZON"
	Latest      = "LATEST"
	AtTimestamp = "AT_TIMESTAMP"
	ShardEnd    = "SHARD_END"
)

// Position is a place in a shard. The zero Position stands for null on the
// wire: no place given. Positions of one shard are comparable with Compare;
// == is right only for positions that were written alike (no leading zeros).
type Position struct {
	// SequenceNumber is a decimal number, or one of TrimHorizon, Latest,
	// AtTimestamp and ShardEnd.
	SequenceNumber string
	// SubSequenceNumber tells the user records of one aggregate apart; it is 0
	// for a record that was not aggregated.
	SubSequenceNumber int64
}

// IsZero reports whether p gives no place.
func (p Position) IsZero() bool { return p == Position{} }

// IsRecord reports whether p is a record's place: a decimal sequence number
// and a sub-sequence number of 0 or more.
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

// Compare returns -1, 0 or 1 as p is before, at or after q. Sequence numbers
// are compared as numbers of any length, then sub-sequence numbers. As in KCL
// (ExtendedSequenceNumber) AtTimestamp, TrimHorizon and Latest, in this order,
// come before every number, and ShardEnd after; the zero Position, and anything
// that is neither a number nor one of these names, comes before all.
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

// compareDecimal orders two strings of digits by the numbers they write: the
// longer one is the greater, once the leading zeros are gone.
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
