// Package sample builds the project's commands and runs the sample application: the real
// kcl-bootstrap, MultiLangDaemon and consumer-sample. The demo and the end-to-end tests use
// it.
package sample

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/internal/subprocess"
)

// commands are the commands' packages, relative to the workspace's root.
var commands = []string{"./bootstrap/cmd/kcl-bootstrap", "./consumer-sample", "./infra/cmd/kcl-infra", "./producer"}

// Build builds the project's commands in the workspace at root into the folder bin.
func Build(ctx context.Context, root, bin string) error {
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	// With a separator at its end, -o names a folder.
	args := append([]string{"build", "-o", bin + string(filepath.Separator)}, commands...)
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	// An interrupted go command needs time to remove its temporary files.
	if _, err := subprocess.Output(ctx, cmd, 10*time.Second); err != nil {
		return fmt.Errorf("cannot build the commands: %w", err)
	}
	return nil
}

// Command returns the path of a command in the folder that Build built into.
func Command(bin, name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(bin, name)
}

// Environ returns environ with bin first on PATH. The daemon finds the consumer there; it
// splits executableName at spaces, so that not every path would work.
func Environ(environ []string, bin string) []string {
	changed := make([]string, 0, len(environ)+1)
	path := bin
	for _, e := range environ {
		if name, value, _ := strings.Cut(e, "="); strings.EqualFold(name, "PATH") {
			path += string(os.PathListSeparator) + value
			continue
		}
		changed = append(changed, e)
	}
	return append(changed, "PATH="+path)
}

// WriteProperties writes a properties file: the sample's file from the workspace at root,
// with settings that override it.
func WriteProperties(root, file string, settings []stack.Setting) error {
	text, err := os.ReadFile(filepath.Join(root, "consumer-sample", "sample.properties"))
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(stack.Override(string(text), settings)), 0o644)
}
