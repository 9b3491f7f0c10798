package testenv

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/tools/internal/conformance"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// IsLong reports whether long tests run, because LONG_TESTS is set.
func IsLong() bool { return os.Getenv("LONG_TESTS") != "" }

// Long skips t unless long tests run.
func Long(t testing.TB) {
	t.Helper()
	if !IsLong() {
		t.Skip("a long test: set LONG_TESTS=1 to run it")
	}
}

// Nightly skips t unless NIGHTLY_TESTS is set. It is for tests that are too slow for each
// change.
func Nightly(t testing.TB) {
	t.Helper()
	if os.Getenv("NIGHTLY_TESTS") == "" {
		t.Skip("a nightly test: set NIGHTLY_TESTS=1 to run it")
	}
}

// Compared logs what t has compared and appends it to the file COMPARED, which .ci/run
// prints: go test does not show the log of a test that passes.
func Compared(t testing.TB, format string, args ...any) {
	t.Helper()
	line := t.Name() + ": compared " + fmt.Sprintf(format, args...)
	t.Log(line)
	name := os.Getenv("COMPARED")
	if name == "" {
		return
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(line + "\n"); err != nil {
		t.Error(err)
	}
}

// Java returns the java command that bootstrap finds or fetches, and skips t if there is
// none. With CI=true, this function and the following ones fail t instead.
func Java(t testing.TB) string {
	t.Helper()
	java, err := bootstrap.FindOrFetchJava(t.Context(), "", 17, nil)
	if err != nil {
		skip(t, err)
	}
	return java
}

// JDK returns the java command as Java does, and skips t if it has no compiler.
func JDK(t testing.TB) string {
	t.Helper()
	java := Java(t)
	if _, err := conformance.FindCompiler(java); err != nil {
		skip(t, err)
	}
	return java
}

// Command skips t unless all the commands are on PATH.
func Command(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			skip(t, err)
		}
	}
}

// Browser returns the command of a Chromium, and skips t if there is none.
func Browser(t testing.TB) string {
	t.Helper()
	var missing []error
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		path, err := exec.LookPath(name)
		if err == nil {
			return path
		}
		missing = append(missing, err)
	}
	skip(t, errors.Join(missing...))
	return ""
}

// Workspace returns the folder of the go.work file. It skips t in a module that is tested
// alone, in CI only if GOWORK=off.
func Workspace(t testing.TB) string {
	t.Helper()
	root, err := workspace.Find(t.Context(), ".")
	if err != nil && os.Getenv("GOWORK") == "off" {
		t.Skip(err)
	}
	if err != nil {
		skip(t, err)
	}
	return root
}

func skip(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip(err)
}
