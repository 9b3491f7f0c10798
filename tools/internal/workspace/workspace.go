// Package workspace reads a go.work workspace and makes a module proxy for its modules,
// which require each other at versions that are not released yet.
package workspace

import (
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// A Workspace describes a go.work file and the go.mod files that it uses.
type Workspace struct {
	// Root is the folder of go.work, absolute.
	Root string
	// Modules are in dependency order: each comes after those that it requires.
	Modules []*Module
}

// A Module is one module of a Workspace.
type Module struct {
	Path     string    // the module path
	Dir      string    // the folder, relative to the root, with forward slashes
	Version  string    // the version that its siblings require; v0.1.0 if none does
	Siblings []*Module // the modules of the workspace that its go.mod requires
}

// Find returns the folder of the go.work file that applies to dir.
func Find(ctx context.Context, dir string) (string, error) {
	out, err := Go(ctx, dir, nil, "env", "GOWORK")
	if err != nil {
		return "", err
	}
	file := strings.TrimSpace(out)
	if file == "" || file == "off" {
		return "", errors.New("no go.work file here or above: run this inside the checkout, with GOWORK unset")
	}
	return filepath.Dir(file), nil
}

// Load reads root/go.work and the go.mod files that it uses. It returns an error if modules
// require each other.
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
	ws := &Workspace{Root: root}
	files := make(map[*Module]*modfile.File)
	for _, use := range work.Use {
		m := &Module{Dir: path.Clean(use.Path), Version: "v0.1.0"}
		name := ws.File(m, "go.mod")
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if files[m], err = modfile.Parse(name, text, nil); err != nil {
			return nil, err
		}
		m.Path = files[m].Module.Mod.Path
		ws.Modules = append(ws.Modules, m)
	}
	for _, m := range ws.Modules {
		for _, r := range files[m].Require {
			i := slices.IndexFunc(ws.Modules, func(s *Module) bool { return s.Path == r.Mod.Path })
			if i < 0 {
				continue
			}
			ws.Modules[i].Version = r.Mod.Version
			m.Siblings = append(m.Siblings, ws.Modules[i])
		}
	}
	return ws, ws.sort()
}

// File returns the path of a file in a module's folder.
func (ws *Workspace) File(m *Module, name string) string {
	return filepath.Join(ws.Root, filepath.FromSlash(m.Dir), name)
}

// sort sorts the modules in dependency order, and by path where that leaves a choice.
func (ws *Workspace) sort() error {
	slices.SortFunc(ws.Modules, func(a, b *Module) int { return strings.Compare(a.Path, b.Path) })
	var sorted []*Module
	taken := func(m *Module) bool { return slices.Contains(sorted, m) }
	for len(sorted) < len(ws.Modules) {
		next := slices.IndexFunc(ws.Modules, func(m *Module) bool {
			return !taken(m) && !slices.ContainsFunc(m.Siblings, func(s *Module) bool { return !taken(s) })
		})
		if next < 0 {
			return errors.New("the modules of go.work require each other in a circle")
		}
		sorted = append(sorted, ws.Modules[next])
	}
	ws.Modules = sorted
	return nil
}
