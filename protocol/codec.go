package protocol

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// MalformedError reports a line that is no message of the protocol, or a
// message that cannot be written. It never holds record data.
type MalformedError struct {
	// Line is the number of the line in the stream, from 1; 0 for a message
	// that was to be written.
	Line int
	// Action is the message's action where it is known to be one of the
	// protocol's, else empty.
	Action string
	// Reason says what is wrong, and where in the line.
	Reason string
}

// Error returns one line: the line's number, the action, the reason.
func (e *MalformedError) Error() string {
	var b strings.Builder
	b.WriteString("protocol: malformed message")
	if e.Line > 0 {
		fmt.Fprintf(&b, " on line %d", e.Line)
	}
	if e.Action != "" {
		fmt.Fprintf(&b, " (%s)", e.Action)
	}
	b.WriteString(": ")
	b.WriteString(e.Reason)
	return b.String()
}

// envelope is every message of the protocol in one: the union of their fields.
// Pointers tell null and absent from a value.
type envelope struct {
	Action             string       `json:"action"`
	ShardID            string       `json:"shardId"`
	SequenceNumber     *string      `json:"sequenceNumber"`
	SubSequenceNumber  *int64       `json:"subSequenceNumber"`
	Records            []wireRecord `json:"records"`
	MillisBehindLatest *int64       `json:"millisBehindLatest"`
	Error              *string      `json:"error"`
	Reason             string       `json:"reason"`
	ResponseFor        string       `json:"responseFor"`
}

type wireRecord struct {
	Action                      string  `json:"action"`
	Data                        []byte  `json:"data"`
	PartitionKey                *string `json:"partitionKey"`
	SequenceNumber              string  `json:"sequenceNumber"`
	SubSequenceNumber           *int64  `json:"subSequenceNumber"`
	ApproximateArrivalTimestamp *int64  `json:"approximateArrivalTimestamp"`
}

// decode makes a message of one line. Its error lacks the line's number.
func decode(line []byte) (Message, *MalformedError) {
	var e envelope
	if err := json.Unmarshal(line, &e); err != nil {
		// What the line says its action is may be of use, if it is one.
		return nil, &MalformedError{Action: known(e.Action), Reason: reason(err)}
	}
	p, err := e.position()
	if err != nil {
		err.Action = known(e.Action)
		return nil, err
	}
	var m Message
	switch e.Action {
	case ActionInitialize:
		m = Initialize{ShardID: e.ShardID, Position: p}
	case ActionProcessRecords:
		records, err := e.records()
		if err != nil {
			return nil, err
		}
		lag := int64(UnknownLag)
		if e.MillisBehindLatest != nil {
			lag = max(*e.MillisBehindLatest, UnknownLag)
		}
		m = ProcessRecords{Records: records, MillisBehindLatest: lag}
	case ActionCheckpoint:
		m = Checkpoint{Position: p, Error: deref(e.Error)}
	case ActionLeaseLost:
		m = LeaseLost{}
	case ActionShardEnded:
		m = ShardEnded{}
	case ActionShutdownRequested:
		m = ShutdownRequested{}
	case ActionShutdown:
		m = Shutdown{Reason: e.Reason}
	case ActionStatus:
		m = Status{ResponseFor: e.ResponseFor}
	case "":
		return nil, &MalformedError{Reason: `no "action"`}
	default:
		return nil, &MalformedError{Reason: `"action" is none of the protocol's`}
	}
	if err := validate(m); err != nil {
		return nil, err
	}
	return m, nil
}

func (e *envelope) position() (Position, *MalformedError) {
	if e.SequenceNumber == nil {
		if e.SubSequenceNumber != nil && *e.SubSequenceNumber != 0 {
			return Position{}, &MalformedError{Reason: `"subSequenceNumber" without "sequenceNumber"`}
		}
		return Position{}, nil
	}
	if *e.SequenceNumber == "" {
		return Position{}, &MalformedError{Reason: `"sequenceNumber" is empty`}
	}
	return Position{*e.SequenceNumber, deref(e.SubSequenceNumber)}, nil
}

func (e *envelope) records() ([]Record, *MalformedError) {
	if e.Records == nil {
		return nil, &MalformedError{Action: e.Action, Reason: `no "records"`}
	}
	records := make([]Record, len(e.Records))
	for i := range e.Records {
		w := &e.Records[i]
		if w.Action != "record" && w.Action != "" {
			return nil, &MalformedError{Action: e.Action, Reason: fmt.Sprintf(`records[%d]: "action" is not "record"`, i)}
		}
		records[i] = Record{
			Data:              w.Data,
			PartitionKey:      deref(w.PartitionKey),
			SequenceNumber:    w.SequenceNumber,
			SubSequenceNumber: deref(w.SubSequenceNumber),
		}
		if w.ApproximateArrivalTimestamp != nil {
			records[i].ApproximateArrivalTimestamp = time.UnixMilli(*w.ApproximateArrivalTimestamp).UTC()
		}
	}
	return records, nil
}

