//go:build unix

package differential

import (
	"slices"
	"testing"

	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal"
)

// Both services give the same answers to all scripts, except for the listed differences, all
// of which exist.
func TestBothAnswerAlike(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	theirs := kinesisLocal(t)
	ours, err := kinesislocal.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close() })

	seen := make(map[string]bool)
	for _, script := range scripts {
		t.Run(script.name, func(t *testing.T) {
			a, b := newSession(t, ours.URL()), newSession(t, theirs.url)
			script.run(a)
			script.run(b)
			compare(t, script.name, a.steps, b.steps, differences, seen)
		})
	}
	allSeen(t, differences, seen)
}

// compare fails the test for each difference that is not listed, and for each listed one
// that does not exist. It marks the steps as seen.
func compare(t *testing.T, script string, ours, theirs []step, listed []difference, seen map[string]bool) {
	t.Helper()
	if len(ours) != len(theirs) {
		t.Fatalf("ours took %d steps, theirs %d", len(ours), len(theirs))
	}
	for _, step := range ours {
		name := script + ": " + step.name
		if seen[name] {
			t.Fatalf("two steps are called %q", name)
		}
		seen[name] = true
		// The order of steps may differ between services.
		at := slices.IndexFunc(theirs, byName(step.name))
		if at < 0 {
			t.Fatalf("theirs has no step %q", step.name)
		}
		got := difference{step: name, ours: step.answer, theirs: theirs[at].answer}
		want, isListed := listedDifference(listed, name)
		switch {
		case got.ours == got.theirs && isListed:
			t.Errorf("%s: no longer a difference, both answer %s", name, got.ours)
		case got.ours != got.theirs && !isListed:
			t.Errorf("%s:\n  ours   %s\n  theirs %s", name, got.ours, got.theirs)
		case isListed && (got.ours != want.ours || got.theirs != want.theirs):
			t.Errorf("%s is listed, but is now\n  ours   %s\n  theirs %s", name, got.ours, got.theirs)
		}
	}
}

// allSeen checks that each difference belongs to a step, and reports how many calls were
// compared.
func allSeen(t *testing.T, listed []difference, seen map[string]bool) {
	t.Helper()
	for _, d := range listed {
		if !seen[d.step] && !t.Failed() {
			t.Errorf("%q is listed as a difference, but no script has such a step", d.step)
		}
		if d.documentation == "" {
			t.Errorf("%q: name the page that decides", d.step)
		}
	}
	testenv.Compared(t, "%d calls, %d are listed as different", len(seen), len(listed))
}

func listedDifference(listed []difference, step string) (difference, bool) {
	i := slices.IndexFunc(listed, func(d difference) bool { return d.step == step })
	if i < 0 {
		return difference{}, false
	}
	return listed[i], true
}

func byName(name string) func(step) bool {
	return func(s step) bool { return s.name == name }
}
