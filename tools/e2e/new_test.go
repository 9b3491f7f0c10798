//go:build unix

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/handle"
	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// What kcl-bootstrap new makes is a consumer: as a newcomer types it, it builds
// and passes its test against modules of this tree, has nothing that check
// finds, and handles records as the Dockerfile starts it and as the unit does.
func TestNewProject(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	l := local(t)
	a := &application{t: t, name: "TestNewProject", dir: filepath.Join(t.TempDir(), "with a space", "orders")}
	docker := t.TempDir() // for /out/bin of the Dockerfile
	a.environ = sample.Environ(sample.Environ(l.Environ(os.Environ()), shared.bin), docker)
	ws, err := workspace.Load(shared.root)
	if err != nil {
		t.Fatal(err)
	}
	a.environ = append(a.environ, releases(t, ws, "processor", "protocol")...)

	// What it says to do next is what its README says, and works.
	made := exec.Command(sample.Command(shared.bin, "kcl-bootstrap"), "new", a.dir, "--module", "example.com/team/orders", "--stream", a.name, "--application", a.name)
	out, err := made.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, m := range ws.Modules {
		if want := m.Path + " " + m.Version + "\n"; m.Dir == "processor" && !strings.HasSuffix(a.read("go.mod"), want) {
			t.Fatalf("go.mod does not end with %q, set DefaultProcessorVersion in bootstrap/internal/scaffold:\n%s", want, a.read("go.mod"))
		}
	}
	_, next, _ := strings.Cut(string(out), "\nnext:\n")
	lines := strings.Split(strings.TrimSpace(next), "\n")
	readme := a.read("README.md")
	for _, line := range lines[1:] { // less cd
		if !strings.Contains(readme, "\n    "+strings.TrimSpace(line)+"\n") {
			t.Errorf("the README does not say %q", line)
		}
	}
	if last := len(lines) - 1; strings.TrimSpace(lines[last]) != "kcl-bootstrap -e -p sample.properties" {
		t.Fatalf("the last line is %q", lines[last])
	} else {
		a.shell(strings.Join(lines[:last], "\n")) // with its cd
	}
	a.shell("go vet ./...")
	if out := a.shell("kcl-bootstrap check -p sample.properties"); out != "kcl-bootstrap: sample.properties: 0 errors, 0 warnings\n" {
		t.Error(out)
	}
	if again := a.shell("cp go.mod before; go mod tidy; cmp go.mod before && rm before"); again != "" {
		t.Error(again)
	}

	a.run("kcl-infra", "create", "-p", "sample.properties", "--region", "us-east-1", "--shards", "2", "--seed-leases", "TRIM_HORIZON")
	a.properties = filepath.Join(a.dir, "sample.local.properties") // as tools/cmd/kcl-local writes it
	if err := os.WriteFile(a.properties, []byte(stack.Override(a.read("sample.properties"), l.Properties())), 0o666); err != nil {
		t.Fatal(err)
	}
	const poison = "no event"
	a.putLines(20, func(line int) string {
		if line == 7 {
			return poison
		}
		return fmt.Sprintf(`{"time":1700000000000,"sensor":"sensor-%d","reading":%[1]d}`, line)
	})

	// In the image: its steps, with the folders of this machine.
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	jars := filepath.Join(cache, "kcl-bootstrap", "maven")
	image := strings.NewReplacer("/out/bin/orders", filepath.Join(docker, "orders"), "/out/bin", shared.bin, "/out/jars", jars, "/opt/kcl/jars", jars)
	dockerfile := a.read("Dockerfile")
	for _, step := range []string{"fetch", "go build"} {
		found := regexp.MustCompile(`(?m)^RUN (.*` + step + `.*)$`).FindStringSubmatch(dockerfile)
		if found == nil {
			t.Fatalf("the Dockerfile has no %s:\n%s", step, dockerfile)
		}
		a.shell("export CGO_ENABLED=0; " + image.Replace(found[1]))
	}
	if libraries, err := exec.Command("ldd", filepath.Join(docker, "orders")).CombinedOutput(); err == nil {
		t.Errorf("the program is not static: %s", libraries)
	}
	var entry []string
	line := regexp.MustCompile(`(?m)^ENTRYPOINT (.*)$`).FindStringSubmatch(dockerfile)
	if line == nil || json.Unmarshal([]byte(line[1]), &entry) != nil {
		t.Fatalf("no ENTRYPOINT:\n%s", dockerfile)
	}
	d := a.startAs(image, entry)
	a.handled(d, 19)
	last := map[string]string{}
	for _, key := range a.sent {
		at := processor.Position{SequenceNumber: key.SequenceNumber}
		if at.Compare(processor.Position{SequenceNumber: last[key.ShardID]}) > 0 {
			last[key.ShardID] = key.SequenceNumber
		}
	}
	a.await(d, "each shard's last record checkpointed", func() bool { return maps.Equal(a.checkpoints(), last) })
	a.stop(d)
	letters, err := filepath.Glob(filepath.Join(a.dir, "dead-letters", "*.jsonl"))
	if err != nil || len(letters) != 1 {
		t.Fatalf("dead letters: %q, %v", letters, err)
	}
	text, err := os.ReadFile(letters[0])
	if err != nil {
		t.Fatal(err)
	}
	var letter handle.DeadLetter
	if err := json.Unmarshal(text, &letter); err != nil { // one line, or this fails
		t.Fatalf("%v: %s", err, text)
	}
	if string(letter.Data) != poison || letter.Reason != handle.ReasonPermanent || !strings.Contains(letter.Error, "not an event") {
		t.Errorf("dead letter: %+v", letter)
	}

	// Under systemd, with the log that the project brings.
	a.putLines(5, func(line int) string { return fmt.Sprintf(`{"reading":%d}`, line) })
	unit := regexp.MustCompile(`(?m)^ExecStart=(.*)$`).FindStringSubmatch(a.read("orders.service"))
	if unit == nil {
		t.Fatal("the unit has no ExecStart")
	}
	host := strings.NewReplacer("/usr/local/bin/orders", "./orders", "/usr/local/bin/", "", "/var/lib/orders/state", filepath.Join(t.TempDir(), "state"))
	d = a.startAs(host, append(strings.Fields(unit[1]), "-l", "logback.xml"))
	a.handled(d, 24)
	a.stop(d)
	if log := a.read("daemon.log"); strings.Contains(log, "sensor-3") || !regexp.MustCompile(`(?m)^\S+ INFO  Scheduler - `).MatchString(log) {
		t.Error("the daemon's log has a record's data, or logback.xml was not heeded")
	}
}

