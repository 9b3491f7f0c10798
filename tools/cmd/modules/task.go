package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/child"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// A task is one run of this command.
type task struct {
	options
	ws             *workspace.Workspace
	stdout, stderr io.Writer
}

// step runs f and prints one line with its name and the seconds that it took.
func (t *task) step(name string, f func() error) error {
	start := time.Now()
	err := f()
	result := "ok"
	if err != nil {
		result = "failed"
	}
	fmt.Fprintf(t.stderr, "%-40s %6.1f s  %s\n", name, time.Since(start).Seconds(), result)
	return err
}

// stopGrace is how long the go command may take to end after a Ctrl-C.
const stopGrace = 5 * time.Second

// command runs the go command in dir with env added to the environment, and
// returns its standard output. Its error holds all that the command printed.
func command(ctx context.Context, dir string, env []string, args ...string) (string, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stdout, all bytes.Buffer
	// Both streams are written to all, from two goroutines.
	var mu sync.Mutex
	cmd.Stdout = writer(func(b []byte) { mu.Lock(); defer mu.Unlock(); stdout.Write(b); all.Write(b) })
	cmd.Stderr = writer(func(b []byte) { mu.Lock(); defer mu.Unlock(); all.Write(b) })
	err := child.Run(ctx, cmd, stopGrace)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		// Without env: a GOPROXY may have a password in it.
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, bytes.TrimSpace(all.Bytes()))
	}
	return stdout.String(), nil
}

type writer func([]byte)

func (w writer) Write(b []byte) (int, error) {
	w(b)
	return len(b), nil
}

// An outside is where go.work does not hold: a temporary folder with a module
// proxy of the tree and a module cache of its own, because what is unreleased
// changes under one version.
type outside struct {
	dir   string
	proxy workspace.Proxy
	env   []string
}

func newOutside(ctx context.Context, ws *workspace.Workspace) (*outside, error) {
	settings, err := command(ctx, ws.Root, nil, "env", "GOPROXY", "GOMODCACHE", "GOFLAGS", "GONOSUMDB")
	if err != nil {
		return nil, err
	}
	lines := strings.Split(settings, "\n")
	usual, cache, flags, unsummed := lines[0], lines[1], lines[2], lines[3]

	dir, err := os.MkdirTemp("", "modules-")
	if err != nil {
		return nil, err
	}
	o := &outside{dir: dir, proxy: workspace.Proxy{Dir: filepath.Join(dir, "proxy")}}
	// What this machine has downloaded already comes before the usual proxy,
	// so that most runs need no network.
	downloaded := workspace.FileURL(filepath.Join(cache, "cache", "download"))
	o.env = []string{
		"GOWORK=off",
		"GOPROXY=" + o.proxy.URL() + "," + downloaded + "," + usual,
		"GONOSUMDB=" + strings.Trim(unsummed+","+ws.Unsummed(), ","),
		"GOMODCACHE=" + filepath.Join(dir, "cache"),
		// -modcacherw: the folder can be removed. -trimpath: the build cache
		// serves the next run too, whose folder has another name.
		"GOFLAGS=" + strings.TrimSpace(flags+" -modcacherw -trimpath"),
	}
	return o, nil
}

func (o *outside) remove() error { return os.RemoveAll(o.dir) }

// pack publishes the module and unpacks it again: what lies in the folder
// returned is what a user gets.
func (o *outside) pack(ctx context.Context, ws *workspace.Workspace, m *workspace.Module, goMod, goSum []byte) (string, error) {
	name, err := o.proxy.Publish(ctx, ws, m, goMod, goSum)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(o.dir, "modules", filepath.FromSlash(m.Dir), "tree")
	return dir, workspace.Unpack(dir, m, name)
}

// tidy runs "go mod tidy" on a module in dir and returns its go.mod, and its
// go.sum without the lines of siblings.
func (o *outside) tidy(ctx context.Context, ws *workspace.Workspace, dir string) (goMod, goSum []byte, err error) {
	if _, err := command(ctx, dir, o.env, "mod", "tidy"); err != nil {
		return nil, nil, err
	}
	if goMod, err = os.ReadFile(filepath.Join(dir, "go.mod")); err != nil {
		return nil, nil, err
	}
	goSum, err = readIfExists(filepath.Join(dir, "go.sum"))
	return goMod, ws.WithoutSiblings(goSum), err
}

func readIfExists(name string) ([]byte, error) {
	text, err := os.ReadFile(name)
	if os.IsNotExist(err) {
		return nil, nil
	}
	return text, err
}
