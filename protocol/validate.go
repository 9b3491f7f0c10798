package protocol

import "fmt"

// validate checks what decoding and encoding both require of a message.
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
			return bad(`"sequenceNumber" and "subSequenceNumber" are not a position`)
		}
	case ProcessRecords:
		for i := range m.Records {
			if !m.Records[i].Position().IsRecord() {
				return bad(`records[%d]: "sequenceNumber" and "subSequenceNumber" are not a record's position`, i)
			}
		}
	case Checkpoint:
		if !m.Position.valid() {
			return bad(`"sequenceNumber" and "subSequenceNumber" are not a position`)
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

// valid reports whether p may be in a message: the zero Position, a record's
// position or one of the named positions.
func (p Position) valid() bool {
	return p.IsZero() || rank(p.SequenceNumber) != rankNone && p.SubSequenceNumber >= 0
}
