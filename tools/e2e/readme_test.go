//go:build unix

package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
)

// The program in the README compiles as it stands there, and the real daemon
// runs it.
func TestREADMEProgram(t *testing.T) {
	t.Parallel()
	a := newApplication(t, 1, stack.Setting{Name: "executableName", Value: "readme-program"})
	readme, err := os.ReadFile(filepath.Join(shared.root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(readme, -1)
	if len(blocks) != 1 {
		t.Fatalf("%d blocks of Go in the README, want 1", len(blocks))
	}
	program := blocks[0][1]
	lines := strings.Count(string(program), "\n")
	if i := bytes.Index(program, []byte("type ")); strings.Count(string(program[i:]), "\n") > 30 {
		t.Errorf("the program has %d lines, more than 30 without its imports", lines)
	}

	// A file that is overlaid on the workspace, so that it finds the modules.
	source := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(source, program, 0o644); err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(t.TempDir(), "overlay.json")
	target := filepath.Join(shared.root, "consumer-sample", "readme-program", "main.go")
	if err := os.WriteFile(overlay, []byte(`{"Replace":{"`+target+`":"`+source+`"}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-overlay", overlay, "-o", sample.Command(shared.bin, "readme-program"), "./consumer-sample/readme-program")
	build.Dir = shared.root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}

	a.produce(7)
	d := a.start()
	printed := regexp.MustCompile(`(?m)^sensor-\d+: \{"time"`)
	a.await(d, "the records", func() bool { return len(printed.FindAllString(a.read("daemon.log"), -1)) >= 7 })
	a.stop(d)
}
