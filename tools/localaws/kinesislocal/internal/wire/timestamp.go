package wire

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// timestamp is a time, to the millisecond. In JSON it is a decimal number of
// seconds since 1970. In CBOR it is tag 1 with an integer of milliseconds: this
// contradicts RFC 8949, but the SDK for Java sends and expects it. A floating-point
// number in CBOR is in seconds, as in the RFC.
type timestamp struct{ time.Time }

// orZero returns the time, or the zero time for nil.
func (t *timestamp) orZero() time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}

var errTimestamp = errors.New("a timestamp is not a number of seconds since 1970 (of milliseconds, as an integer in CBOR)")

// maxMillis is the end of the year 9999.
const maxMillis = 253402300799_999

func (t *timestamp) setMillis(ms float64) error {
	if !(ms >= 0 && ms <= maxMillis) { // NaN too
		return errTimestamp
	}
	t.Time = time.UnixMilli(int64(math.Round(ms)))
	return nil
}

// MarshalJSON implements json.Marshaler.
func (t timestamp) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(t.UnixMilli())/1000, 'f', -1, 64), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *timestamp) UnmarshalJSON(b []byte) error {
	var seconds float64
	if json.Unmarshal(b, &seconds) != nil {
		return errTimestamp
	}
	return t.setMillis(seconds * 1000)
}

// MarshalCBOR implements cbor.Marshaler.
func (t timestamp) MarshalCBOR() ([]byte, error) {
	return cborEncoder.Marshal(cbor.Tag{Number: 1, Content: t.UnixMilli()})
}

// UnmarshalCBOR implements cbor.Unmarshaler.
func (t *timestamp) UnmarshalCBOR(b []byte) error {
	const majorTag = 6
	if len(b) > 0 && b[0]>>5 == majorTag {
		var tag cbor.RawTag
		if cborDecoder.Unmarshal(b, &tag) != nil || tag.Number != 1 {
			return errTimestamp
		}
		b = tag.Content
	}
	var number any
	if cborDecoder.Unmarshal(b, &number) != nil {
		return errTimestamp
	}
	switch n := number.(type) {
	case uint64:
		return t.setMillis(float64(n))
	case float64:
		return t.setMillis(n * 1000)
	}
	return errTimestamp
}
