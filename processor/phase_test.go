package processor

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/seed96110120/kinesis-client-go/protocol"
)

// The messages of the daemon and the status, by the names that the diagram has.
var events = map[string]protocol.Message{
	"initialize":        protocol.Initialize{},
	"processRecords":    protocol.ProcessRecords{},
	"shutdownRequested": protocol.ShutdownRequested{},
	"shardEnded":        protocol.ShardEnded{},
	"leaseLost":         protocol.LeaseLost{},
	"status":            protocol.Status{},
}

// A phase takes what the diagram of PROTOCOL.md says, and nothing else.
func TestPhasesAreThoseOfTheDiagram(t *testing.T) {
	const file = "../protocol/PROTOCOL.md"
	text, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		t.Skip("only in a checkout of the repository: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	phases := map[string]phase{
		"Initializing": initializing, "Idle": idle, "Processing": processing,
		"Stopping": stopping, "Ending": ending, "Lost": lost,
	}
	type step struct {
		from phase
		on   string
	}
	want := map[step]phase{}
	_, diagram, _ := strings.Cut(string(text), "stateDiagram-v2\n")
	diagram, _, _ = strings.Cut(diagram, "```")
	arrow := regexp.MustCompile(`(?m)^ *(\S+) --> (\S+): (.*)$`)
	for _, m := range arrow.FindAllStringSubmatch(diagram, -1) {
		from, to, on := m[1], m[2], m[3]
		switch on {
		case "end of input": // no message
			continue
		case "checkpoint and its answer": // a step within an action
			if from != to || !phases[from].inAction() {
				t.Errorf("%s: the diagram has %q", file, m[0])
			}
			continue
		}
		before, known := phases[from]
		if from == "[*]" {
			before, known = begin, true
		}
		after, knownToo := phases[to]
		if to == "[*]" {
			after, knownToo = over, true
		}
		on, _, _ = strings.Cut(on, ",")
		if !known || !knownToo || events[on] == nil {
			t.Errorf("%s: the diagram has %q", file, m[0])
		}
		want[step{before, on}] = after
	}
	if len(want) == 0 {
		t.Fatalf("%s: no diagram", file)
	}
	for p := begin; p <= closed; p++ {
		for name, m := range events {
			after, err := p.next(m)
			if to, ok := want[step{p, name}]; (err == nil) != ok || ok && after != to {
				t.Errorf("phase %d, %s: phase %d, error %v; the diagram says %d, %v", p, name, after, err, to, ok)
			}
		}
		action := false
		for s := range want {
			action = action || s.from == p && s.on == "status"
		}
		if p.inAction() != action {
			t.Errorf("phase %d: inAction %v, want %v", p, p.inAction(), action)
		}
	}
}

// KCL 1.x has one message for both ends of a lease.
func TestPhaseAfterShutdown(t *testing.T) {
	for reason, want := range map[string]phase{
		protocol.ReasonTerminate: ending, protocol.ReasonShardEnd: ending,
		protocol.ReasonZombie: lost, protocol.ReasonLeaseLost: lost,
	} {
		if got, err := idle.next(protocol.Shutdown{Reason: reason}); got != want || err != nil {
			t.Errorf("%s: phase %d, error %v; want %d", reason, got, err, want)
		}
	}
	if got, err := idle.next(protocol.Shutdown{Reason: "WHIM"}); err == nil {
		t.Errorf("an unknown reason: phase %d, want an error", got)
	}
}
