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
	"github.com/seed96110120/kinesis-client-go/tools/internal/npm"
	"github.com/seed96110120/kinesis-client-go/tools/internal/subprocess"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// A bench has what bench protocol needs: the contenders, built and installed.
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
	environ []string // beside the bench's own
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
	if _, err := output(ctx, root, nil, "go", "build", "-o", dir+string(filepath.Separator),
		children+"sink", children+"ours", children+"encodingjson"); err != nil {
		return nil, nil, err
	}
	modules, err := npm.InstallKCL(ctx)
	if err != nil {
		return nil, nil, err
	}
	// Not what PATH has: that may be a script which looks for the interpreter.
	node, err := output(ctx, dir, nil, "node", "-p", "process.execPath")
	if err != nil {
		return nil, nil, err
	}
	return &bench{
		rounds: rounds, progress: progress, java: java, dir: dir,
		environ:      []string{"NODE_PATH=" + modules},
		sink:         contender{name: "sink", command: []string{filepath.Join(dir, "sink")}},
		ours:         contender{name: "ours", command: []string{filepath.Join(dir, "ours")}},
		encodingJSON: contender{name: "encoding/json", command: []string{filepath.Join(dir, "encodingjson")}},
		node:         contender{name: "Node", command: []string{node, filepath.Join(root, children, "node.js")}},
	}, done, nil
}

// output runs a command and returns what it prints. No environ is this process's
// own.
func output(ctx context.Context, dir string, environ []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, environ
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
