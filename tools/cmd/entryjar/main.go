// Command entryjar compiles the Java entry of bootstrap/engine and writes its jar.
// Run it when a file of bootstrap/engine/java has changed, or the daemon's lock.
package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/tools/internal/subprocess"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// release is the Java that the classes are for, and that of the compiler: another
// compiler makes other bytes of the same source.
const release = "17"

const help = `Usage: go run ./tools/cmd/entryjar

Compiles bootstrap/engine/java against the jars of MultiLangDaemon ` + bootstrap.DaemonVersion + ` and
writes bootstrap/engine/entry.jar. Needs javac ` + release + `, of JAVA_HOME or PATH. The same source
makes the same bytes.

Example:
  go run ./tools/cmd/entryjar && git diff --stat

Exit status: 0 written, 1 failed, 2 wrong usage.
`

// committed is the jar that Go embeds, from the root of the checkout.
const committed = "bootstrap/engine/entry.jar"

func main() { workspace.Generate("entryjar", help, committed, build) }

// build returns the jar of the source below root.
func build(ctx context.Context, root string) ([]byte, error) {
	source := filepath.Join(root, "bootstrap", "engine", "java")
	javac, err := compiler(ctx)
	if err != nil {
		return nil, err
	}
	fetched, err := bootstrap.Fetch(ctx, bootstrap.DaemonLock(), bootstrap.FetchOptions{})
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "entryjar-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	args := []string{
		"--release", release, "-encoding", "UTF-8", "-Xlint:all,-classfile,-path", "-Werror", "-implicit:none",
		"-cp", strings.Join(fetched.Files, string(os.PathListSeparator)), "-d", dir,
	}
	files, err := below(source, ".java")
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		args = append(args, filepath.FromSlash(name))
	}
	cmd := exec.Command(javac, args...)
	cmd.Dir = source
	if out, err := output(ctx, cmd); err != nil {
		return nil, fmt.Errorf("javac: %w: %s", err, out)
	}
	return pack(dir, filepath.Join(root, "LICENSE"))
}

// compiler returns the javac command, if it is of the right version.
func compiler(ctx context.Context) (string, error) {
	java, err := bootstrap.FindJava("")
	if err != nil {
		return "", err
	}
	if resolved, err := filepath.EvalSymlinks(java); err == nil {
		java = resolved // the links of a system lead into one installation
	}
	javac := filepath.Join(filepath.Dir(java), "javac")
	if runtime.GOOS == "windows" {
		javac += ".exe"
	}
	version, err := output(ctx, exec.Command(javac, "-version"))
	if err != nil {
		return "", fmt.Errorf("no compiler beside the java command: %w; set JAVA_HOME to a JDK %s", err, release)
	}
	if !strings.HasPrefix(version, "javac "+release+".") {
		return "", fmt.Errorf("the compiler is %s, and must be of version %s; set JAVA_HOME to a JDK %s", version, release, release)
	}
	return javac, nil
}

// output runs a command, and returns what it printed.
func output(ctx context.Context, cmd *exec.Cmd) (string, error) {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := subprocess.Run(ctx, cmd, time.Second)
	return strings.TrimSpace(out.String()), err
}

// below lists the files below dir with an extension, sorted, with slashes.
func below(dir, extension string) ([]string, error) {
	var names []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, extension) {
			names = append(names, name)
		}
		return err
	})
	slices.Sort(names)
	if err == nil && len(names) == 0 {
		err = errors.New("no " + extension + " file below " + dir)
	}
	return names, err
}

// pack makes a jar of the classes and the license: in their names' order, and all
// of one time.
func pack(classes, license string) ([]byte, error) {
	names, err := below(classes, ".class")
	if err != nil {
		return nil, err
	}
	var jar bytes.Buffer
	w := zip.NewWriter(&jar)
	add := func(name, file string) error {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		// The archive's own beginning of time: it has no other that is of no zone.
		out, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)})
		if err == nil {
			_, err = out.Write(text)
		}
		return err
	}
	if err := add("META-INF/LICENSE", license); err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := add(name, filepath.Join(classes, filepath.FromSlash(name))); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return jar.Bytes(), nil
}
