//go:build unix

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
)

// readmePrograms builds the programs that stand in the README, as they stand
// there.
func readmePrograms(t *testing.T) (texts, commands []string) {
	t.Helper()
	require(t)
	readme, err := os.ReadFile(filepath.Join(shared.root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for i, block := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		name := fmt.Sprintf("readme-program-%d", i)
		// A file that is overlaid on the workspace, so that it finds the modules.
		source := filepath.Join(t.TempDir(), "main.go")
		if err := os.WriteFile(source, []byte(block[1]), 0o644); err != nil {
			t.Fatal(err)
		}
		overlay := filepath.Join(t.TempDir(), "overlay.json")
		target := filepath.Join(shared.root, "consumer-sample", name, "main.go")
		if err := os.WriteFile(overlay, []byte(`{"Replace":{"`+target+`":"`+source+`"}}`), 0o644); err != nil {
			t.Fatal(err)
		}
		command := sample.Command(shared.bin, name)
		build := exec.Command("go", "build", "-overlay", overlay, "-o", command, "./consumer-sample/"+name)
		build.Dir = shared.root
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		texts, commands = append(texts, block[1]), append(commands, command)
	}
	if len(texts) != 2 {
		t.Fatalf("%d programs in the README, want 2", len(texts))
	}
	return texts, commands
}

// The programs in the README compile as they stand there, and the real daemon
// runs them.
func TestREADMEPrograms(t *testing.T) {
	t.Parallel()
	texts, commands := readmePrograms(t)
	t.Run("worker", func(t *testing.T) {
		t.Parallel()
		if n := strings.Count(texts[0], "\n"); n > 25 {
			t.Errorf("the program has %d lines, want 25 at most", n)
		}
		// With the names that stand in it, and what the local services export.
		l := local(t)
		a := &application{t: t, name: "kclgosample", dir: t.TempDir(), environ: sample.Environ(l.Environ(os.Environ()), shared.bin)}
		a.produce(7)
		a.run("kcl-infra", "create", "--application", "hello", "--stream-name", a.name, "--seed-leases", "TRIM_HORIZON")
		p := a.startProcess("hello", exec.Command(commands[0]))
		printed := regexp.MustCompile(`(?m) shardId-\d+ sensor-\d+: \{"time"`)
		p.await("the records", func() bool { return len(printed.FindAllString(a.read("hello.log"), -1)) >= 7 })
		p.stopBy(os.Interrupt)
	})
	t.Run("processor", func(t *testing.T) {
		t.Parallel()
		_, heart, _ := strings.Cut(texts[1], "\ntype ")
		if n := strings.Count(heart, "\n"); n > 30 {
			t.Errorf("the program has %d lines without its imports, want 30 at most", n)
		}
		a := newApplication(t, 1, stack.Setting{Name: "executableName", Value: filepath.Base(commands[1])})
		a.produce(7)
		d := a.start()
		printed := regexp.MustCompile(`(?m)^sensor-\d+: \{"time"`)
		a.await(d, "the records", func() bool { return len(printed.FindAllString(a.read("daemon.log"), -1)) >= 7 })
		a.stop(d)
	})
}
