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
	if err := t.makeReady(ctx); err != nil {
		return err
	}
	return t.apply(ctx)
}

func (t *task) tag(ctx context.Context) error {
	// A push to the repository itself makes all tags or none.
	push := []string{"push", "--quiet", "--atomic", "."}
	var lines string
	for _, m := range t.meant() {
		tag := m.Dir + "/" + t.last
		if t.hasTag(ctx, tag) {
			return fmt.Errorf("tag %s is there already: choose a higher version", tag)
		}
		push = append(push, "HEAD:refs/tags/"+tag)
		lines += "git push origin refs/tags/" + tag + "\n"
	}
	if err := t.makeReady(ctx); err != nil {
		return err
	}
	diff, err := t.changes(ctx)
	if err != nil {
		return err
	}
	if diff != "" {
		return fmt.Errorf("not prepared, run go run ./tools/cmd/modules prepare, and commit what it writes:\n%s", diff)
	}
	if err := t.prove(ctx); err != nil {
		return err
	}
	if _, err := workspace.Run(ctx, t.ws.Root, nil, "git", push...); err != nil {
		return fmt.Errorf("no tag was made: %w", err)
	}
	fmt.Fprintln(t.stderr, "modules: tagged. GitHub starts no workflow for more than three tags at once: push one after the other")
	_, err = io.WriteString(t.stdout, lines)
	return err
}

// makeReady makes the modules that are meant ready for the release in the copy,
// which must be of a commit, and puts them into the proxy.
func (t *task) makeReady(ctx context.Context) error {
	dirty, err := workspace.Run(ctx, t.ws.Root, nil, "git", "status", "--porcelain")
	if err != nil {
		return err
	}
	if dirty != "" {
		return fmt.Errorf("the tree has changes that are not committed: commit or stash them:\n%s", dirty)
	}
	if semver.Canonical(t.last) != t.last {
		return fmt.Errorf("%s is no version in full, as v0.1.0 is; %w", t.last, errUsage)
	}
	for _, m := range t.meant() {
		if err := dateChangelog(t.copy.File(m, "CHANGELOG.md"), t.last, time.Now()); err != nil {
			return fmt.Errorf("%s: %w", m.Dir, err)
		}
		for _, s := range m.Siblings {
			tag := s.Dir + "/" + s.Version
			if !slices.Contains(t.meant(), s) && !t.hasTag(ctx, tag) {
				return fmt.Errorf("%s requires %s, which has no tag here: release it too, or git fetch --tags", m.Dir, tag)
			}
		}
	}
	if err := t.raise(); err != nil {
		return err
	}
	return t.tidyModules(ctx, t.meant())
}

func (t *task) hasTag(ctx context.Context, tag string) bool {
	_, err := workspace.Run(ctx, t.ws.Root, nil, "git", "rev-parse", "--quiet", "--verify", "refs/tags/"+tag)
	return err == nil
}

// raise makes the version of what is released the one that all modules
// require, because go.work has one version of each.
func (t *task) raise() error {
	files := []string{filepath.Join(t.copy.Root, "go.work")}
	for _, m := range t.copy.Modules {
		files = append(files, t.copy.File(m, "go.mod"))
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for _, m := range t.meant() {
			required := regexp.MustCompile(regexp.QuoteMeta(m.Path+" "+m.Version) + `(\s)`)
			text = required.ReplaceAll(text, []byte(m.Path+" "+t.last+"$1"))
		}
		if err := os.WriteFile(name, text, 0o666); err != nil {
			return err
		}
	}
	for _, m := range t.meant() {
		m.Version = t.last
	}
	return nil
}

// dateChangelog gives the version's entry in a changelog its name and date. The
// entry of what is not released yet stands in for one of the version.
func dateChangelog(file, version string, now time.Time) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	name := strings.TrimPrefix(version, "v")
	// The heading, the date that it may have, and the beginning of what is below.
	entry := regexp.MustCompile(`(?m)^## \[(?:Unreleased|` + regexp.QuoteMeta(name) + `)\]( - .*)?(\n\s*(?:###|[^#\s]))`)
	at := entry.FindSubmatchIndex(text)
	if at == nil {
		return fmt.Errorf("CHANGELOG.md says nothing of %s: write ## [Unreleased] and, below it, what has changed for users", version)
	}
	if at[2] >= 0 {
		return nil
	}
	dated := fmt.Appendf(nil, "%s## [%s] - %s%s", text[:at[0]], name, now.Format(time.DateOnly), text[at[4]:])
	return os.WriteFile(file, dated, 0o666)
}
