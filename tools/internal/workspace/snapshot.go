package workspace

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"

	"github.com/seed96110120/kinesis-client-go/tools/internal/subprocess"
)

// A Snapshot is a copy of a workspace in a temporary folder, and a module proxy for its
// modules. The copy may be changed.
type Snapshot struct {
	// Workspace is the copy, a git repository without a commit. It includes
	// uncommitted changes and new files.
	*Workspace
	Temp  string // the temporary folder
	Proxy string // the module proxy, as an element of GOPROXY
	// Env is added to os.Environ for go commands outside the workspace. They prefer
	// published modules, and have an empty module cache, because an unreleased module
	// changes without a new version.
	Env []string
}

// Snapshot makes a snapshot, which Remove removes.
func (ws *Workspace) Snapshot(ctx context.Context) (_ *Snapshot, err error) {
	s := &Snapshot{}
	if s.Temp, err = os.MkdirTemp("", "snapshot-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.Remove()
		}
	}()
	root := filepath.Join(s.Temp, "tree")
	for _, args := range [][]string{
		{"init", "--quiet", root},
		{"-C", root, "--work-tree=" + ws.Root, "add", "--all"},
		{"-C", root, "checkout-index", "--all"},
	} {
		if _, err := Run(ctx, "", nil, "git", args...); err != nil {
			return nil, err
		}
	}
	if s.Workspace, err = Load(root); err != nil {
		return nil, err
	}
	settings, err := Go(ctx, ws.Root, nil, "env", "GOPROXY", "GOMODCACHE", "GOFLAGS", "GONOSUMDB")
	if err != nil {
		return nil, err
	}
	lines := strings.Split(settings, "\n")
	proxy, cache, flags, unsummed := lines[0], lines[1], lines[2], lines[3]
	for _, m := range s.Modules {
		unsummed += "," + m.Path // unreleased, so in no checksum database
	}
	s.Proxy = FileURL(filepath.Join(s.Temp, "proxy"))
	// This machine's module cache comes before the usual proxy, so that most runs need no
	// network.
	proxy = s.Proxy + "," + FileURL(filepath.Join(cache, "cache", "download")) + "," + proxy
	s.Env = []string{
		"GOWORK=off",
		"GOPROXY=" + proxy,
		"GONOSUMDB=" + strings.Trim(unsummed, ","),
		"GOMODCACHE=" + filepath.Join(s.Temp, "cache"),
		// -modcacherw, so that the folder can be removed. -trimpath, so that the next run,
		// in another folder, can use the build cache.
		"GOFLAGS=" + strings.TrimSpace(flags+" -modcacherw -trimpath"),
	}
	return s, nil
}

// Remove removes the folder and all in it.
func (s *Snapshot) Remove() error { return os.RemoveAll(s.Temp) }

// Tree returns the name of a git tree of the copy's current files.
func (s *Snapshot) Tree(ctx context.Context) (string, error) {
	if _, err := Run(ctx, s.Root, nil, "git", "add", "--all"); err != nil {
		return "", err
	}
	name, err := Run(ctx, s.Root, nil, "git", "write-tree")
	return strings.TrimSpace(name), err
}

// Publish packs a module of the copy as the go command packs one from a repository, and
// puts it into the proxy under its version.
func (s *Snapshot) Publish(ctx context.Context, m *Module) error {
	tree, err := s.Tree(ctx)
	if err != nil {
		return err
	}
	goMod, err := os.ReadFile(s.File(m, "go.mod"))
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	if err := zip.CreateFromVCS(&packed, module.Version{Path: m.Path, Version: m.Version}, s.Root, tree, m.Dir); err != nil {
		return err
	}
	escaped, err := module.EscapePath(m.Path)
	if err != nil {
		return err
	}
	dir := filepath.Join(s.Temp, "proxy", filepath.FromSlash(escaped), "@v")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	// The layout: go.dev/ref/mod#goproxy-protocol. The time is fixed, so that the result
	// does not depend on it.
	info := fmt.Sprintf(`{"Version":%q,"Time":"1970-01-01T00:00:00Z"}`, m.Version)
	for name, text := range map[string][]byte{
		"list": []byte(m.Version), m.Version + ".info": []byte(info), m.Version + ".mod": goMod, m.Version + ".zip": packed.Bytes(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// FileURL returns the URL of a folder, for GOPROXY.
func FileURL(dir string) string {
	dir = "/" + strings.TrimPrefix(filepath.ToSlash(dir), "/") // it may be C:/...
	return (&url.URL{Scheme: "file", Path: dir}).String()
}

// Go runs the go command as Run does.
func Go(ctx context.Context, dir string, env []string, args ...string) (string, error) {
	return Run(ctx, dir, env, "go", args...)
}

// Run runs a command in dir with env added to the environment, and returns its
// standard output. Its error holds all that the command printed.
func Run(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// After Ctrl-C the command has 5 s to end.
	if err := subprocess.Run(ctx, cmd, 5*time.Second); err != nil {
		// Without env, because GOPROXY may contain a password.
		return "", fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(name), strings.Join(args, " "), err, &stdout, &stderr)
	}
	return stdout.String(), nil
}
