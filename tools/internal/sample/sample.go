// Package sample builds the project's commands and runs the sample application
// with them: the real kcl-bootstrap, MultiLangDaemon and consumer-sample. The
// demo and the end-to-end tests stand on it.
package sample

import (
	"bytes"
	"context"
	"errors"
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

// commands are the packages of the commands, relative to the workspace's root.
var commands = []string{"./bootstrap/cmd/kcl-bootstrap", "./consumer-sample", "./infra/cmd/kcl-infra", "./producer"}

// Build builds the project's commands from the workspace at root into the
// folder bin.
func Build(ctx context.Context, root, bin string) error {
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	// A separator at the end says that it is a folder.
	args := append([]string{"build", "-o", bin + string(filepath.Separator)}, commands...)
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	// When it is interrupted, go removes a folder of hundreds of files.
	err := subprocess.Run(ctx, cmd, 10*time.Second)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New("cannot build the commands: there is no go command on PATH")
	}
	if err != nil {
		return fmt.Errorf("cannot build the commands: %w: %s", err, strings.TrimSpace(out.String()))
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

// Environ returns environ with bin put first on PATH, so that the daemon finds
// the consumer there: it splits executableName at spaces, so a path will not do.
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

// WriteProperties writes a properties file: the sample's own from the workspace
// at root, then the settings, which take the place of the sample's.
func WriteProperties(root, file string, settings []stack.Setting) error {
	text, err := os.ReadFile(filepath.Join(root, "consumer-sample", "sample.properties"))
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(stack.Override(string(text), settings)), 0o644)
}
