package main

import (
	"bytes"
	"os"
	"testing"
)

// TestShapesAreCurrent fails when the SDK has changed, or somebody the file.
func TestShapesAreCurrent(t *testing.T) {
	want, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../shapes.go")
	if err != nil {
		t.Fatal(err)
	}
	// A checkout may end lines as Windows does.
	if got = bytes.ReplaceAll(got, []byte("\r\n"), []byte("\n")); !bytes.Equal(got, want) {
		t.Error("shapes.go is not what the SDK says: run go generate ./internal/wire")
	}
}
