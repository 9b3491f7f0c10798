package apidoc

import (
	"maps"
	"path/filepath"
	"testing"

	"github.com/seed96110120/kinesis-client-go/tools/internal/needs"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// cannotRun are the functions of which no example can run, by package, and why:
// they have one that is compiled.
var cannotRun = map[string]map[string]string{
	"bootstrap":          {"FindJava": "there may be none"},
	"processor":          {"Main": "it ends the process"},
	"tools/kinesislocal": {"New": "it takes a test"},
}

// Everything that a user can import says what it is, and shows how it is used.
func TestWorkspace(t *testing.T) {
	root := needs.Workspace(t)
	ws, err := workspace.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	public := 0
	left := maps.Clone(cannotRun)
	for _, m := range ws.Modules {
		packages, err := Packages(filepath.Join(root, filepath.FromSlash(m.Dir)))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range packages {
			name := m.Dir
			if p.Dir != "." {
				name += "/" + p.Dir
			}
			if !p.Command {
				public++
			}
			var exempt []string
			for f := range cannotRun[name] {
				exempt = append(exempt, f)
			}
			delete(left, name)
			for _, finding := range p.Check(exempt...) {
				t.Errorf("%s/%s", m.Dir, finding)
			}
		}
	}
	for name := range left {
		t.Errorf("there is no package %s", name)
	}
	if public < 5 {
		t.Errorf("%d public packages found", public)
	}
}
