package core

import (
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal/internal/policy"
)

// Account is the streams of one account, for a caller that does one operation.
// The caller is of that account or of another; what another may do is up to the
// policy of a stream or consumer. Its methods may be called concurrently; their
// errors are of type *Error.
type Account struct {
	*Service
	owner     string // whose streams they are, an ID of 12 digits
	caller    string
	operation string
	named     string // by the caller: the ARN, "" where the caller named it otherwise
}

// For returns the caller's own streams, for an operation of the service's names.
func (s *Service) For(caller, operation string) *Account {
	return &Account{Service: s, owner: caller, caller: caller, operation: operation}
}

// At returns the streams of the account in the ARN of a stream or consumer, for
// the same caller and operation.
func (s *Account) At(arn string) *Account {
	other := *s
	other.owner, other.named = strings.Split(arn, ":")[4], arn
	return &other
}

// streamKey is what tells streams apart. The region does not.
type streamKey struct{ account, name string }

func (s *Account) key(name string) streamKey { return streamKey{s.owner, name} }

// with runs f with the stream locked and up to date, when the caller may do the
// operation with it.
func (s *Account) with(name string, f func(st *stream, now time.Time) error) error {
	return s.locked(name, func(st *stream, now time.Time) error {
		if err := s.may(st.policy, st.arn()); err != nil {
			return err
		}
		return f(st, now)
	})
}

// withConsumer runs f with the stream locked and up to date, when the caller may
// do the operation with the consumer. A consumer is found by the name, the ARN
// or both, "" for one not given.
func (s *Account) withConsumer(streamName, name, arn string, f func(st *stream, c *consumer, now time.Time) error) error {
	return s.locked(streamName, func(st *stream, now time.Time) error {
		c, err := st.findConsumer(name, arn)
		refused := s.may(st.policy, st.arn())
		switch {
		case arn != "" && err == nil:
			refused = s.may(c.policy, c.arn)
		case arn != "":
			refused = s.may(nil, arn)
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

// locked is with without the policy.
func (s *Account) locked(name string, f func(st *stream, now time.Time) error) error {
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
	// Another account does not learn whether there is such a stream.
	if err := s.may(nil, s.named); err != nil {
		return err
	}
	return errorf(ResourceNotFound, "Stream %s under account %s not found.", name, s.owner)
}

// may refuses the operation unless the owner does it, or the policy of the
// resource allows it to the caller.
func (s *Account) may(p *policy.Policy, arn string) error {
	decision := p.Decide(s.caller, s.operation)
	if decision == policy.Allowed || decision == policy.Silent && s.caller == s.owner {
		return nil
	}
	why := "with an explicit deny in a resource-based policy"
	if decision == policy.Silent {
		why = "because no resource-based policy allows the kinesis:" + s.operation + " action"
	}
	return errorf(AccessDenied, "User: arn:aws:iam::%s:root is not authorized to perform: kinesis:%s on resource: %s %s", s.caller, s.operation, arn, why)
}

// PutPolicy gives a stream or, unless consumerARN is "", one of its consumers a
// policy, in the place of the one that it has.
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

// DeletePolicy takes the policy away.
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
		return s.with(name, func(st *stream, _ time.Time) error { return f(&st.policy, st.arn(), st.status) })
	}
	return s.withConsumer(name, "", consumerARN, func(_ *stream, c *consumer, now time.Time) error {
		return f(&c.policy, c.arn, c.describe(now).Status)
	})
}
