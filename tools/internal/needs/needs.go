// Package needs skips tests for which the machine lacks something, except
// where CI=true: there a skip is a failure.
package needs

import (
	"os"
	"testing"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
)

// Java returns the java command that bootstrap finds, and skips t if there is
// none.
func Java(t testing.TB) string {
	t.Helper()
	java, err := bootstrap.FindJava("")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return java
}