// startAs starts a daemon as a file of the project does, on this machine.
func (a *application) startAs(here *strings.Replacer, command []string) *sample.Daemon {
	a.t.Helper()
	if len(command) < 4 || filepath.Base(command[0]) != "kcl-bootstrap" || !slices.Equal(command[1:3], []string{"--execute", "--properties"}) {
		a.t.Fatalf("not a start of kcl-bootstrap: %q", command)
	}
	a.arguments = nil
	for _, argument := range command[4:] {
		a.arguments = append(a.arguments, here.Replace(argument))
	}
	return a.start()
}

// handled waits until the log says that n records are handled.
func (a *application) handled(d *sample.Daemon, n int) {
	a.t.Helper()
	a.await(d, fmt.Sprintf("%d records handled", n), func() bool { return strings.Count(a.read("daemon.log"), " msg=handled ") >= n })
	if got := strings.Count(a.read("daemon.log"), " msg=handled "); got != n {
		a.t.Errorf("%d records were handled, want %d", got, n)
	}
}

// shell runs a script in the application's folder and returns what it prints.
func (a *application) shell(script string) string {
	a.t.Helper()
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir, cmd.Env = a.dir, a.environ
	out, err := cmd.CombinedOutput()
	if err != nil {
		a.t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}

// releases packs modules of this tree as a release does, and returns the
// environment in which the go command finds those and no other.
func releases(t *testing.T, ws *workspace.Workspace, modules ...string) []string {
	t.Helper()
	s, err := ws.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Remove() })
	for _, m := range s.Modules {
		if slices.Contains(modules, m.Dir) {
			if err := s.Publish(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
	}
	return append(s.Env, "GOTOOLCHAIN=local", "GOPROXY="+s.Proxy)
}
