//go:build unix

package differential

import (
	"slices"
	"testing"

	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal"
)

// Every script's answers are alike but for the listed differences, and every
// listed difference is one.
func TestBothAnswerAlike(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	theirs := kinesisLocal(t)
	ours, err := kinesislocal.Start(kinesislocal.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close() })

	seen := make(map[string]bool)
	for _, script := range scripts {
		t.Run(script.name, func(t *testing.T) {
			a, b := newSession(t, ours.URL()), newSession(t, theirs)
			script.run(a)
			script.run(b)
			if len(a.steps) != len(b.steps) {
				t.Fatalf("ours took %d steps, theirs %d", len(a.steps), len(b.steps))
			}
			for i, step := range a.steps {
				name := script.name + ": " + step.name
				if seen[name] {
					t.Fatalf("two steps are called %q", name)
				}
				seen[name] = true
				got := difference{step: name, ours: step.answer, theirs: b.steps[i].answer}
				want, listed := listedDifference(name)
				switch {
				case got.ours == got.theirs && listed:
					t.Errorf("%s: no longer a difference, both answer %s", name, got.ours)
				case got.ours != got.theirs && !listed:
					t.Errorf("%s:\n  ours   %s\n  theirs %s", name, got.ours, got.theirs)
				case listed && (got.ours != want.ours || got.theirs != want.theirs):
					t.Errorf("%s is listed, but is now\n  ours   %s\n  theirs %s", name, got.ours, got.theirs)
				}
			}
		})
	}
	for _, d := range differences {
		if !seen[d.step] && !t.Failed() {
			t.Errorf("%q is listed as a difference, but no script has such a step", d.step)
		}
		if d.documentation == "" {
			t.Errorf("%q: name the page that decides", d.step)
		}
	}
}

func listedDifference(step string) (difference, bool) {
	i := slices.IndexFunc(differences, func(d difference) bool { return d.step == step })
	if i < 0 {
		return difference{}, false
	}
	return differences[i], true
}
