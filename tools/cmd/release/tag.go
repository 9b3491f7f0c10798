package main

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/seed96110120/kinesis-client-go/tools/internal/outside"
)

// unprepared returns the files of the clone that making it ready has changed,
// with what has changed first.
func (r *release) unprepared(ctx context.Context) ([]failure, error) {
	out, err := git(ctx, r.ws.Root, "", "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all")
	if err != nil {
		return nil, err
	}
	var changed []failure
	for entry := range strings.SplitSeq(out, "\x00") {
		if len(entry) < 4 {
			continue
		}
		state, name := entry[:2], entry[3:]
		var before string
		if state != "??" {
			if before, err = git(ctx, r.ws.Root, "", "show", "HEAD:"+name); err != nil {
				return nil, err
			}
		}
		after, err := outside.ReadIfExists(filepath.Join(r.ws.Root, filepath.FromSlash(name)))
		if err != nil {
			return nil, err
		}
		line, n := outside.FirstDifference([]byte(before), after)
		changed = append(changed, failure{
			"prepared", path.Dir(name), name, n,
			fmt.Sprintf("not ready for the release (%s): run go run ./tools/cmd/release --prepare, and commit what it writes", line),
		})
	}
	return changed, nil
}

func (r *release) checkPrepared(ctx context.Context) error {
	changed, err := r.unprepared(ctx)
	r.failures = append(r.failures, changed...)
	return err
}

// writePrepared writes to the checkout what making the clone ready has changed.
func (r *release) writePrepared(ctx context.Context, root string) error {
	if _, err := r.makeReady(ctx); err != nil {
		return err
	}
	if err := r.failures.err(); err != nil {
		return err
	}
	changed, err := r.unprepared(ctx)
	if err != nil {
		return err
	}
	for _, f := range changed {
		text, err := outside.ReadIfExists(filepath.Join(r.ws.Root, filepath.FromSlash(f.file)))
		if err != nil {
			return err
		}
		if err := writeOrRemove(filepath.Join(root, filepath.FromSlash(f.file)), text); err != nil {
			return err
		}
		fmt.Fprintln(r.stdout, f.file)
	}
	if len(changed) == 0 {
		fmt.Fprintln(r.stderr, "release: nothing to prepare")
		return nil
	}
	fmt.Fprintf(r.stderr, "release: read and commit it, then release --tag\n")
	return nil
}

// advice says what a maintainer types after a check.
func (r *release) advice() string {
	what := strings.Join(r.options.modules, " ")
	if r.all {
		what = "--all"
	}
	return fmt.Sprintf("release: all rules are kept; next: release --prepare %s %s, commit, release --tag %[1]s %[2]s", what, r.version)
}

// tag makes the tags of all modules, or none.
func (r *release) tag(ctx context.Context, root string) error {
	tagger, err := git(ctx, root, "", "var", "GIT_COMMITTER_IDENT")
	if err != nil {
		return err
	}
	transaction := "start\n"
	for _, m := range r.modules {
		name := tagName(m, r.version)
		object, err := git(ctx, root, fmt.Sprintf("object %s\ntype commit\ntag %s\ntagger %s\n\n%s %s\n",
			r.commit, name, strings.TrimSpace(tagger), m.Path, r.version), "mktag")
		if err != nil {
			return err
		}
		transaction += "create refs/tags/" + name + " " + strings.TrimSpace(object) + "\n"
	}
	// Refused as a whole when one of them has come to be meanwhile.
	if _, err := git(ctx, root, transaction+"prepare\ncommit\n", "update-ref", "--stdin"); err != nil {
		return fmt.Errorf("no tag was made: %w", err)
	}
	for _, m := range r.modules {
		fmt.Fprintln(r.stdout, tagName(m, r.version))
	}
	fmt.Fprintln(r.stderr, "release: tagged. GitHub starts no workflow for more than three tags at once: push one after the other")
	for _, m := range r.modules {
		fmt.Fprintln(r.stderr, "  git push origin refs/tags/"+tagName(m, r.version))
	}
	return nil
}
