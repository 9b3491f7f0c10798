package httpserver

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/fault"
)

// Faults has the rules of one service. Its methods may be called concurrently.
type Faults struct {
	operations []string
	kinds      []fault.Kind

	mu    sync.Mutex
	rules []*rule
}

// NewFaults returns a Faults without rules, for a service with these operations and
// kinds of fault.
func NewFaults(operations []string, kinds ...fault.Kind) *Faults {
	return &Faults{operations: operations, kinds: kinds}
}

// rule is a rule with its counts.
type rule struct {
	fault.Rule
	set  time.Time
	due  int // in millionths of a call; a call fails when it reaches whole
	hits int
}

const whole = 1_000_000

// Set replaces the rules. If one of them is invalid, it returns an error and changes
// nothing.
func (f *Faults) Set(rules []fault.Rule) error {
	now := time.Now()
	var next []*rule
	for _, r := range rules {
		if err := r.Validate(); err != nil {
			return err
		}
		if r.Operation != "" && !slices.Contains(f.operations, r.Operation) {
			return fmt.Errorf("fault: Rule.Operation: %q is not an operation of this service", r.Operation)
		}
		if !slices.Contains(f.kinds, r.Kind) {
			return fmt.Errorf("fault: Rule.Kind: this service does not have the kind %s", r.Kind)
		}
		next = append(next, &rule{Rule: r, set: now})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = next
	return nil
}

// Call has the properties of a call that rules match.
type Call struct {
	Operation string
	// Tables has the tables that a call of DynamoDB names.
	Tables []string
	// AccessKey is the ID of the access key that the client signed with.
	AccessKey string
}

func (r *rule) matches(c Call) bool {
	return (r.Operation == "" || r.Operation == c.Operation) &&
		(r.Table == "" || slices.Contains(c.Tables, r.Table)) &&
		(r.AccessKey == "" || r.AccessKey == c.AccessKey)
}

// Apply counts a call for the rules of the kind, and returns whether the call fails
// and, for the kind Latency, how long it must wait.
func (f *Faults) Apply(kind fault.Kind, call Call) (latency time.Duration, hit bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.rules) == 0 {
		return 0, false
	}
	now := time.Now()
	for _, r := range f.rules {
		begin := r.set.Add(r.After)
		switch {
		case r.Kind != kind, !r.matches(call):
			continue
		case now.Before(begin), r.For > 0 && !now.Before(begin.Add(r.For)):
			continue
		}
		if r.due += int(r.Rate*whole + 0.5); r.due >= whole {
			r.due -= whole
			r.hits++
			latency, hit = latency+r.Latency, true
		}
	}
	return latency, hit
}

// Wait applies the rules of the kind Latency to a call: it waits as long as they
// say, but not after ctx is done.
func (f *Faults) Wait(ctx context.Context, call Call) {
	if latency, hit := f.Apply(fault.Latency, call); hit {
		select {
		case <-time.After(latency):
		case <-ctx.Done():
		}
	}
}

// report is a rule with its number of hits, as JSON.
type report struct {
	Rule fault.Rule `json:"rule"`
	Hits int        `json:"hits"`
}

func (f *Faults) report() []report {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := []report{}
	for _, r := range f.rules {
		list = append(list, report{r.Rule, r.hits})
	}
	return list
}
