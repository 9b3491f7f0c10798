package e2e

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// ARCHITECTURE.md has a line for each package, or for a folder of packages with /... at its
// end.
func TestArchitectureHasAllPackages(t *testing.T) {
	root := testenv.Workspace(t)
	text, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	list := exec.Command("go", "list", "-f", "{{.Dir}}", "work")
	list.Dir = root
	packages, err := list.Output()
	if err != nil || !strings.Contains(string(packages), "processor") {
		t.Fatalf("go list work: %v: %s", err, packages)
	}
	for dir := range strings.Lines(string(packages)) {
		name, err := filepath.Rel(root, strings.TrimSpace(dir))
		if err != nil {
			t.Fatal(err)
		}
		name = filepath.ToSlash(name)
		named := strings.Contains(string(text), "\n| `"+name+"` |")
		for above := name; above != "." && !named; above = path.Dir(above) {
			named = strings.Contains(string(text), "\n| `"+above+"/...` |")
		}
		if !named {
			t.Errorf("ARCHITECTURE.md does not name %s: add it to the table of packages", name)
		}
	}
}
