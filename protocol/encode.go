package protocol

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
)

// encode appends m's JSON and a newline to b. The message must be valid.
func encode(b []byte, m Message) []byte {
	b = append(b, `{"action":`...)
	b = appendText(b, m.Action())
	switch m := m.(type) {
	case Initialize:
		b = append(b, `,"shardId":`...)
		b = appendText(b, m.ShardID)
		b = appendPosition(b, m.Position)
	case ProcessRecords:
		b = append(b, `,"records":[`...)
		for i := range m.Records {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendRecord(b, &m.Records[i])
		}
		b = append(b, `],"millisBehindLatest":`...)
		if m.MillisBehindLatest >= 0 {
			b = strconv.AppendInt(b, m.MillisBehindLatest, 10)
		} else {
			b = append(b, "null"...)
		}
	case Checkpoint:
		b = appendPosition(b, m.Position)
		b = append(b, `,"error":`...)
		b = appendNullable(b, m.Error)
	case Shutdown:
		b = append(b, `,"reason":`...)
		b = appendText(b, m.Reason)
	case Status:
		b = append(b, `,"responseFor":`...)
		b = appendText(b, m.ResponseFor)
	}
	return append(b, '}', '\n')
}

func appendPosition(b []byte, p Position) []byte {
	if p.IsZero() {
		return append(b, `,"sequenceNumber":null,"subSequenceNumber":null`...)
	}
	b = append(b, `,"sequenceNumber":`...)
	b = appendText(b, p.SequenceNumber)
	b = append(b, `,"subSequenceNumber":`...)
	return strconv.AppendInt(b, p.SubSequenceNumber, 10)
}

func appendRecord(b []byte, r *Record) []byte {
	b = append(b, `{"action":"record","data":`...)
	if r.Data == nil {
		b = append(b, "null"...)
	} else {
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, r.Data)
		b = append(b, '"')
	}
	b = append(b, `,"partitionKey":`...)
	b = appendNullable(b, r.PartitionKey)
	b = appendPosition(b, r.Position())
	b = append(b, `,"approximateArrivalTimestamp":`...)
	if t := r.ApproximateArrivalTimestamp; t.IsZero() {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendInt(b, t.UnixMilli(), 10)
	}
	return append(b, '}')
}

func appendNullable(b []byte, s string) []byte {
	if s == "" {
		return append(b, "null"...)
	}
	return appendText(b, s)
}

// appendText appends s in quotes. Text that needs escapes is left to
// encoding/json.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c > '~' {
			return appendEscaped(b, s)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func appendEscaped(b []byte, s string) []byte {
	buf := bytes.NewBuffer(b)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	// Encoding a string and writing to a Buffer cannot fail.
	if err := enc.Encode(s); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}
