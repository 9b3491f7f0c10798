package core

import (
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal/internal/policy"
)

// Account gives a caller access to the streams of one account, for one
// operation. The caller belongs to that account or to another one; policies of
// streams and consumers decide what another account may do. Its methods may be
// called concurrently; their errors are of type *Error.
type Account struct {
	*Service
	owner     string // ID of the account that has the streams
	caller    string // ID of the account that calls
	operation string
	arn       string // the ARN that the caller gave, "" for none
}

// AccountOf returns the caller's own account, for the named operation.
func (s *Service) AccountOf(caller, operation string) *Account {
	return &Account{Service: s, owner: caller, caller: caller, operation: operation}
}

// WithOwnerOf returns the account in the ARN of a stream or consumer, for the same
// caller and operation.
func (s *Account) WithOwnerOf(arn string) *Account {
	other := *s
	other.owner, other.arn = strings.Split(arn, ":")[4], arn
	return &other
}

// streamKey identifies a stream. The region is not part of it.
type streamKey struct{ account, name string }

func (s *Account) key(name string) streamKey { return streamKey{s.owner, name} }

// withStream calls f with the stream locked and settled, if the caller is
// authorized.
func (s *Account) withStream(name string, f func(st *stream, now time.Time) error) error {
	return s.lockStream(name, func(st *stream, now time.Time) error {
		if err := s.authorize(st.policy, st.arn()); err != nil {
			return err
		}
		return f(st, now)
	})
}

// withConsumer calls f with a consumer and its stream, locked and settled, if the
// caller is authorized. It finds the consumer by the name, the ARN or both; ""
// means not given.
func (s *Account) withConsumer(streamName, name, arn string, f func(st *stream, c *consumer, now time.Time) error) error {
	return s.lockStream(streamName, func(st *stream, now time.Time) error {
		c, err := st.findConsumer(name, arn)
		refused := s.authorize(st.policy, st.arn())
		switch {
		case arn != "" && err == nil:
			refused = s.authorize(c.policy, c.arn)
		case arn != "":
			refused = s.authorize(nil, arn)
		}
		if refused != nil {
			return refused
		}
		if err != nil {
			return err
		}
		return f(st, c, now)
	})
}

// lockStream is withStream without authorization.
func (s *Account) lockStream(name string, f func(st *stream, now time.Time) error) error {
	s.mu.RLock()
	st := s.streams[s.key(name)]
	s.mu.RUnlock()
	if st != nil {
		st.mu.Lock()
		defer st.mu.Unlock()
		now := time.Now()
		st.settle(now)
		if st.status != gone {
			return f(st, now)
		}
	}
	// Another account must not learn whether the stream exists.
	if err := s.authorize(nil, s.arn); err != nil {
		return err
	}
	return errorf(ResourceNotFound, "Stream %s under account %s not found.", name, s.owner)
}

// authorize returns an error unless the caller owns the resource and its policy
// does not deny the operation, or the policy allows it.
func (s *Account) authorize(p *policy.Policy, arn string) error {
	decision := p.Decide(s.caller, s.operation)
	if decision == policy.Allowed || decision == policy.NoMatch && s.caller == s.owner {
		return nil
	}
	why := "with an explicit deny in a resource-based policy"
	if decision == policy.NoMatch {
		why = "because no resource-based policy allows the kinesis:" + s.operation + " action"
	}
	return errorf(AccessDenied, "User: arn:aws:iam::%s:root is not authorized to perform: kinesis:%s on resource: %s %s", s.caller, s.operation, arn, why)
}

// PutPolicy replaces the policy of a stream or, unless consumerARN is "", of one
// of its consumers.
func (s *Account) PutPolicy(name, consumerARN, text string) error {
	return s.withPolicy(name, consumerARN, func(of **policy.Policy, arn string, status Status) error {
		if status != Active {
			return errorf(ResourceInUse, "Resource %s is not ACTIVE, instead in state %s.", arn, status)
		}
		p, err := policy.Parse(text, arn)
		if err != nil {
			return errorf(InvalidArgument, "The policy is not one for %s: %s.", arn, err)
		}
		*of = p
		return nil
	})
}

// Policy returns the policy as it was put.
func (s *Account) Policy(name, consumerARN string) (text string, err error) {
	err = s.withPolicy(name, consumerARN, func(of **policy.Policy, arn string, _ Status) error {
		if text = (*of).String(); text == "" {
			return errorf(ResourceNotFound, "Resource %s has no resource-based policy.", arn)
		}
		return nil
	})
	return text, err
}

// DeletePolicy deletes the policy.
func (s *Account) DeletePolicy(name, consumerARN string) error {
	return s.withPolicy(name, consumerARN, func(of **policy.Policy, arn string, status Status) error {
		switch {
		case *of == nil:
			return errorf(ResourceNotFound, "Resource %s has no resource-based policy.", arn)
		case status != Active:
			return errorf(ResourceInUse, "Resource %s is not ACTIVE, instead in state %s.", arn, status)
		}
		*of = nil
		return nil
	})
}

func (s *Account) withPolicy(name, consumerARN string, f func(of **policy.Policy, arn string, status Status) error) error {
	if consumerARN == "" {
		return s.withStream(name, func(st *stream, _ time.Time) error { return f(&st.policy, st.arn(), st.status) })
	}
	return s.withConsumer(name, "", consumerARN, func(_ *stream, c *consumer, now time.Time) error {
		return f(&c.policy, c.arn, c.describe(now).Status)
	})
}
