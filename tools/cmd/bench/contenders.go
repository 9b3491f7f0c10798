package main

import (
	"context"
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

// A protocolBench compares children of the daemon's classes.
type protocolBench struct {
	rounds   int
	progress io.Writer
	java     string   // the java command
	dir      string   // of the built contenders, and their working directory
	environ  []string // added for the JVM and the children
	shards   int      // started so far; makes their names unique

	sink, ours, encodingJSON, node contender
}

// A contender is an executable that the daemon can start.
type contender struct {
	name    string
	command []string
	environ []string // added to the bench's own
}

// newProtocolBench builds this project's contenders in a folder that done removes, and
// installs the others.
func newProtocolBench(ctx context.Context, rounds int, progress io.Writer) (b *protocolBench, done func(), err error) {
	root, err := workspace.Find(ctx, ".")
	if err != nil {
		return nil, nil, err
	}
	java, err := bootstrap.FindJava("", 0)
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
	fmt.Fprintln(progress, "building and installing the contenders")
	const children = "./tools/cmd/bench/internal/children/"
	if _, err := output(ctx, root, nil, "go", "build", "-o", dir+string(filepath.Separator),
		children+"sink", children+"ours", children+"encodingjson"); err != nil {
		return nil, nil, err
	}
	modules, err := npm.InstallKCL(ctx)
	if err != nil {
		return nil, nil, err
	}
	// The node on PATH may be a script that starts the interpreter.
	node, err := output(ctx, dir, nil, "node", "-p", "process.execPath")
	if err != nil {
		return nil, nil, err
	}
	return &protocolBench{
		rounds: rounds, progress: progress, java: java, dir: dir,
		environ:      []string{"NODE_PATH=" + modules},
		sink:         contender{name: "sink", command: []string{filepath.Join(dir, "sink")}},
		ours:         contender{name: "ours", command: []string{filepath.Join(dir, "ours")}},
		encodingJSON: contender{name: "encoding/json", command: []string{filepath.Join(dir, "encodingjson")}},
		node:         contender{name: "Node", command: []string{node, filepath.Join(root, children, "node.js")}},
	}, done, nil
}

// output runs a command and returns its standard output, without space around it. With a
// nil environ the command has this process's environment.
func output(ctx context.Context, dir string, environ []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, environ
	text, err := subprocess.Output(ctx, cmd, time.Second)
	return strings.TrimSpace(text), err
}

// executable returns the contender's value of the property executableName.
func (c contender) executable() (string, error) {
	for _, part := range c.command {
		if strings.Contains(part, " ") {
			return "", fmt.Errorf("the daemon cannot start %s: %s has a space; use a checkout and a TMPDIR without spaces", c.name, part)
		}
	}
	return strings.Join(c.command, " "), nil
}

// daemon starts a JVM that ends when stop is called or ctx ends.
func (b *protocolBench) daemon(ctx context.Context, environ ...string) (d *conformance.Driver, stop func(), err error) {
	d, err = conformance.Start(ctx, conformance.Config{Java: b.java, Dir: b.dir, Environ: append(environ, b.environ...)})
	if err != nil {
		return nil, nil, err
	}
	unwatch := context.AfterFunc(ctx, d.Close)
	return d, func() { unwatch(); d.Close() }, nil
}