// validate is what decoding and encoding agree on.
func validate(m Message) *MalformedError {
	bad := func(format string, args ...any) *MalformedError {
		return &MalformedError{Action: m.Action(), Reason: fmt.Sprintf(format, args...)}
	}
	switch m := m.(type) {
	case nil:
		return &MalformedError{Reason: "nil message"}
	case Initialize:
		if m.ShardID == "" {
			return bad(`no "shardId"`)
		}
		if !m.Position.valid() {
			return bad(`"sequenceNumber" and "subSequenceNumber" are no position`)
		}
	case ProcessRecords:
		for i := range m.Records {
			if !m.Records[i].Position().IsRecord() {
				return bad(`records[%d]: "sequenceNumber" and "subSequenceNumber" are no record's`, i)
			}
		}
	case Checkpoint:
		if !m.Position.valid() {
			return bad(`"sequenceNumber" and "subSequenceNumber" are no position`)
		}
	case Shutdown:
		if m.Reason == "" {
			return bad(`no "reason"`)
		}
	case Status:
		if m.ResponseFor == "" {
			return bad(`no "responseFor"`)
		}
	}
	return nil
}

// valid reports whether p may stand in a message: nothing, a record's place or
// one of the names.
func (p Position) valid() bool {
	return p.IsZero() || rank(p.SequenceNumber) != rankNone && p.SubSequenceNumber >= 0
}

// encode appends m's JSON and a newline to buf.
func encode(buf []byte, m Message) ([]byte, error) {
	var v any
	switch m := m.(type) {
	case Initialize:
		v = struct {
			Action  string `json:"action"`
			ShardID string `json:"shardId"`
			wirePosition
		}{ActionInitialize, m.ShardID, wire(m.Position)}
	case ProcessRecords:
		records := make([]wireRecord, len(m.Records))
		for i, r := range m.Records {
			records[i] = wireRecord{
				Action:            "record",
				Data:              r.Data,
				PartitionKey:      nullable(r.PartitionKey),
				SequenceNumber:    r.SequenceNumber,
				SubSequenceNumber: &r.SubSequenceNumber,
			}
			if t := r.ApproximateArrivalTimestamp; !t.IsZero() {
				ms := t.UnixMilli()
				records[i].ApproximateArrivalTimestamp = &ms
			}
		}
		var lag *int64
		if m.MillisBehindLatest >= 0 {
			lag = &m.MillisBehindLatest
		}
		v = struct {
			Action             string       `json:"action"`
			Records            []wireRecord `json:"records"`
			MillisBehindLatest *int64       `json:"millisBehindLatest"`
		}{ActionProcessRecords, records, lag}
	case Checkpoint:
		v = struct {
			Action string `json:"action"`
			wirePosition
			Error *string `json:"error"`
		}{ActionCheckpoint, wire(m.Position), nullable(m.Error)}
	case Shutdown:
		v = struct {
			Action string `json:"action"`
			Reason string `json:"reason"`
		}{ActionShutdown, m.Reason}
	case Status:
		v = struct {
			Action      string `json:"action"`
			ResponseFor string `json:"responseFor"`
		}{ActionStatus, m.ResponseFor}
	default:
		v = struct {
			Action string `json:"action"`
		}{m.Action()}
	}
	b := bytes.NewBuffer(buf)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}

type wirePosition struct {
	SequenceNumber    *string `json:"sequenceNumber"`
	SubSequenceNumber *int64  `json:"subSequenceNumber"`
}

func wire(p Position) wirePosition {
	if p.IsZero() {
		return wirePosition{}
	}
	return wirePosition{&p.SequenceNumber, &p.SubSequenceNumber}
}

// reason says what encoding/json found, without the piece of input that its
// own errors quote.
func reason(err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	var base base64.CorruptInputError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("not JSON from byte %d on", syntax.Offset)
	case errors.As(err, &kind):
		what, _, _ := strings.Cut(kind.Value, " ")
		if kind.Field == "" {
			return fmt.Sprintf("a JSON %s where an object belongs", what)
		}
		return fmt.Sprintf("a JSON %s is of no use as %q, before byte %d", what, kind.Field, kind.Offset)
	case errors.As(err, &base):
		return fmt.Sprintf(`"data" of a record is not base64 from its byte %d on`, int64(base))
	default:
		return "not a message"
	}
}

func known(action string) string {
	switch action {
	case ActionInitialize, ActionProcessRecords, ActionCheckpoint, ActionLeaseLost,
		ActionShardEnded, ActionShutdownRequested, ActionShutdown, ActionStatus:
		return action
	}
	return ""
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
