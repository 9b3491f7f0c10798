package record

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"
)

// MinSensorSize is the smallest size in bytes that the data of sensor records can be
// padded to.
const MinSensorSize = 96

// Sensors makes readings of sensors, as the sample producers of the other KCL languages
// do: {"time":<ms since 1970>,"sensor":"sensor-<n>","reading":<n>}. The partition key is
// the sensor.
type Sensors struct {
	left   int
	size   int
	random *rand.Rand
	now    func() time.Time
}

// SensorOptions are the optional settings of Sensors.
type SensorOptions struct {
	// Size is the size of each record's data in bytes, at least MinSensorSize. A field
	// "padding" fills it up. Defaults to the size of the reading.
	Size int
	// Random makes the sensors and their readings. Defaults to a random seed.
	Random *rand.Rand
}

// NewSensors returns a Source of n records. A nil opts means the defaults.
func NewSensors(n int, opts *SensorOptions) *Sensors {
	s := &Sensors{left: n, now: time.Now}
	if opts != nil {
		s.size, s.random = opts.Size, opts.Random
	}
	if s.random == nil {
		s.random = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	return s
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
