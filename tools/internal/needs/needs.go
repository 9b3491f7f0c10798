// Package needs skips tests for which the machine lacks something, except
// where CI=true: there a skip is a failure.
package needs

import (
	"os"
	"os/exec"
	"testing"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
)

// Java returns the java command that bootstrap finds, and skips t if there is
// none.
func Java(t testing.TB) string {
	t.Helper()
	java, err := bootstrap.FindJava("")
	if err != nil {
		lacks(t, err)
	}
	return java
}

// Command skips t unless all the commands are on PATH.
func Command(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			lacks(t, err)
		}
	}
}

func lacks(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip(err)
}
