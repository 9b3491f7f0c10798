package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m.Run)) }

// The jar that Go embeds has the bytes that the source makes.
func TestJarIsTheSources(t *testing.T) {
	testenv.Long(t)
	testenv.JDK(t)
	root := testenv.Workspace(t)
	want, err := build(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, committed))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("bootstrap/engine/entry.jar is not up to date: go run ./tools/cmd/entryjar")
	}
}
