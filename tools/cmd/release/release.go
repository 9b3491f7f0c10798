package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/seed96110120/kinesis-client-go/tools/internal/outside"
	"github.com/seed96110120/kinesis-client-go/tools/internal/pinned"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// A release is one run: a clone of the last commit that is first made ready
// for the version, and then checked. Without a version it is the checkout
// itself that is checked, which then nothing is written to.
type release struct {
	*command
	options
	root    string // the checkout
	temp    string
	commit  string
	commits map[string]string    // of the tags
	ws      *workspace.Workspace // the clone, or the checkout
	modules []*workspace.Module  // those asked for, in dependency order
	out     *outside.Outside
	// tagged has siblings as their tags have them.
	tagged workspace.Proxy

	failures failures
	bad      map[*workspace.Module]bool // they and what requires them are not checked further
}

func (c *command) newRelease(ctx context.Context, root string, o options) (_ *release, err error) {
	r := &release{command: c, options: o, root: root, bad: make(map[*workspace.Module]bool)}
	if r.temp, err = os.MkdirTemp("", "release-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			r.remove()
		}
	}()
	dir := root
	if o.version != "" {
		dir = filepath.Join(r.temp, "clone")
		if r.commit, err = clone(ctx, root, dir); err != nil {
			return nil, err
		}
	}
	if r.commits, err = tags(ctx, root); err != nil {
		return nil, err
	}
	if r.ws, err = workspace.Load(dir); err != nil {
		return nil, err
	}
	if r.modules, err = choose(r.ws, o); err != nil {
		return nil, err
	}
	if r.out, err = outside.New(ctx, r.ws); err != nil {
		return nil, err
	}
	r.tagged = workspace.Proxy{Dir: filepath.Join(r.temp, "tagged")}
	return r, nil
}

func (r *release) remove() {
	if r.out != nil {
		r.out.Remove()
	}
	os.RemoveAll(r.temp)
}

// choose returns the modules asked for, in dependency order.
func choose(ws *workspace.Workspace, o options) ([]*workspace.Module, error) {
	if o.all {
		return ws.Modules, nil
	}
	var chosen []*workspace.Module
	for _, m := range ws.Modules {
		if slices.Contains(o.modules, m.Dir) {
			chosen = append(chosen, m)
		}
	}
	for _, dir := range o.modules {
		if !slices.ContainsFunc(chosen, func(m *workspace.Module) bool { return m.Dir == dir }) {
			return nil, fmt.Errorf("no module in folder %s; there are %s; %w", dir, folders(ws.Modules), errUsage)
		}
	}
	return chosen, nil
}

func (r *release) chosen(m *workspace.Module) bool { return slices.Contains(r.modules, m) }

// fail notes a failure. What is built on the module is not checked.
func (r *release) fail(rule string, m *workspace.Module, file string, line int, text string) {
	if file != "" {
		file = path.Join(m.Dir, file)
	}
	r.failures = append(r.failures, failure{rule, m.Dir, file, line, text})
	r.bad[m] = true
}

// sound reports whether nothing has failed of the module and its siblings.
func (r *release) sound(m *workspace.Module) bool {
	return !r.bad[m] && !slices.ContainsFunc(m.Siblings, func(s *workspace.Module) bool { return !r.sound(s) })
}

func (r *release) file(m *workspace.Module, name string) string {
	return filepath.Join(r.ws.Root, filepath.FromSlash(m.Dir), name)
}

// step runs f and prints one line with its name and the seconds that it took.
func (r *release) step(name string, f func() error) error {
	start, failed := time.Now(), len(r.failures)
	err := f()
	result := "ok"
	if err != nil || len(r.failures) > failed {
		result = "failed"
	}
	fmt.Fprintf(r.stderr, "%-40s %6.1f s  %s\n", name, time.Since(start).Seconds(), result)
	return err
}

