package protocol

import "fmt"

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
