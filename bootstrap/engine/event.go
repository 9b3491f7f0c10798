package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/seed96110120/kinesis-client-go/bootstrap/internal/lines"
)

// An Event is something that Java reports. Its dynamic type is one of [State], [Leases],
// [TaskOutcome], [ShardError], [ShardRecovered], [LogRecord], [ConversationBroken] and
// [Stopped].
type Event interface{ event() }

// State is an Event: Java has reached this state of its start.
type State string

// The states, in order. Before Initializing Java itself starts. No lease is taken
// before Ready.
const (
	Initializing State = "initializing"
	Ready        State = "ready"
)

// Leases is an Event: Java now holds these leases, and no others. Leases of shards that
// were read to their end before Java got them are not included: they have no
// conversation.
type Leases struct{ LeaseKeys []string }

// TaskOutcome is an Event: a task of KCL for a shard has ended, and Task or OK is not
// what it was in the last TaskOutcome of the shard. Tasks are BLOCK_ON_PARENT_SHARDS,
// INITIALIZE, SHUTDOWN_NOTIFICATION, SHUTDOWN and SHUTDOWN_COMPLETE. The task PROCESS is
// not reported.
type TaskOutcome struct {
	LeaseKey string
	Task     string
	OK       bool
}

// ShardError is an Event: an operation failed for a shard, and will be retried. It is
// reported at most every 5 s per shard.
type ShardError struct {
	LeaseKey string
	// Operation is GetRecords, SubscribeToShard or Initialize.
	Operation string
	Causes    []Cause
}

// ShardRecovered is an Event: after errors, the shard is read again.
type ShardRecovered struct{ LeaseKey string }

// LogRecord is an Event: a record of KCL's log.
type LogRecord struct {
	Level    slog.Level
	Logger   string
	Message  string
	LeaseKey string // empty if the record does not belong to a lease
	Causes   []Cause
	// Dropped is the number of records that were dropped before this one.
	Dropped int
}

// gaveUp is an Event: the start has failed, or KCL has given up. Java ends.
type gaveUp struct{ causes []Cause }

// ConversationBroken is an Event: a conversation ended in the middle of an action, Java
// did not understand an answer, or Java could not begin the conversation. In the last
// case Config.Serve may not have been called. The shard is held back, as after
// [Lease.Fail].
type ConversationBroken struct {
	ID       int64 // Lease.ID of the conversation
	LeaseKey string
	Reason   string // one line
}

// Stopped is an Event: Java has stopped as asked, and ends.
type Stopped struct {
	// Released is the number of leases that Java has given up.
	Released int
	// Complete is whether all conversations had ended and all leases were given up.
	Complete bool
	// Reason says in one line why the stop is not complete.
	Reason string
}

// A heartbeat shows that Java is alive.
type heartbeat struct{}

// incompatible says that this version of KCL lacks what the entry needs.
type incompatible struct{ err *IncompatibleError }

func (State) event()              {}
func (Leases) event()             {}
func (TaskOutcome) event()        {}
func (ShardError) event()         {}
func (ShardRecovered) event()     {}
func (LogRecord) event()          {}
func (gaveUp) event()             {}
func (ConversationBroken) event() {}
func (Stopped) event()            {}
func (heartbeat) event()          {}
func (incompatible) event()       {}

// A Cause is a Java exception, without its stack trace.
type Cause struct {
	Class   string `json:"class"`
	Message string `json:"message"`
}

// plainExceptions are the classes that say nothing beyond their message.
var plainExceptions = []string{"java.lang.IllegalArgumentException", "java.lang.IllegalStateException", "java.lang.RuntimeException"}