// check goes through all rules. Those that cost minutes wait until the others
// are kept.
func (r *release) check(ctx context.Context) error {
	trees, err := r.makeReady(ctx)
	if err != nil {
		return err
	}
	if r.options.tag {
		if err := r.checkPrepared(ctx); err != nil {
			return err
		}
	}
	if err := r.checkClosureFiles(); err != nil {
		return err
	}
	for _, m := range r.modules {
		if !r.sound(m) {
			continue // it cannot be loaded
		}
		if err := r.step("closure "+m.Dir, func() error { return r.checkClosure(ctx, m, trees[m]) }); err != nil {
			return err
		}
		if r.version == "" {
			continue
		}
		if err := r.step("gorelease "+m.Dir, func() error { return r.checkAPI(ctx, m, trees[m]) }); err != nil {
			return err
		}
	}
	if err := r.failures.err(); err != nil {
		return err
	}
	for i, m := range r.modules {
		fmt.Fprintf(r.stderr, "%d/%d %s\n", i+1, len(r.modules), m.Path)
		if err := r.out.Prove(ctx, m, trees[m], r.step); err != nil {
			if ctx.Err() != nil {
				return err
			}
			r.fail("alone", m, "", 0, err.Error())
		}
	}
	return r.failures.err()
}

// makeReady makes the clone what it must be when it is tagged, packs the
// modules from it, and returns the folders with what a user gets of each. What
// cannot be made ready is a failure.
func (r *release) makeReady(ctx context.Context) (trees map[*workspace.Module]string, err error) {
	trees = make(map[*workspace.Module]string)
	for _, m := range r.modules {
		r.checkTag(m)
		if err := r.readyChangelog(m); err != nil {
			return nil, err
		}
	}
	originals := make(map[*workspace.Module][]byte)
	for _, m := range r.ws.Modules {
		if originals[m], err = outside.ReadIfExists(r.file(m, "go.sum")); err != nil {
			return nil, err
		}
		if r.chosen(m) {
			if err := r.checkReplace(m); err != nil {
				return nil, err
			}
		}
	}
	if r.version != "" {
		if err := r.readyVersions(); err != nil {
			return nil, err
		}
	}
	for _, m := range r.ws.Modules {
		// Without a version, what is not asked for stands in as it is.
		if r.version != "" && !r.chosen(m) || !r.sound(m) {
			continue
		}
		if err := r.step("tidy "+m.Dir, func() error {
			if r.version != "" {
				if err := r.publishSiblings(ctx, m); err != nil || r.bad[m] {
					return err
				}
			}
			trees[m], err = r.readySums(ctx, m, originals[m])
			return err
		}); err != nil {
			return nil, err
		}
	}
	return trees, nil
}

func (r *release) checkTag(m *workspace.Module) {
	if r.version == "" {
		return
	}
	if err := module.Check(m.Path, r.version); err != nil {
		r.fail("tag", m, "go.mod", 1, err.Error())
	}
	name := tagName(m, r.version)
	switch at, ok := r.commits[name]; {
	case ok && r.options.tag:
		r.fail("tag", m, "", 0, fmt.Sprintf("%s is there already, at %.12s: choose a higher version", name, at))
	case ok && at != r.commit:
		r.fail("tag", m, "", 0, fmt.Sprintf("%s is there already, at %.12s, and not at this commit, %.12s: choose a higher version", name, at, r.commit))
	}
}

func (r *release) readyChangelog(m *workspace.Module) error {
	const name = "CHANGELOG.md"
	text, err := outside.ReadIfExists(r.file(m, name))
	if err != nil {
		return err
	}
	if text == nil {
		r.fail("changelog", m, name, 1, "there is no such file: write what the users of the module get")
		return nil
	}
	if r.version == "" {
		if len(sections(string(text))) == 0 {
			r.fail("changelog", m, name, 1, "no entry: write ## ["+unreleased+"], and what has changed")
		}
		return nil
	}
	ready, err := dated(string(text), r.version, r.now())
	if wrong, ok := err.(errChangelog); ok {
		r.fail("changelog", m, name, wrong.line, wrong.text)
		return nil
	}
	if err != nil {
		return err
	}
	return os.WriteFile(r.file(m, name), []byte(ready), 0o666)
}

func (r *release) goMod(m *workspace.Module) (*modfile.File, error) {
	name := r.file(m, "go.mod")
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return modfile.Parse(path.Join(m.Dir, "go.mod"), text, nil)
}

// go install PACKAGE@VERSION refuses both, and no user's build heeds them.
func (r *release) checkReplace(m *workspace.Module) error {
	f, err := r.goMod(m)
	if err != nil {
		return err
	}
	for _, line := range f.Replace {
		r.fail("replace", m, "go.mod", line.Syntax.Start.Line, fmt.Sprintf("replaces %s: go install refuses it and no user's build heeds it; replace in go.work", line.Old.Path))
	}
	for _, line := range f.Exclude {
		r.fail("replace", m, "go.mod", line.Syntax.Start.Line, fmt.Sprintf("excludes %s: go install refuses it and no user's build heeds it; require a higher version", line.Mod))
	}
	return nil
}

