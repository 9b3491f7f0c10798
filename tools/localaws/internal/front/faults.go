package front

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/fault"
)

// Faults holds the rules in force for one service. Its methods may be called
// concurrently.
type Faults struct {
	operations []string
	kinds      []fault.Kind

	mu    sync.Mutex
	rules []*rule
}

// NewFaults returns a Faults without rules, for a service that has these
// operations and can do these kinds.
func NewFaults(operations []string, kinds ...fault.Kind) *Faults {
	return &Faults{operations: operations, kinds: kinds}
}

// rule is one of them with its count.
type rule struct {
	fault.Rule
	set  time.Time
	due  int // in millionths of a call: the next one goes wrong at a whole one
	hits int
}

const whole = 1_000_000

// Set replaces the rules. When one of them cannot be followed it returns an
// error and leaves all as it was.
func (f *Faults) Set(rules []fault.Rule) error {
	now := time.Now()
	var next []*rule
	for _, r := range rules {
		if err := r.Check(); err != nil {
			return err
		}
		if r.Operation != "" && !slices.Contains(f.operations, r.Operation) {
			return fmt.Errorf("fault: there is no operation %q", r.Operation)
		}
		if !slices.Contains(f.kinds, r.Kind) {
			return fmt.Errorf("fault: this service has no faults of kind %s", r.Kind)
		}
		next = append(next, &rule{Rule: r, set: now})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = next
	return nil
}

// A Call is what rules choose by.
type Call struct {
	Operation string
	// Tables are those that the call names, in DynamoDB.
	Tables []string
	// AccessKey is the ID of the key that the client signed with.
	AccessKey string
}

func (r *rule) isFor(c Call) bool {
	return (r.Operation == "" || r.Operation == c.Operation) &&
		(r.Table == "" || slices.Contains(c.Tables, r.Table)) &&
		(r.AccessKey == "" || r.AccessKey == c.AccessKey)
}

// Hit counts a call for the rules of the kind, and tells whether it goes wrong.
// For the kind Latency it also returns how long the call waits.
func (f *Faults) Hit(kind fault.Kind, call Call) (latency time.Duration, hit bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.rules) == 0 {
		return 0, false
	}
	now := time.Now()
	for _, r := range f.rules {
		begin := r.set.Add(r.After)
		switch {
		case r.Kind != kind, !r.isFor(call):
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

// Wait makes a call wait as the rules of the kind Latency want, at most until
// ctx ends.
func (f *Faults) Wait(ctx context.Context, call Call) {
	if latency, hit := f.Hit(fault.Latency, call); hit {
		select {
		case <-time.After(latency):
		case <-ctx.Done():
		}
	}
}

// report is what a rule says of itself.
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
