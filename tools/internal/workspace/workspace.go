// Package workspace reads a go.work workspace whose modules require each
// other at versions that no module proxy serves, and serves them from the
// tree: in dependency order, as the proxy would after a release.
package workspace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/seed96110120/kinesis-client-go/tools/internal/child"
)

// A Workspace is what a go.work file and the go.mod files that it uses say.
// It is not changed once loaded.
type Workspace struct {
	// Root is the folder of go.work, absolute.
	Root string
	// Prefix is the longest path that all module paths begin with.
	Prefix string
	// Modules in dependency order: each comes after all that it requires.
	// Modules that do not depend on each other are in the order of their paths.
	Modules []*Module
}

// A Module is one module of a Workspace.
type Module struct {
	// Path is the module path.
	Path string
	// Dir is the module's folder relative to the root, with forward slashes.
	Dir string
	// Version is the one that it is published under in a Proxy: the one that
	// its siblings require, or else the one that most of the others have.
	Version string
	// Siblings are the modules of the workspace that its go.mod names.
	Siblings []*Module
}

// Find returns the folder of the go.work file that holds for dir.
func Find(ctx context.Context, dir string) (string, error) {
	cmd := exec.Command("go", "env", "GOWORK")
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := child.Run(ctx, cmd, time.Second); err != nil {
		return "", fmt.Errorf("go env GOWORK: %w", err)
	}
	file := strings.TrimSpace(out.String())
	if file == "" || file == "off" {
		return "", errors.New("no go.work file here or above: run it inside the checkout, with GOWORK unset")
	}
	return filepath.Dir(file), nil
}

// Load reads root/go.work and the go.mod files that it uses. A dependency
// cycle, a module used twice, and siblings that require one module at two
// versions are errors.
func Load(root string) (*Workspace, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	name := filepath.Join(root, "go.work")
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	work, err := modfile.ParseWork(name, text, nil)
	if err != nil {
		return nil, err
	}
	mods := make(map[string]*Module)
	files := make(map[string]*modfile.File)
	for _, use := range work.Use {
		name := filepath.Join(root, filepath.FromSlash(use.Path), "go.mod")
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("go.work uses %s: %w", use.Path, err)
		}
		f, err := modfile.Parse(name, text, nil)
		if err != nil {
			return nil, err
		}
		if f.Module == nil {
			return nil, fmt.Errorf("%s: no module line", name)
		}
		p := f.Module.Mod.Path
		if mods[p] != nil {
			return nil, fmt.Errorf("%s: module %s is in the workspace already", name, p)
		}
		mods[p], files[p] = &Module{Path: p, Dir: path.Clean(use.Path)}, f
	}
	paths := make([]string, 0, len(mods))
	for p := range mods {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s uses no module", name)
	}
	for _, p := range paths {
		for _, r := range files[p].Require {
			sibling := mods[r.Mod.Path]
			if sibling == nil {
				continue
			}
			if sibling.Version != "" && sibling.Version != r.Mod.Version {
				return nil, fmt.Errorf("%s is required at %s and, by %s, at %s: make them one",
					sibling.Path, sibling.Version, p, r.Mod.Version)
			}
			sibling.Version = r.Mod.Version
			mods[p].Siblings = append(mods[p].Siblings, sibling)
		}
	}
	ws := &Workspace{Root: root, Prefix: commonPrefix(paths)}
	if ws.Modules, err = order(paths, mods); err != nil {
		return nil, err
	}
	ws.setDefaultVersion()
	return ws, nil
}

// order is a depth-first walk, so that the first cycle met can be named.
func order(paths []string, mods map[string]*Module) ([]*Module, error) {
	var (
		sorted []*Module
		trail  []string
		done   = make(map[*Module]bool)
		visit  func(m *Module) error
	)
	visit = func(m *Module) error {
		if done[m] {
			return nil
		}
		if i := slices.Index(trail, m.Path); i >= 0 {
			return fmt.Errorf("modules require each other: %s", strings.Join(append(trail[i:], m.Path), " -> "))
		}
		trail = append(trail, m.Path)
		for _, s := range m.Siblings {
			if err := visit(s); err != nil {
				return err
			}
		}
		trail = trail[:len(trail)-1]
		done[m] = true
		sorted = append(sorted, m)
		return nil
	}
	for _, p := range paths {
		if err := visit(mods[p]); err != nil {
			return nil, err
		}
	}
	return sorted, nil
}

// setDefaultVersion gives the modules that none requires the version that is
// the most frequent among the others: they are released together.
func (ws *Workspace) setDefaultVersion() {
	count := make(map[string]int)
	version := "v0.1.0" // nothing requires anything
	for _, m := range ws.Modules {
		if m.Version == "" {
			continue
		}
		count[m.Version]++
		if count[m.Version] > count[version] {
			version = m.Version
		}
	}
	for _, m := range ws.Modules {
		if m.Version != "" {
			continue
		}
		m.Version = version
		if _, major, ok := module.SplitPathVersion(m.Path); ok && !module.MatchPathMajor(version, major) {
			m.Version = module.PathMajorPrefix(major) + ".0.0"
		}
	}
}

func commonPrefix(paths []string) string {
	prefix := strings.Split(paths[0], "/")
	for _, p := range paths[1:] {
		elems := strings.Split(p, "/")
		n := 0
		for n < len(prefix) && n < len(elems) && prefix[n] == elems[n] {
			n++
		}
		prefix = prefix[:n]
	}
	return strings.Join(prefix, "/")
}

// Unsummed returns the GONOSUMDB pattern list for the modules of the
// workspace: no checksum database knows what is made from the tree. (GOPRIVATE
// would do more: it bypasses the proxy.)
func (ws *Workspace) Unsummed() string {
	paths := make([]string, len(ws.Modules))
	for i, m := range ws.Modules {
		paths[i] = m.Path
	}
	return strings.Join(paths, ",")
}

// WithoutSiblings returns the text of a go.sum file less the lines of the
// workspace's own modules. Those change with every change to a sibling; the
// release writes them. It returns nil for nil.
func (ws *Workspace) WithoutSiblings(goSum []byte) []byte {
	own := make(map[string]bool)
	for _, m := range ws.Modules {
		own[m.Path] = true
	}
	if goSum == nil {
		return nil
	}
	kept := []byte{} // not nil: a file whose lines all went is still one
	for line := range strings.Lines(string(goSum)) {
		if p, _, _ := strings.Cut(line, " "); !own[p] {
			kept = append(kept, line...)
		}
	}
	return kept
}
