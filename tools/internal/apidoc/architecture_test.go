package apidoc

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/seed96110120/kinesis-client-go/tools/internal/needs"
)

// The file map of ARCHITECTURE.md has each package of the repository, and
// nothing that is gone.
func TestArchitectureHasAllPackages(t *testing.T) {
	root := needs.Workspace(t)
	text, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, chapter, found := strings.Cut(string(text), "\n## Which folder does what\n")
	chapter, _, _ = strings.Cut(chapter, "\n## ")
	if !found {
		t.Fatal("ARCHITECTURE.md has no chapter of folders")
	}
	named := make(map[string]bool) // whether there is such a package
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(chapter, -1) {
		if _, twice := named[row[1]]; twice {
			t.Errorf("ARCHITECTURE.md has %s twice", row[1])
		}
		named[row[1]] = false
	}
	// What git has or would take: the README's reader saves programs beside it.
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.go")
	list.Dir = root
	files, err := list.Output()
	if err != nil {
		t.Fatal("git ls-files: ", err)
	}
	seen := make(map[string]bool)
	for file := range strings.SplitSeq(strings.TrimSuffix(string(files), "\x00"), "\x00") {
		name := path.Dir(file)
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(file))); err != nil || seen[name] {
			continue // deleted, and not yet committed
		}
		seen[name] = true
		if strings.Contains("/"+name+"/", "/testdata/") {
			continue
		}
		entry := name
		for above := name; above != "."; above = path.Dir(above) {
			if _, ok := named[above+"/..."]; ok {
				entry = above + "/..."
			}
		}
		if _, ok := named[entry]; !ok {
			t.Errorf("ARCHITECTURE.md does not name %s: give it a line in the chapter of folders", name)
			continue
		}
		named[entry] = true
	}
	if len(seen) < 50 {
		t.Errorf("%d folders found", len(seen))
	}
	for name, exists := range named {
		if !exists {
			t.Errorf("ARCHITECTURE.md names %s, which is no package", name)
		}
	}
}
