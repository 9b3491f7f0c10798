package main

import (
	"bytes"
	"os"
	"testing"
)

// The test fails when the SDK or a generated file has changed.
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
		// A checkout on Windows may have CRLF line ends.
		if got = bytes.ReplaceAll(got, []byte("\r\n"), []byte("\n")); !bytes.Equal(got, want) {
			t.Errorf("%s differs from the types of the SDK: run go generate in its folder", file)
		}
	}
}
