//go:build unix

package differential

import (
	"slices"
	"testing"

	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal"
)

// dynamolocal and each of the others give the same answers to all scripts, except for the
// listed differences, all of which exist.
func TestTablesAnswerAlike(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	t.Run("moto", func(t *testing.T) {
		t.Parallel()
		compareTables(t, moto(t), motoDifferences, "index capacity") // not supported by moto
	})
	t.Run("dynoxide", func(t *testing.T) {
		testenv.Nightly(t) // compiles it first
		t.Parallel()
		compareTables(t, dynoxide(t), dynoxideDifferences)
	})
}

func compareTables(t *testing.T, theirs *emulator, listed []difference, without ...string) {
	t.Helper()
	ours, err := dynamolocal.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close() })
	seen := make(map[string]bool)
	for _, script := range tableScripts {
		if slices.Contains(without, script.name) {
			continue
		}
		t.Run(script.name, func(t *testing.T) {
			a, b := newTableSession(t, ours.URL()), newTableSession(t, theirs.url)
			script.run(a)
			script.run(b)
			compare(t, script.name, a.steps, b.steps, listed, seen)
		})
	}
	allSeen(t, listed, seen)
}
