package protocol

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// wireMessage has the fields of all messages of the protocol. A nil pointer is
// null or absent.
type wireMessage struct {
	Action             string       `json:"action"`
	ShardID            string       `json:"shardId"`
	SequenceNumber     *string      `json:"sequenceNumber"`
	SubSequenceNumber  *int64       `json:"subSequenceNumber"`
	Records            []wireRecord `json:"records"`
	MillisBehindLatest *int64       `json:"millisBehindLatest"`
	Error              string       `json:"error"`
	Reason             string       `json:"reason"`
	ResponseFor        string       `json:"responseFor"`
}

type wireRecord struct {
	Action                      string `json:"action"`
	Data                        []byte `json:"data"`
	PartitionKey                string `json:"partitionKey"`
	SequenceNumber              string `json:"sequenceNumber"`
	SubSequenceNumber           int64  `json:"subSequenceNumber"`
	ApproximateArrivalTimestamp *int64 `json:"approximateArrivalTimestamp"`
}

// slow decodes any line with encoding/json.
func slow(line []byte) (envelope, *MalformedError) {
	var w wireMessage
	if err := json.Unmarshal(line, &w); err != nil {
		// The action may have been decoded before the error.
		return envelope{}, &MalformedError{Action: known(w.Action), Reason: reason(err)}
	}
	e := envelope{
		action:             w.Action,
		shardID:            w.ShardID,
		err:                w.Error,
		reason:             w.Reason,
		responseFor:        w.ResponseFor,
		sequenceNumber:     given(w.SequenceNumber),
		subSequenceNumber:  given(w.SubSequenceNumber),
		millisBehindLatest: given(w.MillisBehindLatest),
	}
	if w.Action != ActionProcessRecords || w.Records == nil {
		return e, nil
	}
	e.records = make([]Record, len(w.Records))
	for i, r := range w.Records {
		if r.Action != "record" && r.Action != "" {
			return envelope{}, &MalformedError{Action: w.Action, Reason: fmt.Sprintf(`records[%d]: "action" is not "record"`, i)}
		}
		e.records[i] = Record{
			Data:              r.Data,
			PartitionKey:      r.PartitionKey,
			SequenceNumber:    r.SequenceNumber,
			SubSequenceNumber: r.SubSequenceNumber,
		}
		if at := r.ApproximateArrivalTimestamp; at != nil {
			e.records[i].ApproximateArrivalTimestamp = time.UnixMilli(*at).UTC()
		}
	}
	return e, nil
}

func given[T any](p *T) optional[T] {
	if p == nil {
		return optional[T]{}
	}
	return optional[T]{*p, true}
}

// reason describes an error of encoding/json without the input that the error
// itself quotes.
func reason(err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	var base base64.CorruptInputError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("not JSON from byte %d", syntax.Offset)
	case errors.As(err, &kind):
		what, _, _ := strings.Cut(kind.Value, " ")
		if kind.Field == "" {
			return fmt.Sprintf("a JSON %s where an object is expected", what)
		}
		return fmt.Sprintf("a JSON %s is not valid for %q, before byte %d", what, kind.Field, kind.Offset)
	case errors.As(err, &base):
		return fmt.Sprintf(`"data" of a record is not base64 from its byte %d`, int64(base))
	default:
		return "not a message"
	}
}
