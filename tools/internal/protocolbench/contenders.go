package protocolbench

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/child"
	"github.com/seed96110120/kinesis-client-go/tools/internal/rivals"
)

// The versions of the rivals.
const (
	nodeVersion   = "2.3.2"
	pythonVersion = "3.2.0"
)

//go:embed children/node.js children/python.py
var scripts embed.FS

// A contender is an executable that the daemon can start.
type contender struct {
	name    string
	command []string
}

// contenders are the executables to compare, the sink first, and what they
// need.
type contenders struct {
	all     []contender
	environ []string
	// versions says what the rivals run on.
	versions string
}

// prepare builds and installs the contenders; what is built goes to dir.
func prepare(ctx context.Context, root, dir string) (*contenders, error) {
	if err := buildChildren(ctx, root, dir); err != nil {
		return nil, err
	}
	npm, err := rivals.NPM(ctx, "aws-kcl", nodeVersion)
	if err != nil {
		return nil, err
	}
	source, err := rivals.PythonSource(ctx, "amazon-kclpy", pythonVersion)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"node.js", "python.py"} {
		text, err := scripts.ReadFile("children/" + name)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return nil, err
		}
	}
	// Not what PATH has: that may be a script which looks for the interpreter.
	node, err := output(ctx, dir, "node", "-p", "process.execPath")
	if err != nil {
		return nil, err
	}
	python, err := output(ctx, dir, "python3", "-c", "import sys; print(sys.executable)")
	if err != nil {
		return nil, err
	}
	nodeVersion, err := output(ctx, dir, node, "--version")
	if err != nil {
		return nil, err
	}
	pythonVersion, err := output(ctx, dir, python, "--version")
	if err != nil {
		return nil, err
	}
	return &contenders{
		all: []contender{
			{"sink", []string{filepath.Join(dir, "sink")}},
			{"ours", []string{filepath.Join(dir, "ours")}},
			{"encoding/json", []string{filepath.Join(dir, "encodingjson")}},
			{"Node", []string{node, filepath.Join(dir, "node.js")}},
			{"Python", []string{python, filepath.Join(dir, "python.py")}},
		},
		environ:  []string{"NODE_PATH=" + filepath.Join(npm, "node_modules"), "PYTHONPATH=" + source},
		versions: fmt.Sprintf("Node.js %s, %s", strings.TrimPrefix(nodeVersion, "v"), pythonVersion),
	}, nil
}

// buildChildren builds the contenders in Go.
func buildChildren(ctx context.Context, root, dir string) error {
	const path = "./tools/internal/protocolbench/children/"
	_, err := output(ctx, root, "go", "build", "-o", dir+string(filepath.Separator), path+"sink", path+"ours", path+"encodingjson")
	return err
}

// executable returns the contender as the daemon's property executableName.
func (c contender) executable() (string, error) {
	for _, part := range c.command {
		if strings.Contains(part, " ") {
			return "", fmt.Errorf("the daemon cannot start %s: there is a space in %s; set TMPDIR to a folder without one", c.name, part)
		}
	}
	return strings.Join(c.command, " "), nil
}

// output runs a command and returns what it prints.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := child.Run(ctx, cmd, time.Second)
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("there is no %s on PATH, which this bench needs", name)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(stdout.String()), nil
}
