package record

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"
)

// MinSensorSize is the least size, in bytes of data, that sensor records can be
// padded to.
const MinSensorSize = 96

// Sensors makes readings of sensors, as the sample producers of the other KCL
// languages do: {"time":<ms since the epoch>,"sensor":"sensor-<n>","reading":<n>}
// with the sensor as partition key.
type Sensors struct {
	left   int
	size   int
	random *rand.Rand
	now    func() time.Time
}

// NewSensors makes n records. Their data have size bytes each, by a field
// "padding", which must be at least MinSensorSize; 0 leaves the padding out.
func NewSensors(n, size int, random *rand.Rand) *Sensors {
	return &Sensors{left: n, size: size, random: random, now: time.Now}
}

// Next implements Source.
func (s *Sensors) Next() (Record, error) {
	if s.left == 0 {
		return Record{}, io.EOF
	}
	s.left--
	sensor := fmt.Sprintf("sensor-%d", s.random.IntN(100_000))
	data := fmt.Appendf(nil, `{"time":%d,"sensor":%q,"reading":%d}`,
		s.now().UnixMilli(), sensor, s.random.IntN(1_000_000))
	if s.size > 0 {
		const field = `,"padding":""}`
		data = data[:len(data)-1]
		data = fmt.Appendf(data, `,"padding":"%s"}`, strings.Repeat("x", s.size-len(data)-len(field)))
	}
	return Record{PartitionKey: sensor, Data: data}, nil
}
