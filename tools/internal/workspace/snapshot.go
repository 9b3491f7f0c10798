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

// A Snapshot is a copy of a workspace in a temporary folder, which may be
// changed, and a module proxy for its modules.
type Snapshot struct {
	// Workspace is the copy, a git repository without a commit. It has what a
	// commit of everything would have: changed files and new ones too.
	*Workspace
	Temp  string // the temporary folder
	Proxy string // the module proxy, as an element of GOPROXY
	// Env is what go commands outside the workspace need besides os.Environ.
	// They find first what was published, and begin with an empty module cache,
	// because what is unreleased changes under one version.
	Env []string
}

// Snapshot makes one. Remove removes it.
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
		unsummed += "," + m.Path // no checksum database knows what is made from the tree
	}
	s.Proxy = FileURL(filepath.Join(s.Temp, "proxy"))
	// What this machine has downloaded already comes before the usual proxy, so
	// that most runs need no network.
	proxy = s.Proxy + "," + FileURL(filepath.Join(cache, "cache", "download")) + "," + proxy
	s.Env = []string{
		"GOWORK=off",
		"GOPROXY=" + proxy,
		"GONOSUMDB=" + strings.Trim(unsummed, ","),
		"GOMODCACHE=" + filepath.Join(s.Temp, "cache"),
		// -modcacherw: the folder can be removed. -trimpath: the build cache
		// serves the next run too, whose folder has another name.
		"GOFLAGS=" + strings.TrimSpace(flags+" -modcacherw -trimpath"),
	}
	return s, nil
}

// Remove removes the folder and all in it.
func (s *Snapshot) Remove() error { return os.RemoveAll(s.Temp) }

// Tree returns the name of the git tree that has what the copy has now.
func (s *Snapshot) Tree(ctx context.Context) (string, error) {
	if _, err := Run(ctx, s.Root, nil, "git", "add", "--all"); err != nil {
		return "", err
	}
	name, err := Run(ctx, s.Root, nil, "git", "write-tree")
	return strings.TrimSpace(name), err
}

// Publish packs a module as it is in the copy now, the way the go command does
// when it fetches one from a repository, and puts it into the proxy under its
// version.
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
	// The layout: go.dev/ref/mod#goproxy-protocol. The time is fixed: nothing
	// may depend on when it was packed.
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

// FileURL returns a folder as an element of GOPROXY.
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
	// A Ctrl-C leaves the command 5 s to end.
	if err := subprocess.Run(ctx, cmd, 5*time.Second); err != nil {
		// Without env: a GOPROXY may have a password in it.
		return "", fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(name), strings.Join(args, " "), err, &stdout, &stderr)
	}
	return stdout.String(), nil
}
