package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/tools/internal/conformance"
	"github.com/seed96110120/kinesis-client-go/tools/internal/subprocess"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// awsKCLVersion is of npm's aws-kcl, Amazon's own library for Node.js.
const awsKCLVersion = "2.3.2"

// A bench has what both benches need: the contenders, built and installed.
type bench struct {
	rounds   int
	progress io.Writer // gets a line now and then
	java     string
	dir      string   // has what was built; the children run there
	environ  []string // of the JVM, and so of the children
	shards   int      // started so far; each has its own name

	sink, ours, encodingJSON, node contender
}

// A contender is an executable that the daemon can start.
type contender struct {
	name    string
	command []string
}

// setUp builds ours in a folder that done removes, and installs theirs.
func setUp(ctx context.Context, rounds int, progress io.Writer) (b *bench, done func(), err error) {
	root, err := workspace.Find(ctx, ".")
	if err != nil {
		return nil, nil, err
	}
	java, err := bootstrap.FindJava("")
	if err != nil {
		return nil, nil, err
	}
	dir, err := os.MkdirTemp("", "kcl-bench-")
	if err != nil {
		return nil, nil, err
	}
	done = func() { os.RemoveAll(dir) }
	defer func() {
		if err != nil {
			done()
		}
	}()
	fmt.Fprintln(progress, "building ours, installing theirs")
	const children = "./tools/cmd/bench/internal/children/"
	if _, err := output(ctx, root, "go", "build", "-o", dir+string(filepath.Separator),
		children+"sink", children+"ours", children+"encodingjson", children+"worker", "./processor/worker/cmd/kcl-shim"); err != nil {
		return nil, nil, err
	}
	modules, err := npm(ctx, "aws-kcl", awsKCLVersion)
	if err != nil {
		return nil, nil, err
	}
	// Not what PATH has: that may be a script which looks for the interpreter.
	node, err := output(ctx, dir, "node", "-p", "process.execPath")
	if err != nil {
		return nil, nil, err
	}
	return &bench{
		rounds: rounds, progress: progress, java: java, dir: dir,
		environ:      []string{"NODE_PATH=" + modules},
		sink:         contender{"sink", []string{filepath.Join(dir, "sink")}},
		ours:         contender{"ours", []string{filepath.Join(dir, "ours")}},
		encodingJSON: contender{"encoding/json", []string{filepath.Join(dir, "encodingjson")}},
		node:         contender{"Node", []string{node, filepath.Join(root, children, "node.js")}},
	}, done, nil
}

// npm installs a package with what it depends on into the user's cache, and
// returns the folder node_modules that holds it. Where it is already, npm has
// nothing to do; what a killed run has left it repairs.
func npm(ctx context.Context, name, version string) (modules string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "kinesis-client-go", "npm", name+"-"+version)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	_, err = output(ctx, dir, "npm", "install", "--prefix", dir, "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts",
		"--loglevel=error", name+"@"+version)
	return filepath.Join(dir, "node_modules"), err
}

// output runs a command and returns what it prints.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := subprocess.Run(ctx, cmd, time.Second)
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("there is no %s on PATH, which this bench needs", name)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// executable returns the contender as the daemon's property executableName.
func (c contender) executable() (string, error) {
	for _, part := range c.command {
		if strings.Contains(part, " ") {
			return "", fmt.Errorf("the daemon cannot start %s: there is a space in %s; use a checkout and a TMPDIR without one", c.name, part)
		}
	}
	return strings.Join(c.command, " "), nil
}

// daemon starts a JVM that ends when stop is called or ctx ends.
func (b *bench) daemon(ctx context.Context, environ ...string) (d *conformance.Driver, stop func(), err error) {
	d, err = conformance.Start(ctx, conformance.Config{Java: b.java, Dir: b.dir, Environ: append(environ, b.environ...)})
	if err != nil {
		return nil, nil, err
	}
	unwatch := context.AfterFunc(ctx, d.Close)
	return d, func() { unwatch(); d.Close() }, nil
}
