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

// An Event is what Java tells: one of the types of this package that say so.
type Event interface{ event() }

// State is an Event: how far Java has come.
type State string

// The states, in the order in which they come. Before the first one Java itself
// starts; no lease is taken before Ready.
const (
	Initializing State = "initializing"
	Ready        State = "ready"
)

// Leases is an Event: the set of leases that Java holds has changed, and is now
// this one. A lease whose shard had been read to its end before Java got it is not in
// it: no conversation about it begins.
type Leases struct{ LeaseKeys []string }

// Task is an Event: KCL has done a task for a shard, such as
// BLOCK_ON_PARENT_SHARDS or INITIALIZE, with another outcome than before. The
// task PROCESS is not told.
type Task struct {
	LeaseKey string
	Task     string
	OK       bool
}

// ShardError is an Event: an operation failed for a shard, and will be tried
// again. It comes at most every 5 s for a shard.
type ShardError struct {
	LeaseKey string
	// Operation is GetRecords, SubscribeToShard or Initialize.
	Operation string
	Causes    []Cause
}

// Recovered is an Event: a shard is read again after errors.
type Recovered struct{ LeaseKey string }

// LogRecord is an Event: a record of Java's log.
type LogRecord struct {
	Level    slog.Level
	Logger   string
	Message  string
	LeaseKey string // empty if it concerns no lease
	Causes   []Cause
	// Dropped is how many records were dropped before this one.
	Dropped int
}

// Failed is an Event: the start has failed, or KCL has given up. Java ends.
type Failed struct{ Causes []Cause }

// LeaseBroken is an Event: Java found a conversation broken, because it ended in
// the middle of an action or was not understood, or could not begin it: then
// Config.Serve may not have been called. Its shard is held back, as after
// Lease.Fail.
type LeaseBroken struct {
	Lease    int64
	LeaseKey string
	Reason   string // one line
}

// Stopped is an Event: Java has stopped as it was asked to, and ends.
type Stopped struct {
	// Released is how many leases it has given up.
	Released int
	// Complete says that all conversations had ended and all leases were given up.
	Complete bool
	// Reason says why it is not complete, in one line.
	Reason string
}

// A heartbeat says that Java lives.
type heartbeat struct{}

// unlinked says that this version of KCL lacks what the entry needs.
type unlinked struct{ err *UnlinkedError }

func (State) event()       {}
func (Leases) event()      {}
func (Task) event()        {}
func (ShardError) event()  {}
func (Recovered) event()   {}
func (LogRecord) event()   {}
func (Failed) event()      {}
func (LeaseBroken) event() {}
func (Stopped) event()     {}
func (heartbeat) event()   {}
func (unlinked) event()    {}

// A Cause is an exception of Java's, without its stack.
type Cause struct {
	Class   string `json:"class"`
	Message string `json:"message"`
}

// plain are the classes that say nothing beside a message: whoever throws one has
// put all into that.
var plain = []string{"java.lang.IllegalArgumentException", "java.lang.IllegalStateException", "java.lang.RuntimeException"}

// reasonOf returns, in one line of at most 300 characters, the innermost cause
// that says something: the outer ones often say only that there is an inner one,
// and the innermost may have no message. The causes are the outermost first.
func reasonOf(causes []Cause) string {
	for i := len(causes) - 1; i >= 0; i-- {
		c := causes[i]
		// Java's exception that has only a cause takes the cause's name for message.
		if c.Message != "" && (i == len(causes)-1 || c.Message != causes[i+1].Class) {
			if slices.Contains(plain, c.Class) {
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

// oneLine returns a text as one line of at most 300 characters.
func oneLine(text string) string {
	const most = 300
	text = lines.Plain(strings.Join(strings.Fields(text), " "))
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most-3]) + "..."
	}
	return text
}

// A message is a line of the control connection: the members of all events.
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

// isName tells whether a text can name a lease, a shard or a stream: AWS has only
// ASCII in these. KCL takes from its table whatever key a lease has there, and a key
// becomes part of errors, log lines, files and environments.
func isName(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// parseEvent reads a line of the control connection. Its errors repeat nothing
// of the line.
func parseEvent(line []byte) (Event, error) {
	var m message
	if err := json.Unmarshal(line, &m); err != nil {
		return nil, errors.New("no JSON object with members of the expected types")
	}
	ofLease := false
	var event Event
	switch m.Event {
	case "heartbeat":
		event = heartbeat{}
	case "state":
		if m.State != Initializing && m.State != Ready {
			return nil, errors.New("an unknown state")
		}
		event = m.State
	case "leases":
		event = Leases{slices.DeleteFunc(m.LeaseKeys, func(key string) bool { return !isName(key) })}
	case "task":
		ofLease = true
		event = Task{m.LeaseKey, m.Task, m.OK}
	case "error":
		ofLease = true
		event = ShardError{m.LeaseKey, m.Operation, m.Causes}
	case "recovered":
		ofLease = true
		event = Recovered{m.LeaseKey}
	case "log":
		level, ok := levels[m.Level]
		if !ok {
			return nil, errors.New("an unknown level")
		}
		if !isName(m.LeaseKey) {
			m.LeaseKey = ""
		}
		event = LogRecord{level, m.Logger, m.Message, m.LeaseKey, m.Causes, m.Dropped}
	case "failed":
		event = Failed{m.Causes}
	case "unlinked":
		event = unlinked{&UnlinkedError{KCL: m.KCL, Member: m.Member}}
	case "lost":
		if m.Lease <= 0 {
			return nil, errors.New("a conversation without its number")
		}
		event, ofLease = LeaseBroken{m.Lease, m.LeaseKey, oneLine(m.Reason)}, true
	case "stopped":
		event = Stopped{m.Released, m.Complete, oneLine(m.Reason)}
	default:
		return nil, errors.New("an unknown event")
	}
	if ofLease && !isName(m.LeaseKey) {
		return nil, fmt.Errorf("the event %s without a lease key that is one", m.Event)
	}
	return event, nil
}