// readyVersions lets every module of the workspace, released or not, require
// the versions that are being released: go.work has one version of each.
func (r *release) readyVersions() error {
	raised := make(map[string]bool)
	for _, m := range r.modules {
		raised[m.Path] = true
	}
	for _, m := range r.ws.Modules {
		if r.bad[m] {
			continue
		}
		f, err := r.goMod(m)
		if err != nil {
			return err
		}
		changed := false
		for _, require := range f.Require {
			if !raised[require.Mod.Path] || require.Mod.Version == r.version {
				continue
			}
			if err := f.AddRequire(require.Mod.Path, r.version); err != nil {
				return err
			}
			changed = true
		}
		if !changed {
			continue
		}
		if err := writeGoMod(r.file(m, "go.mod"), f.Syntax); err != nil {
			return err
		}
		// A sum of the version before is of no use to a module that is not
		// released now; those that are get all of theirs.
		sum, err := outside.ReadIfExists(r.file(m, "go.sum"))
		if err != nil {
			return err
		}
		if kept := without(sum, raised); !bytes.Equal(kept, sum) {
			if err := writeOrRemove(r.file(m, "go.sum"), kept); err != nil {
				return err
			}
		}
	}
	name := filepath.Join(r.ws.Root, "go.work")
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	work, err := modfile.ParseWork(name, text, nil)
	if err != nil {
		return err
	}
	changed := false
	for _, line := range slices.Clone(work.Replace) {
		if raised[line.Old.Path] && line.Old.Version != "" && line.Old.Version != r.version {
			// The line itself, so that it keeps its place and its comments.
			i := slices.Index(line.Syntax.Token, line.Old.Version)
			line.Syntax.Token[i] = r.version
			changed = true
		}
	}
	for _, m := range r.modules {
		m.Version = r.version
	}
	if !changed {
		return nil
	}
	return writeGoMod(name, work.Syntax)
}

func writeGoMod(name string, syntax *modfile.FileSyntax) error {
	return os.WriteFile(name, modfile.Format(syntax), 0o666)
}

func writeOrRemove(name string, text []byte) error {
	if len(text) == 0 {
		err := os.Remove(name)
		if os.IsNotExist(err) {
			return nil
		}
		return err
	}
	return os.WriteFile(name, text, 0o666)
}

// without returns the text of a go.sum file less the lines of the modules.
func without(goSum []byte, paths map[string]bool) []byte {
	var kept []byte
	for line := range bytes.Lines(goSum) {
		if p, _, _ := strings.Cut(string(line), " "); !paths[p] {
			kept = append(kept, line...)
		}
	}
	return kept
}

// publishSiblings puts the module's siblings that are not released now into
// the proxy as their tags have them, with the siblings of those.
func (r *release) publishSiblings(ctx context.Context, m *workspace.Module) error {
	f, err := r.goMod(m)
	if err != nil {
		return err
	}
	for _, require := range f.Require {
		s := r.sibling(require.Mod.Path)
		if s == nil || r.chosen(s) {
			continue
		}
		name := tagName(s, require.Mod.Version)
		if r.commits[name] == "" {
			r.fail("siblings", m, "go.mod", require.Syntax.Start.Line, fmt.Sprintf("requires %s, which has no tag and is not released now: release %s too", name, s.Dir))
			continue
		}
		if err := r.publishTag(ctx, r.out.Proxy, s, require.Mod.Version); err != nil {
			return err
		}
	}
	return nil
}

func (r *release) sibling(path string) *workspace.Module {
	for _, m := range r.ws.Modules {
		if m.Path == path {
			return m
		}
	}
	return nil
}

// publishTag publishes a module and its siblings as their tags have them.
func (r *release) publishTag(ctx context.Context, proxy workspace.Proxy, m *workspace.Module, version string) error {
	name := tagName(m, version)
	if _, err := proxy.PublishRevision(ctx, r.ws, m, r.commits[name], version); err != nil {
		return err
	}
	text, err := git(ctx, r.ws.Root, "", "show", r.commits[name]+":"+m.Dir+"/go.mod")
	if err != nil {
		return err
	}
	f, err := modfile.ParseLax(name, []byte(text), nil)
	if err != nil {
		return err
	}
	for _, require := range f.Require {
		s := r.sibling(require.Mod.Path)
		if s == nil || r.chosen(s) && require.Mod.Version == r.version {
			continue
		}
		if name := tagName(s, require.Mod.Version); r.commits[name] == "" {
			return fmt.Errorf("%s requires %s, which has no tag here: git fetch --tags", tagName(m, version), name)
		}
		if err := r.publishTag(ctx, proxy, s, require.Mod.Version); err != nil {
			return err
		}
	}
	return nil
}

