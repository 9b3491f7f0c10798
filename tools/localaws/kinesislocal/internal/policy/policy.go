// Package policy parses the resource-based policies of streams and consumers, and
// decides which calls they allow.
package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// MaxBytes is the largest size of a policy.
const MaxBytes = 20 << 10

// The actions that a policy of a stream or of a consumer may name: those that AWS
// lets other accounts call.
var (
	streamActions = []string{
		"DescribeStream", "DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards", "PutRecord", "PutRecords",
	}
	consumerActions = []string{"DescribeStreamConsumer", "SubscribeToShard"}
)

// Policy is the policy of one resource. A nil Policy means that the resource has no
// policy.
type Policy struct {
	text       string
	statements []statement
}

// Decision is what a policy says about a call.
type Decision int

const (
	// NoMatch means that no statement matches: only the owner's account may call.
	NoMatch Decision = iota
	// Allowed means that the account may call.
	Allowed
	// Denied means that the account may not call, whatever else is allowed.
	Denied
)

// Decide returns the decision for an action of an account. The action has no
// prefix.
func (p *Policy) Decide(account, action string) Decision {
	if p == nil {
		return NoMatch
	}
	decision := NoMatch
	for _, s := range p.statements {
		switch {
		case !s.matches(account, action):
		case s.Effect == deny:
			return Denied
		default:
			decision = Allowed
		}
	}
	return decision
}

// String returns the policy as it was written.
func (p *Policy) String() string {
	if p == nil {
		return ""
	}
	return p.text
}

// Parse parses the policy of the resource with the ARN. It refuses what it does not
// support.
func Parse(text, arn string) (*Policy, error) {
	if len(text) > MaxBytes {
		return nil, fmt.Errorf("it has %d bytes, the most is %d", len(text), MaxBytes)
	}
	var d document
	if err := strict([]byte(text), &d); err != nil {
		return nil, err
	}
	if d.Version != "" && d.Version != "2012-10-17" && d.Version != "2008-10-17" {
		return nil, errors.New("the Version must be 2012-10-17 or 2008-10-17")
	}
	if len(d.Statement) == 0 {
		return nil, errors.New("it has no Statement")
	}
	for i, s := range d.Statement {
		if err := s.check(arn); err != nil {
			return nil, fmt.Errorf("statement %d: %w", i+1, err)
		}
	}
	return &Policy{text, d.Statement}, nil
}

type document struct {
	Version   string
	ID        string `json:"Id"`
	Statement statements
}

const (
	allow = "Allow"
	deny  = "Deny"
)

type statement struct {
	Sid       string
	Effect    string
	Principal principal
	Action    list
	Resource  list
	Condition json.RawMessage
}

func (s *statement) check(arn string) error {
	if s.Condition != nil {
		return errors.New("kinesislocal does not evaluate a Condition: leave it out, or test against AWS")
	}
	if s.Effect != allow && s.Effect != deny {
		return errors.New("the Effect must be Allow or Deny")
	}
	if err := s.Principal.check(); err != nil {
		return err
	}
	actions := streamActions
	if strings.Contains(arn, "/consumer/") {
		actions = consumerActions
	}
	if len(s.Action) == 0 {
		return errors.New("the Action is missing")
	}
	for i, a := range s.Action {
		prefix, action, _ := strings.Cut(a, ":")
		known := slices.IndexFunc(actions, func(k string) bool { return strings.EqualFold(k, action) })
		if !strings.EqualFold(prefix, "kinesis") || known < 0 {
			return fmt.Errorf("%q is not an Action that %s can share: these are kinesis:%s, without wildcards", clip(a), arn, strings.Join(actions, ", kinesis:"))
		}
		s.Action[i] = actions[known]
	}
	if len(s.Resource) == 0 {
		return errors.New("the Resource is missing")
	}
	for _, r := range s.Resource {
		if r != arn {
			return fmt.Errorf("the Resource %q is not the resource that the policy is for, %s", clip(r), arn)
		}
	}
	return nil
}

func (s *statement) matches(account, action string) bool {
	return slices.Contains(s.Action, action) && slices.ContainsFunc(s.Principal.AWS, func(p string) bool { return accountOf(p) == account })
}

type principal struct{ AWS list }

// principalPattern matches an account, its root user, or one of its users or roles.
var principalPattern = regexp.MustCompile(`^(?:(\d{12})|arn:aws[^:]*:(?:iam|sts)::(\d{12}):(?:root|(?:user|role|assumed-role)/[^\s*?]+))$`)

// accountOf returns the account of a principal, "" for an invalid principal.
func accountOf(principal string) string {
	m := principalPattern.FindStringSubmatch(principal)
	if m == nil {
		return ""
	}
	return m[1] + m[2]
}

func (p principal) check() error {
	if len(p.AWS) == 0 {
		return errors.New(`the Principal must be {"AWS": ...}`)
	}
	for _, one := range p.AWS {
		if accountOf(one) == "" {
			return fmt.Errorf("the Principal %q is neither an account ID nor the ARN of an account's root, user or role; wildcards are not supported", clip(one))
		}
	}
	return nil
}

// UnmarshalJSON refuses a string such as "*", which AWS accepts instead of an object.
func (p *principal) UnmarshalJSON(b []byte) error {
	type plain principal // without this method
	if err := strict(b, (*plain)(p)); err != nil {
		return fmt.Errorf(`the Principal must be {"AWS": ...}, wildcards are not supported: %w`, err)
	}
	return nil
}

// list is one string or several.
type list []string

// UnmarshalJSON accepts a string or a list of strings.
func (l *list) UnmarshalJSON(b []byte) error { return oneOrMore(b, (*[]string)(l)) }

// statements is one statement or several.
type statements []statement

// UnmarshalJSON accepts a statement or a list of statements.
func (s *statements) UnmarshalJSON(b []byte) error { return oneOrMore(b, (*[]statement)(s)) }

func oneOrMore[T any](b []byte, to *[]T) error {
	if bytes.HasPrefix(b, []byte("[")) { // the decoder has cut off white space
		return strict(b, to)
	}
	var one T
	err := strict(b, &one)
	*to = []T{one}
	return err
}

// strict decodes exactly one JSON value. It refuses unknown elements, because one
// that is ignored might have denied something.
func strict(b []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(to); errors.Is(err, io.EOF) {
		return errors.New("it is empty")
	} else if err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows it")
	}
	return nil
}

// clip shortens a value for a message.
func clip(value string) string {
	if len(value) > 100 {
		return strings.ToValidUTF8(value[:100], "") + "..."
	}
	return value
}
