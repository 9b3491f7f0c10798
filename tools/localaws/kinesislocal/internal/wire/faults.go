package wire

import (
	"fmt"
	"sync"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/fault"
)

// Faults holds the rules in force. The zero value has none. Its methods may be
// called concurrently.
type Faults struct {
	mu    sync.Mutex
	rules []*rule
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
		if _, ok := operations[r.Operation]; !ok && r.Operation != "" {
			return fmt.Errorf("fault: there is no operation %q", r.Operation)
		}
		next = append(next, &rule{Rule: r, set: now})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = next
	return nil
}

// hit counts a call for the rules of the kind, and tells whether it goes wrong.
// For the kind Latency it also returns how long the call waits.
func (f *Faults) hit(kind fault.Kind, operation string) (latency time.Duration, hit bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.rules) == 0 {
		return 0, false
	}
	now := time.Now()
	for _, r := range f.rules {
		begin := r.set.Add(r.After)
		switch {
		case r.Kind != kind, r.Operation != "" && r.Operation != operation:
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