// readySums tidies the module, compares, gives it the sums of its siblings and
// packs it.
func (r *release) readySums(ctx context.Context, m *workspace.Module, original []byte) (dir string, err error) {
	if dir, err = r.out.Pack(ctx, m, nil, r.ws.WithoutSiblings(original)); err != nil {
		return "", err
	}
	goMod, goSum, err := r.out.Tidy(ctx, dir)
	if err != nil {
		if ctx.Err() != nil {
			return "", err
		}
		r.fail("tidy", m, "go.mod", 1, err.Error())
		return "", nil
	}
	have, err := os.ReadFile(r.file(m, "go.mod"))
	if err != nil {
		return "", err
	}
	for _, f := range []struct {
		name       string
		have, want []byte
	}{
		{"go.mod", have, goMod},
		{"go.sum", r.ws.WithoutSiblings(original), r.ws.WithoutSiblings(goSum)},
	} {
		if line, n := outside.FirstDifference(f.have, f.want); line != "" {
			r.fail("tidy", m, f.name, n, fmt.Sprintf("go mod tidy changes it (%s): run go run ./tools/cmd/modules tidy", line))
		}
	}
	if err := r.checkSums(ctx, m, original, goSum); err != nil {
		return "", err
	}
	if r.version != "" {
		if err := writeOrRemove(r.file(m, "go.sum"), goSum); err != nil {
			return "", err
		}
	}
	return r.out.Pack(ctx, m, goMod, goSum)
}

// checkSums looks at the lines of siblings that go.sum has already. Those that
// it lacks are no failure: a workspace does not need them, --prepare writes
// them.
func (r *release) checkSums(ctx context.Context, m *workspace.Module, have, want []byte) error {
	known := make(map[string]string) // path and version -> hash
	for line := range strings.Lines(string(want)) {
		if f := strings.Fields(line); len(f) == 3 {
			known[f[0]+" "+f[1]] = f[2]
		}
	}
	n := 0
	for line := range strings.Lines(string(have)) {
		n++
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		s := r.sibling(f[0])
		if s == nil || known[f[0]+" "+f[1]] == f[2] {
			continue
		}
		version := strings.TrimSuffix(f[1], "/go.mod")
		// A release that the tree has moved on from is right as well.
		if r.commits[tagName(s, version)] != "" {
			if err := r.publishTag(ctx, r.tagged, s, version); err != nil {
				return err
			}
			sums, err := r.tagged.Sums(s.Path, version)
			if err != nil {
				return err
			}
			if slices.Contains(sums, strings.TrimSpace(line)) {
				continue
			}
		}
		if hash := known[f[0]+" "+f[1]]; hash != "" {
			r.fail("sums", m, "go.sum", n, fmt.Sprintf("has %s for %s %s, which is %s: run go run ./tools/cmd/modules tidy, which removes the line, or release --prepare", f[2], s.Dir, f[1], hash))
			continue
		}
		r.fail("sums", m, "go.sum", n, fmt.Sprintf("has a sum of %s %s, which nothing requires and no tag has: run go run ./tools/cmd/modules tidy", s.Dir, f[1]))
	}
	return nil
}

// checkAPI asks gorelease whether the version suits what has changed.
func (r *release) checkAPI(ctx context.Context, m *workspace.Module, dir string) error {
	gorelease, err := r.build(ctx, r.root, pinned.Gorelease, r.temp)
	if err != nil {
		return err
	}
	base, env := "none", r.out.Env
	if v := released(r.commits, m, r.version); v != "" {
		// A proxy that does not list the version that is being released:
		// gorelease would say that it is there already.
		before := workspace.Proxy{Dir: filepath.Join(r.temp, "before", filepath.FromSlash(m.Dir))}
		if err := r.publishTag(ctx, before, m, v); err != nil {
			return err
		}
		base, env = v, r.out.EnvWith(before)
	}
	_, err = outside.Run(ctx, dir, env, gorelease, "-base="+base, "-version="+r.version)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		r.fail("gorelease", m, "", 0, err.Error())
	}
	return nil
}
