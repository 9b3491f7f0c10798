// Package fault says which calls to a local service go wrong on purpose. A test
// gives its rules to a Server's SetFaults, or sends them to its endpoint.
package fault

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Kind is what goes wrong.
type Kind string

// The kinds of fault.
const (
	// Latency makes a call wait for the rule's Latency before it runs.
	Latency Kind = "latency"
	// Throttle refuses a call with ProvisionedThroughputExceededException;
	// where it touches neither records nor items, with LimitExceededException
	// in Kinesis and ThrottlingException in DynamoDB.
	Throttle Kind = "throttle"
	// Error answers a call with status 500, InternalFailure in Kinesis and
	// InternalServerError in DynamoDB; it does not run.
	Error Kind = "error"
	// Cut cuts the client's connection, with all else that goes on over it,
	// before a call runs.
	Cut Kind = "cut"
	// Drop runs a call and then cuts the client's connection, with all else
	// that goes on over it. In a subscription each event counts as a call, and
	// is not sent.
	Drop Kind = "drop"
	// Partial, in Kinesis, makes records of PutRecords fail with InternalFailure, while the
	// others are stored. Each record counts as a call.
	Partial Kind = "partial"
	// Expire, in Kinesis, answers GetRecords with ExpiredIteratorException.
	Expire Kind = "expire"
	// Condition, in DynamoDB, fails a write that has a condition with
	// ConditionalCheckFailedException, a transaction with
	// TransactionCanceledException.
	Condition Kind = "condition"
	// Creating, in DynamoDB, keeps a table and its indexes CREATING.
	Creating Kind = "creating"
	// Deny, in Kinesis, answers a call with AccessDeniedException.
	Deny Kind = "deny"
	// DisableKey, in Kinesis, answers a call with KMSDisabledException.
	DisableKey Kind = "disable-key"
)

var kinds = []Kind{Latency, Throttle, Error, Cut, Drop, Partial, Expire, Condition, Creating, Deny, DisableKey}

// Rule makes a share of the calls go wrong. In JSON, durations are texts as
// time.ParseDuration reads them.
type Rule struct {
	// Kind is what goes wrong; required.
	Kind Kind `json:"kind"`
	// Operation is the name of the one whose calls the rule is for, such as
	// "GetRecords". Default "": all that the kind is possible with.
	Operation string `json:"operation,omitempty"`
	// Table is the name of a table: of DynamoDB's calls, the rule is for those
	// that name it. Default "": all.
	Table string `json:"table,omitempty"`
	// AccessKey is the ID of an access key: the rule is for the calls that are
	// signed with it, which tells one client from another. Default "": all.
	AccessKey string `json:"accessKey,omitempty"`
	// Rate is the share of the calls, above 0 and up to 1. It is met evenly:
	// with 0.05, each twentieth call goes wrong.
	Rate float64 `json:"rate"`
	// Latency is how long a call waits, with the kind Latency only.
	Latency time.Duration `json:"-"`
	// After is how long after the rule was set it begins. Default 0: at once.
	After time.Duration `json:"-"`
	// For is how long it lasts from then on. Default 0: without end.
	For time.Duration `json:"-"`
}

// Check returns an error when the rule cannot be followed. It does not know the
// names of operations.
func (r Rule) Check() error {
	only, limited := map[Kind]string{Partial: "PutRecords", Expire: "GetRecords"}[r.Kind]
	switch {
	case !slices.Contains(kinds, r.Kind):
		return fmt.Errorf("fault: kind %q is none of %q", r.Kind, kinds)
	case !(r.Rate > 0 && r.Rate <= 1):
		return fmt.Errorf("fault: rate %v of a rule of kind %s must be above 0 and at most 1", r.Rate, r.Kind)
	case (r.Kind == Latency) != (r.Latency > 0):
		return fmt.Errorf("fault: latency %v of a rule of kind %s: the kind %s needs one above 0, the others have none", r.Latency, r.Kind, Latency)
	case r.After < 0 || r.For < 0:
		return fmt.Errorf("fault: after %v and for %v of a rule of kind %s must not be negative", r.After, r.For, r.Kind)
	case limited && r.Operation != "" && r.Operation != only:
		return fmt.Errorf("fault: the kind %s is one of %s, not of %s", r.Kind, only, r.Operation)
	}
	return nil
}

// plain has the members of a Rule without its methods.
type plain Rule

type written struct {
	plain
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
	return json.Marshal(written{plain(r), text(r.Latency), text(r.After), text(r.For)})
}

// UnmarshalJSON implements json.Unmarshaler.
func (r *Rule) UnmarshalJSON(b []byte) error {
	var w written
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	*r = Rule(w.plain)
	for _, d := range []struct {
		name, text string
		to         *time.Duration
	}{{"latency", w.Latency, &r.Latency}, {"after", w.After, &r.After}, {"for", w.For, &r.For}} {
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
