package protocol

// envelope has the fields of any message on the wire, whichever path decoded it.
type envelope struct {
	action, shardID, err, reason, responseFor string

	sequenceNumber     optional[string]
	subSequenceNumber  optional[int64]
	millisBehindLatest optional[int64]

	// records is nil unless the action is processRecords and gives some.
	records []Record
}

// optional distinguishes a value from null and absent, which mean the same in
// the protocol.
type optional[T any] struct {
	value T
	given bool
}

// decode decodes one line. Its error lacks the line's number.
//
// Lines as the daemon usually writes them take the fast path. It declines all
// others, valid or not, and encoding/json decodes those.
func (d *fastDecoder) decode(line []byte) (Message, *MalformedError) {
	e, ok := d.fast(line)
	if !ok {
		var bad *MalformedError
		if e, bad = slow(line); bad != nil {
			return nil, bad
		}
	}
	return e.message()
}

// message returns the message in e, after the checks that both paths need.
func (e *envelope) message() (Message, *MalformedError) {
	p, bad := e.position()
	if bad != nil {
		bad.Action = known(e.action)
		return nil, bad
	}
	var m Message
	switch e.action {
	case ActionInitialize:
		m = Initialize{ShardID: e.shardID, Position: p}
	case ActionProcessRecords:
		if e.records == nil {
			return nil, &MalformedError{Action: e.action, Reason: `no "records"`}
		}
		lag := int64(UnknownLag)
		if e.millisBehindLatest.given {
			lag = max(e.millisBehindLatest.value, UnknownLag)
		}
		m = ProcessRecords{Records: e.records, MillisBehindLatest: lag}
	case ActionCheckpoint:
		m = Checkpoint{Position: p, Error: e.err}
	case ActionLeaseLost:
		m = LeaseLost{}
	case ActionShardEnded:
		m = ShardEnded{}
	case ActionShutdownRequested:
		m = ShutdownRequested{}
	case ActionShutdown:
		m = Shutdown{Reason: e.reason}
	case ActionStatus:
		m = Status{ResponseFor: e.responseFor}
	case "":
		return nil, &MalformedError{Reason: `no "action"`}
	default:
		return nil, &MalformedError{Reason: `"action" is not one of the protocol's`}
	}
	if bad := validate(m); bad != nil {
		return nil, bad
	}
	return m, nil
}

func (e *envelope) position() (Position, *MalformedError) {
	if !e.sequenceNumber.given {
		if e.subSequenceNumber.value != 0 {
			return Position{}, &MalformedError{Reason: `"subSequenceNumber" without "sequenceNumber"`}
		}
		return Position{}, nil
	}
	if e.sequenceNumber.value == "" {
		return Position{}, &MalformedError{Reason: `"sequenceNumber" is empty`}
	}
	return Position{e.sequenceNumber.value, e.subSequenceNumber.value}, nil
}

var actions = []string{
	ActionProcessRecords, ActionCheckpoint, ActionInitialize, ActionLeaseLost,
	ActionShardEnded, ActionShutdownRequested, ActionShutdown, ActionStatus,
}

// known returns action if it is one of the protocol's, or "". It does not
// allocate.
func known[text string | []byte](action text) string {
	for _, a := range actions {
		if string(action) == a {
			return a
		}
	}
	return ""
}
