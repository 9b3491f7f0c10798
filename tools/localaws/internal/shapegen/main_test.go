package main

import (
	"bytes"
	"os"
	"testing"
)

// TestShapesAreCurrent fails when the SDK has changed, or somebody the files.
func TestShapesAreCurrent(t *testing.T) {
	for service, file := range map[string]string{
		"kinesis":  "../../kinesislocal/internal/wire/shapes.go",
		"dynamodb": "../../dynamolocal/internal/wire/shapes.go",
	} {
		want, err := generate(service)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// A checkout may end lines as Windows does.
		if got = bytes.ReplaceAll(got, []byte("\r\n"), []byte("\n")); !bytes.Equal(got, want) {
			t.Errorf("%s is not what the SDK says: run go generate in its folder", file)
		}
	}
}
