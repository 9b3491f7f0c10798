package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/mod/semver"

	"github.com/seed96110120/kinesis-client-go/tools/internal/child"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// git runs git in dir and returns what it prints.
func git(ctx context.Context, dir, stdin string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	if err := child.Run(ctx, cmd, time.Second); err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// uncommitted returns git's lines about what the last commit does not have.
func uncommitted(ctx context.Context, root string) (string, error) {
	out, err := git(ctx, root, "", "status", "--porcelain")
	return strings.TrimRight(out, "\n"), err
}

// clone clones the last commit at root, with the tags, into dir. Line ends are
// kept as they are, as the go command does when it fetches a module.
func clone(ctx context.Context, root, dir string) (commit string, err error) {
	if commit, err = git(ctx, root, "", "rev-parse", "--verify", "HEAD^{commit}"); err != nil {
		return "", err
	}
	commit = strings.TrimSpace(commit)
	if _, err := git(ctx, root, "", "clone", "--quiet", "--no-checkout", "--shared",
		"--config", "core.autocrlf=input", "--config", "core.eol=lf", "--config", "advice.detachedHead=false", root, dir); err != nil {
		return "", err
	}
	_, err = git(ctx, dir, "", "checkout", "--quiet", "--detach", commit)
	return commit, err
}

func tagName(m *workspace.Module, version string) string { return m.Dir + "/" + version }

// tags returns the commits that the tags of the repository at root name.
func tags(ctx context.Context, root string) (map[string]string, error) {
	// An annotated tag is an object of its own: *objectname is its commit.
	out, err := git(ctx, root, "", "for-each-ref", "--format=%(refname:strip=2) %(objectname) %(*objectname)", "refs/tags")
	if err != nil {
		return nil, err
	}
	commits := make(map[string]string)
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		commits[f[0]] = f[len(f)-1]
	}
	return commits, nil
}

// released returns the module's highest version below another that has a tag;
// none if there is none.
func released(commits map[string]string, m *workspace.Module, below string) string {
	highest := ""
	for tag := range commits {
		version, ok := strings.CutPrefix(tag, m.Dir+"/")
		if ok && semver.IsValid(version) && semver.Compare(version, below) < 0 && (highest == "" || semver.Compare(version, highest) > 0) {
			highest = version
		}
	}
	return highest
}
