package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/semver"

	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

func (t *task) prepare(ctx context.Context) error {
	if err := t.prepareCopy(ctx); err != nil {
		return err
	}
	return t.apply(ctx)
}

func (t *task) tag(ctx context.Context) error {
	// An atomic push to the repository itself makes all tags or none.
	push := []string{"push", "--quiet", "--atomic", "."}
	var lines string
	for _, m := range t.selected() {
		tag := m.Dir + "/" + t.target
		if t.hasTag(ctx, tag) {
			return fmt.Errorf("tag %s already exists: choose a higher version", tag)
		}
		push = append(push, "HEAD:refs/tags/"+tag)
		lines += "git push origin refs/tags/" + tag + "\n"
	}
	if err := t.prepareCopy(ctx); err != nil {
		return err
	}
	diff, err := t.changes(ctx)
	if err != nil {
		return err
	}
	if diff != "" {
		return fmt.Errorf("not prepared: run go run ./tools/cmd/modules prepare and commit its changes:\n%s", diff)
	}
	if err := t.checkAsUser(ctx); err != nil {
		return err
	}
	if _, err := workspace.Run(ctx, t.ws.Root, nil, "git", push...); err != nil {
		return fmt.Errorf("no tag was made: %w", err)
	}
	fmt.Fprintln(t.stderr, "modules: tagged; push the tags one after the other: GitHub starts no workflow for more than three at once")
	_, err = io.WriteString(t.stdout, lines)
	return err
}

// prepareCopy prepares the selected modules for the release in the copy, and puts them into
// the proxy. The tree must have no uncommitted changes.
func (t *task) prepareCopy(ctx context.Context) error {
	dirty, err := workspace.Run(ctx, t.ws.Root, nil, "git", "status", "--porcelain")
	if err != nil {
		return err
	}
	if dirty != "" {
		return fmt.Errorf("the tree has uncommitted changes: commit or stash them:\n%s", dirty)
	}
	if semver.Canonical(t.target) != t.target {
		return fmt.Errorf("%s is not a full version such as v0.1.0; %w", t.target, errUsage)
	}
	for _, m := range t.selected() {
		if err := dateChangelog(t.copy.File(m, "CHANGELOG.md"), t.target, time.Now()); err != nil {
			return fmt.Errorf("%s: %w", m.Dir, err)
		}
		for _, s := range m.Siblings {
			tag := s.Dir + "/" + s.Version
			if !slices.Contains(t.selected(), s) && !t.hasTag(ctx, tag) {
				return fmt.Errorf("%s requires %s, which has no tag here: release it too, or run git fetch --tags", m.Dir, tag)
			}
		}
	}
	if err := t.setVersions(); err != nil {
		return err
	}
	return t.tidyModules(ctx, t.selected())
}

func (t *task) hasTag(ctx context.Context, tag string) bool {
	_, err := workspace.Run(ctx, t.ws.Root, nil, "git", "rev-parse", "--quiet", "--verify", "refs/tags/"+tag)
	return err == nil
}

// setVersions makes all modules require the new version of the selected ones, because
// go.work has only one version of each.
func (t *task) setVersions() error {
	files := []string{filepath.Join(t.copy.Root, "go.work")}
	for _, m := range t.copy.Modules {
		files = append(files, t.copy.File(m, "go.mod"))
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for _, m := range t.selected() {
			required := regexp.MustCompile(regexp.QuoteMeta(m.Path+" "+m.Version) + `(\s)`)
			text = required.ReplaceAll(text, []byte(m.Path+" "+t.target+"$1"))
		}
		if err := os.WriteFile(name, text, 0o666); err != nil {
			return err
		}
	}
	for _, m := range t.selected() {
		m.Version = t.target
	}
	return nil
}

// dateChangelog writes the version and the date into its entry in a changelog, or into the
// entry of unreleased changes.
func dateChangelog(file, version string, now time.Time) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	name := strings.TrimPrefix(version, "v")
	// The heading, its optional date, and the beginning of the text below.
	entry := regexp.MustCompile(`(?m)^## \[(?:Unreleased|` + regexp.QuoteMeta(name) + `)\]( - .*)?(\n\s*(?:###|[^#\s]))`)
	at := entry.FindSubmatchIndex(text)
	if at == nil {
		return fmt.Errorf("CHANGELOG.md has no entry for %s: write ## [Unreleased] and, below it, what has changed for users", version)
	}
	if at[2] >= 0 {
		return nil
	}
	dated := fmt.Appendf(nil, "%s## [%s] - %s%s", text[:at[0]], name, now.Format(time.DateOnly), text[at[4]:])
	return os.WriteFile(file, dated, 0o666)
}
