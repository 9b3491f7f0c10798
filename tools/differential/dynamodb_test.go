//go:build unix

package differential

import (
	"testing"

	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal"
)

// Every script's answers are alike for dynamolocal and moto but for the listed
// differences, and every listed difference is one.
func TestBothTablesAnswerAlike(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	theirs := moto(t)
	ours, err := dynamolocal.Start(dynamolocal.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close() })
	seen := make(map[string]bool)
	for _, script := range tableScripts {
		t.Run(script.name, func(t *testing.T) {
			a, b := newTableSession(t, ours.URL()), newTableSession(t, theirs)
			script.run(a)
			script.run(b)
			compare(t, script.name, a.steps, b.steps, tableDifferences, seen)
		})
	}
	allSeen(t, tableDifferences, seen)
}