// reasonOf returns the innermost cause that has a message of its own, in one line of
// at most 300 characters: outer causes often say only that there is an inner one. The
// causes begin with the outermost.
func reasonOf(causes []Cause) string {
	for i := len(causes) - 1; i >= 0; i-- {
		c := causes[i]
		// A Java exception made from a cause alone has the cause's text as its message.
		if c.Message != "" && (i == len(causes)-1 || c.Message != causes[i+1].Class) {
			if slices.Contains(plainExceptions, c.Class) {
				return oneLine(c.Message)
			}
			return oneLine(c.Class + ": " + c.Message)
		}
	}
	if len(causes) == 0 {
		return ""
	}
	return oneLine(causes[len(causes)-1].Class)
}

// oneLine returns text as one line of at most 300 characters.
func oneLine(text string) string {
	const most = 300
	text = lines.Plain(strings.Join(strings.Fields(text), " "))
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most-3]) + "..."
	}
	return text
}

// A message is a line of the control connection. It has the members of all events.
type message struct {
	Event     string   `json:"event"`
	State     State    `json:"state"`
	LeaseKeys []string `json:"leaseKeys"`
	LeaseKey  string   `json:"leaseKey"`
	Task      string   `json:"task"`
	OK        bool     `json:"ok"`
	Operation string   `json:"operation"`
	Causes    []Cause  `json:"causes"`
	Level     string   `json:"level"`
	Logger    string   `json:"logger"`
	Message   string   `json:"message"`
	Dropped   int      `json:"dropped"`
	Member    string   `json:"member"`
	KCL       string   `json:"kcl"`
	Lease     int64    `json:"lease"`
	Reason    string   `json:"reason"`
	Released  int      `json:"released"`
	Complete  bool     `json:"complete"`
}

var levels = map[string]slog.Level{
	"DEBUG": slog.LevelDebug,
	"INFO":  slog.LevelInfo,
	"WARN":  slog.LevelWarn,
	"ERROR": slog.LevelError,
}

// isName reports whether text can be the name of a lease, a shard or a stream, which
// AWS makes of printable ASCII. KCL accepts any key that is in its table, and a key
// becomes part of errors, log lines, file names and environments.
func isName(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// parseEvent parses a line of the control connection. Its errors contain nothing of
// the line.
func parseEvent(line []byte) (Event, error) {
	var m message
	if err := json.Unmarshal(line, &m); err != nil {
		return nil, errors.New("not a JSON object with members of the expected types")
	}
	needsKey := false
	var event Event
	switch m.Event {
	case "heartbeat":
		event = heartbeat{}
	case "state":
		if m.State != Initializing && m.State != Ready {
			return nil, errors.New("unknown state")
		}
		event = m.State
	case "leases":
		event = Leases{slices.DeleteFunc(m.LeaseKeys, func(key string) bool { return !isName(key) })}
	case "task":
		needsKey = true
		event = TaskOutcome{m.LeaseKey, m.Task, m.OK}
	case "error":
		needsKey = true
		event = ShardError{m.LeaseKey, m.Operation, m.Causes}
	case "recovered":
		needsKey = true
		event = ShardRecovered{m.LeaseKey}
	case "log":
		level, ok := levels[m.Level]
		if !ok {
			return nil, errors.New("unknown level")
		}
		if !isName(m.LeaseKey) {
			m.LeaseKey = ""
		}
		event = LogRecord{level, m.Logger, m.Message, m.LeaseKey, m.Causes, m.Dropped}
	case "failed":
		event = gaveUp{m.Causes}
	case "unlinked":
		event = incompatible{&IncompatibleError{KCL: m.KCL, Member: m.Member}}
	case "lost":
		if m.Lease <= 0 {
			return nil, errors.New("a conversation without an ID")
		}
		event, needsKey = ConversationBroken{m.Lease, m.LeaseKey, oneLine(m.Reason)}, true
	case "stopped":
		event = Stopped{m.Released, m.Complete, oneLine(m.Reason)}
	default:
		return nil, errors.New("unknown event")
	}
	if needsKey && !isName(m.LeaseKey) {
		return nil, fmt.Errorf("event %s without a valid lease key", m.Event)
	}
	return event, nil
}
