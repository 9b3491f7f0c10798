package protocol

import (
	"math"
	"strings"
	"time"
)

// fastDecoder decodes lines in the form that the daemon writes: no white space,
// no duplicate keys, no unknown keys. A first pass over the line notes where each
// value is. A second pass allocates memory of the exact size and fills it: one
// allocation for the data of all records, one for their texts, one for the
// records.
type fastDecoder struct {
	found []foundRecord // reused
}

// A longer list is not kept for the next batch. KCL's batches have at most
// 10,000 records by default.
const keepFound = 10_000

// foundRecord notes where a record's fields are in the line.
type foundRecord struct {
	data                         optional[span]
	partitionKey, sequenceNumber span
	subSequenceNumber            int64
	arrival                      optional[int64]
}

const (
	fieldAction = iota
	fieldRecords
	fieldMillisBehindLatest
	fieldShardID
	fieldSequenceNumber
	fieldSubSequenceNumber
	fieldError
	fieldReason
	fieldResponseFor
)

var messageFields = []string{
	fieldAction:             `"action":`,
	fieldRecords:            `"records":`,
	fieldMillisBehindLatest: `"millisBehindLatest":`,
	fieldShardID:            `"shardId":`,
	fieldSequenceNumber:     `"sequenceNumber":`,
	fieldSubSequenceNumber:  `"subSequenceNumber":`,
	fieldError:              `"error":`,
	fieldReason:             `"reason":`,
	fieldResponseFor:        `"responseFor":`,
}

const (
	recordData = iota
	recordPartitionKey
	recordSequenceNumber
	recordArrival
	recordSubSequenceNumber
	recordAction
)

// recordFields are in the order in which the daemon writes them, which is tried first.
var recordFields = []string{
	recordData:              `"data":`,
	recordPartitionKey:      `"partitionKey":`,
	recordSequenceNumber:    `"sequenceNumber":`,
	recordArrival:           `"approximateArrivalTimestamp":`,
	recordSubSequenceNumber: `"subSequenceNumber":`,
	recordAction:            `"action":`,
}

// fast decodes line, or declines it. A line that it declines may be valid. A line
// that it decodes, slow decodes to the same envelope.
func (d *fastDecoder) fast(line []byte) (e envelope, ok bool) {
	if len(line) > math.MaxInt32 {
		return e, false
	}
	c := cursor{line: line}
	var hasRecords bool
	var o object
	for {
		field := c.field(&o, messageFields)
		if field == endOfObject {
			break
		}
		switch field {
		case fieldAction:
			e.action = known(c.text().value.of(line))
		case fieldRecords:
			hasRecords = d.find(&c)
		case fieldMillisBehindLatest:
			e.millisBehindLatest = c.number()
		case fieldShardID:
			e.shardID = c.string().value
		case fieldSequenceNumber:
			e.sequenceNumber = c.string()
		case fieldSubSequenceNumber:
			e.subSequenceNumber = c.number()
		case fieldError:
			e.err = c.string().value
		case fieldReason:
			e.reason = c.string().value
		case fieldResponseFor:
			e.responseFor = c.string().value
		}
	}
	if c.declined || c.at != len(line) || e.action == "" || hasRecords != (e.action == ActionProcessRecords) {
		return e, false
	}
	if hasRecords {
		e.records, ok = d.fill(line)
		return e, ok
	}
	return e, true
}

// find is the first pass. It notes where the fields of each record are.
func (d *fastDecoder) find(c *cursor) bool {
	if len(d.found) > keepFound {
		d.found = nil
	}
	d.found = d.found[:0]
	c.take('[')
	if c.has(']') {
		return true
	}
	for !c.declined {
		var r foundRecord
		var o object
		for {
			field := c.field(&o, recordFields)
			if field == endOfObject {
				break
			}
			switch field {
			case recordData:
				r.data = c.base64()
			case recordPartitionKey:
				r.partitionKey = c.text().value
			case recordSequenceNumber:
				r.sequenceNumber = c.text().value
			case recordArrival:
				r.arrival = c.number()
			case recordSubSequenceNumber:
				r.subSequenceNumber = c.number().value
			case recordAction:
				c.literal(`"record"`)
			}
		}
		d.found = append(d.found, r)
		if c.has(']') {
			return true
		}
		c.take(',')
	}
	return false
}

// fill is the second pass. It decodes the records that find has found.
func (d *fastDecoder) fill(line []byte) ([]Record, bool) {
	dataSize, textSize := 0, 0
	for i := range d.found {
		r := &d.found[i]
		dataSize += decodedLen(r.data.value.of(line))
		textSize += r.partitionKey.len() + r.sequenceNumber.len()
	}
	records := make([]Record, len(d.found))
	data := make([]byte, dataSize)
	var texts strings.Builder
	texts.Grow(textSize)
	ok := true
	for i := range d.found {
		from, to := &d.found[i], &records[i]
		if from.data.given {
			src := from.data.value.of(line)
			n := decodedLen(src)
			ok = decodeBase64(data, src, n) && ok
			to.Data = data[:n:n]
			data = data[n:]
		}
		to.PartitionKey = from.partitionKey.appendTo(&texts, line, &ok)
		to.SequenceNumber = from.sequenceNumber.appendTo(&texts, line, &ok)
		to.SubSequenceNumber = from.subSequenceNumber
		if from.arrival.given {
			to.ApproximateArrivalTimestamp = time.UnixMilli(from.arrival.value).UTC()
		}
		if !ok {
			return nil, false
		}
	}
	return records, true
}
