// Package fault describes calls to a local service that fail on purpose. Pass
// rules to a Server's SetFaults:
//
//	err := server.SetFaults(fault.Rule{Kind: fault.Throttle, Operation: "GetRecords", Rate: 0.05})
//
// or send them over HTTP as JSON, with PUT to /faults at the server's URL. There
// GET returns the rules with their hits, and DELETE removes them.
//
// Several rules can match a call: Disconnect goes first, then Latency, whose
// waits add up, Throttle, InternalError and the other kinds, and DropResponse
// last, which also drops errors. A call that one rule fails does not run and
// does not count for the kinds between that one and DropResponse.
package fault

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Kind is what a fault does to a call.
type Kind string

// The kinds of fault.
const (
	// Latency makes a call wait for Rule.Latency before it runs.
	Latency Kind = "latency"
	// Throttle answers a call with ProvisionedThroughputExceededException. A
	// call that touches neither records nor items gets LimitExceededException
	// in Kinesis and ThrottlingException in DynamoDB. The call does not run.
	Throttle Kind = "throttle"
	// InternalError answers a call with status 500, InternalFailure in Kinesis
	// and InternalServerError in DynamoDB. The call does not run.
	InternalError Kind = "internal-error"
	// Disconnect cuts the client's connection before the call runs. Other calls
	// on the same connection fail too.
	Disconnect Kind = "disconnect"
	// DropResponse runs the call, then cuts the client's connection instead of
	// answering. Other calls on the same connection fail too. In a subscription
	// each event counts as a call, and the dropped event is not sent.
	DropResponse Kind = "drop-response"
	// PartialPut, in Kinesis, makes single records of PutRecords fail with
	// InternalFailure; the other records are stored. Each record counts as a
	// call.
	PartialPut Kind = "partial-put"
	// ExpireIterator, in Kinesis, answers GetRecords with
	// ExpiredIteratorException.
	ExpireIterator Kind = "expire-iterator"
	// FailCondition, in DynamoDB, answers a write that has a condition with
	// ConditionalCheckFailedException, and a transaction with
	// TransactionCanceledException. In a transaction each condition counts as a
	// call.
	FailCondition Kind = "fail-condition"
	// StayCreating, in DynamoDB, keeps a table and its indexes CREATING while the
	// rule applies. Use Rate 1, because the first call that is not hit ends
	// CREATING, and no Operation: a rule with one hits nothing.
	StayCreating Kind = "stay-creating"
	// Deny, in Kinesis, answers a call with AccessDeniedException.
	Deny Kind = "deny"
	// DisableKey, in Kinesis, answers a call with KMSDisabledException.
	DisableKey Kind = "disable-key"
)

var kinds = []Kind{Latency, Throttle, InternalError, Disconnect, DropResponse, PartialPut, ExpireIterator, FailCondition, StayCreating, Deny, DisableKey}

// Rule makes a fault hit a share of the calls that its Operation, Table and
// AccessKey all match. In JSON, durations are strings that
// time.ParseDuration accepts.
type Rule struct {
	// Kind is what the fault does to a call. A kind that the service does not
	// have is an error of SetFaults. Required.
	Kind Kind `json:"kind"`
	// Operation limits the rule to the operation of that name, such as
	// "GetRecords". Defaults to "": all operations that the kind applies to.
	// PartialPut and ExpireIterator allow only theirs; other kinds hit no call
	// of an operation that they do not apply to.
	Operation string `json:"operation,omitempty"`
	// Table limits the rule, in DynamoDB, to calls that name that table.
	// Defaults to "": all calls.
	Table string `json:"table,omitempty"`
	// AccessKey limits the rule to calls signed with the access key of that ID,
	// and so to one client. Defaults to "": all calls.
	AccessKey string `json:"accessKey,omitempty"`
	// Rate is the share of the matching calls that are hit, above 0 and up to 1,
	// counted for each rule and rounded down. Hits are spread evenly: with 0.05,
	// every twentieth call is hit. Required.
	Rate float64 `json:"rate"`
	// Latency is how long a call waits. Above 0 for the kind Latency, 0 for all
	// other kinds.
	Latency time.Duration `json:"-"`
	// After is the time from setting the rule to its start. Defaults to 0: the
	// rule applies at once. Must not be negative.
	After time.Duration `json:"-"`
	// For is how long the rule applies after its start. Defaults to 0: until it
	// is replaced. Must not be negative.
	For time.Duration `json:"-"`
}

// Validate returns an error that lists what is invalid in the rule. It does not
// check the name of the operation; SetFaults does.
func (r Rule) Validate() error {
	var errs []error
	fail := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("fault: Rule."+field+": "+format, args...))
	}
	if !slices.Contains(kinds, r.Kind) {
		fail("Kind", "%q is not one of %q", r.Kind, kinds)
	}
	if only, ok := map[Kind]string{PartialPut: "PutRecords", ExpireIterator: "GetRecords"}[r.Kind]; ok && r.Operation != "" && r.Operation != only {
		fail("Operation", "the kind %s applies to %s, not to %s", r.Kind, only, r.Operation)
	}
	if !(r.Rate > 0 && r.Rate <= 1) {
		fail("Rate", "%v is not above 0 and at most 1", r.Rate)
	}
	switch {
	case r.Kind == Latency && r.Latency <= 0:
		fail("Latency", "%v is not above 0", r.Latency)
	case r.Kind != Latency && r.Latency != 0:
		fail("Latency", "%v is not 0, as it must be for the kind %s", r.Latency, r.Kind)
	}
	if r.After < 0 {
		fail("After", "%v is negative", r.After)
	}
	if r.For < 0 {
		fail("For", "%v is negative", r.For)
	}
	return errors.Join(errs...)
}

// fields is a Rule without its methods.
type fields Rule

// ruleJSON is a Rule as JSON has it.
type ruleJSON struct {
	fields
	Latency string `json:"latency,omitempty"`
	After   string `json:"after,omitempty"`
	For     string `json:"for,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (r Rule) MarshalJSON() ([]byte, error) {
	text := func(d time.Duration) string {
		if d == 0 {
			return ""
		}
		return d.String()
	}
	return json.Marshal(ruleJSON{fields(r), text(r.Latency), text(r.After), text(r.For)})
}

// UnmarshalJSON implements json.Unmarshaler.
func (r *Rule) UnmarshalJSON(b []byte) error {
	var in ruleJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*r = Rule(in.fields)
	for _, d := range []struct {
		name, text string
		to         *time.Duration
	}{{"latency", in.Latency, &r.Latency}, {"after", in.After, &r.After}, {"for", in.For, &r.For}} {
		if d.text == "" {
			continue
		}
		var err error
		if *d.to, err = time.ParseDuration(d.text); err != nil {
			return fmt.Errorf("fault: %s: %w", d.name, err)
		}
	}
	return nil
}
